"""Workers that need not load torch: forks of one process that has, for nodes under test.

Loading it takes a worker 3.5 seconds of a processor, most of what a tiny round takes, and every start of
every node has one or two. A door is started in place of Python by whoever starts a worker (`worker_door.py`):
it hands its files, environment and folder over, waits, and ends as the fork does; the fork ends with it. A
worker that is to be of other code, or to use more threads, is started as it always is.

Modules that look at workers themselves, or at bits, have real ones: they take `forked_workers` away.
"""

from __future__ import annotations

import gc
import json
import os
import random
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
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DOOR = "WARM_WORKERS_DOOR"
"""Variable that tells a nursery of nodes what to start workers by."""
_WORKER = ["-P", "-m", "jepanet.work.child"]
_SAME = ("PYTHONPATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")
"""What was decided when everything was loaded."""


def start_by(door: str) -> None:
    """From now on this process starts its workers by a door."""
    from jepanet.work import worker

    worker.sys = SimpleNamespace(executable=door)  # type: ignore[attr-defined]


@contextmanager
def warm_workers() -> Iterator[Path]:
    """The process to fork from, and the program to start in place of Python."""
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:  # a socket's path has to be short
        place, door = Path(folder) / "socket", Path(folder) / "door"
        words = [sys.executable, "-IS", str(Path(__file__).with_name("worker_door.py")), str(place)]
        door.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        door.chmod(0o700)
        told = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(place)], stdin=subprocess.PIPE, start_new_session=True,
            env={**os.environ, **told, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            yield door
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


class _Warm:
    """The process that is forked."""

    def __init__(self, place: str) -> None:
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
                with suppress(OSError):
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
        head, files, _, _ = socket.recv_fds(door, 8, 3)
        call = b""
        while len(call) < int.from_bytes(head, "big"):
            call += door.recv(1 << 16)
        pid = os.fork()
        if pid == 0:
            try:
                door.close()
                self._become(json.loads(call), files)
            except SystemExit as ended:
                os._exit(ended.code if isinstance(ended.code, int) else 1)
            except BaseException:
                traceback.print_exc()
            os._exit(70)
        self._doors[pid] = door
        for file in files:
            os.close(file)

    def _become(self, call: dict[str, Any], files: list[int]) -> None:
        """A worker, with what its door was started with."""
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
        words, environment = call["words"], call["environment"]
        same = all(environment.get(name) == os.environ.get(name) for name in _SAME)
        if words[:-1] != _WORKER or not same:
            os.execve(sys.executable, [sys.executable, *words], environment)
        os.environ.clear()
        os.environ.update(environment)
        random.seed()
        sys.argv = words[2:]
        from jepanet.work.child import main

        main(words[-1])


if __name__ == "__main__":
    import jepanet.work.child
    import jepanet.work.derivations
    import jepanet.work.jobs  # noqa: F401

    gc.freeze()
    _Warm(sys.argv[1]).serve()
