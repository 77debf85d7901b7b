"""Workers, nodes and commands that need not load the package: forks of one process that has.

Loading torch takes a worker 3.5 seconds of a processor, most of what a tiny round takes, and every start of
every node has one or two; a node itself takes 2.5. A door is started in place of Python (`door.py`): it hands
its files, environment and folder over, waits, and ends as the fork does; the fork ends with it. What is to be
of other code, or to use more threads, is started as it always is.

Modules that look at workers themselves, or at bits, have real ones: they take `forked_workers` away.
"""

from __future__ import annotations

import gc
import json
import os
import random
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DOOR = "WARM_PROCESSES_DOOR"
"""Variable that tells a nursery of nodes what to start workers by."""
_HERE = Path(__file__).resolve().parent
_WORKER = ["-P", "-m", "jepanet.work.child"]
_COMMAND = ["-P", "-m", "jepanet"]
_DECIDED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")
"""What decides how a worker computes, once everything is loaded."""


def start_by(door: str) -> None:
    """From now on this process starts its workers by a door."""
    from jepanet.work import worker

    worker.sys = SimpleNamespace(executable=door)  # type: ignore[attr-defined]


@contextmanager
def warm_processes() -> Iterator[Path]:
    """The process to fork from; its door, to be started in place of Python, beside which is `bin/jepanet`."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:  # a socket's path has to be short
        place, door, command = (Path(folder) / name for name in ("socket", "door", "bin/jepanet"))
        command.parent.mkdir()
        words = [sys.executable, "-IS", str(_HERE / "door.py"), str(place)]
        for path, more in ((door, []), (command, _COMMAND)):
            path.write_text(f'#!/bin/sh\nexec {shlex.join([*words, *more])} "$@"\n')
            path.chmod(0o700)
        told = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(place), str(door)], stdin=subprocess.PIPE,
            start_new_session=True, env={**os.environ, **told, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield door
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


class _Warm:
    """The process that is forked."""

    def __init__(self, place: str, door: str) -> None:
        self._door = door
        self._owner = os.dup(0)
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"{place}.new")
        self._server.listen(64)
        Path(f"{place}.new").rename(place)
        self._doors: dict[int, socket.socket] = {}
        """By the process behind it."""

    def serve(self) -> None:
        """Until whoever started this ends."""
        while True:
            mine = [self._owner, self._wake, self._server]
            ready = select.select([*mine, *self._doors.values()], [], [])[0]
            if self._owner in ready:
                break
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._tell_ends()
            if self._server in ready:
                self._open(self._server.accept()[0])
            for pid in [pid for pid, door in self._doors.items() if door in ready]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)  # whoever had it ended
                self._doors.pop(pid).close()
        for pid in self._doors:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _tell_ends(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                door = self._doors.pop(ended[0], None)
                if door is not None:
                    with door, suppress(OSError):
                        door.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended[1]))

    def _open(self, door: socket.socket) -> None:
        try:
            head, files, _, _ = socket.recv_fds(door, 8, 3)
            text = b""
            while len(text) < int.from_bytes(head, "big"):
                text += door.recv(1 << 16)
        except OSError:  # it has ended meanwhile
            door.close()
            return
        call = json.loads(text)
        kind = self._kind(call["words"], call["environment"])
        if kind in ("command", "program"):
            _load_nodes()
        pid = os.fork()
        if pid == 0:
            try:
                door.close()
                self._take(call, files)
                self._become(kind, call["words"], call["environment"])
            except SystemExit:
                raise
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            sys.exit(0)
        self._doors[pid] = door
        with suppress(OSError):
            door.sendall(b"%d\n" % pid)
        for file in files:
            os.close(file)

    @staticmethod
    def _kind(words: list[str], environment: dict[str, str]) -> str:
        """What it is that can be forked; empty for anything else."""

        def same(*names: str) -> bool:
            return all(environment.get(name) == os.environ.get(name) for name in names)

        if words[:-1] == _WORKER and same("PYTHONPATH", *_DECIDED):
            return "worker"
        if words[:3] == _COMMAND and same("PYTHONPATH"):
            return "command"
        if len(words) == 1 and Path(words[0]).parent == _HERE and same("PYTHONPATH"):
            return "program"
        return ""

    def _take(self, call: dict[str, Any], files: list[int]) -> None:
        """From here on this is a process with what its door was started with."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        for item in (*files, self._owner, self._wake, self._woken):
            os.close(item)
        for held in (self._server, *self._doors.values()):
            held.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, call["held"])
        os.chdir(call["folder"])

    def _become(self, kind: str, words: list[str], environment: dict[str, str]) -> None:
        if not kind:
            os.execve(sys.executable, [sys.executable, *words], environment)
        os.environ.clear()
        os.environ.update(environment)
        random.seed()
        if kind == "worker":
            from jepanet.work.child import main as work

            sys.argv = words[2:]
            work(words[-1])
        elif kind == "command":
            from jepanet.interface.entry import main as command

            sys.argv = words[2:]
            sys.executable = self._door  # for its workers, and for nodes where it starts several
            command()
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")


@cache
def _load_nodes() -> None:
    import jepanet.interface.arguments.node
    import jepanet.node.app
    import jepanet.operations.checks.preflight  # noqa: F401

    gc.freeze()


if __name__ == "__main__":
    import jepanet.work.child
    import jepanet.work.derivations
    import jepanet.work.jobs  # noqa: F401

    gc.freeze()
    _Warm(*sys.argv[1:]).serve()
