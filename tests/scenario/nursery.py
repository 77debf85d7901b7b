"""Starts node processes quickly: the package is imported once, each node is a fork of that process.

A node started here is a process like any other: own session, own log, killed and reaped like one. Commands
come on standard input as JSON lines, one answer a command; the end of standard input ends every child. Their
workers are forks as well, where whoever started this says by what (`warm_processes`).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import sys
from pathlib import Path
from typing import Any

# Not there by itself where PYTHONSAFEPATH is set.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from warm_processes import DOOR, start_by


def main() -> None:
    """Serves start requests until standard input ends."""
    import jepanet.interface.arguments.node
    import jepanet.node.app
    import jepanet.operations.checks.preflight  # noqa: F401

    if DOOR in os.environ:
        start_by(os.environ.pop(DOOR))
    os.dup2(os.open(os.devnull, os.O_RDWR), 3)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    _say(ready=os.getpid())
    buffer = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            for pid in list(children):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    children.discard(pid)
                    _say(ended=pid, status=os.waitstatus_to_exitcode(status))
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                break
            *whole, buffer = (buffer + data).split(b"\n")
            for line in whole:
                children.add(_start(json.loads(line), (wake_read, wake_write)))
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _start(request: dict[str, Any], pipes: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        _say(started=pid, id=request["id"])
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for pipe in pipes:
            os.close(pipe)
        os.setsid()
        output = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        random.seed()
        _run(request)
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def _run(request: dict[str, Any]) -> None:
    import asyncio

    from jepanet.interface.arguments.node import start
    from jepanet.interface.cli import main as command_line

    if request["kills"] is None:
        command_line(request["arguments"])
        return
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from faults import KillPlan, killer

    asyncio.run(start(Path(request["config"]), trace=killer(KillPlan.from_json(request["kills"]))))


def _say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
