"""A log file that stays small: at `max_bytes` it is put aside under a number, and the oldest of those goes.

    node.log ──▶ node.log.1 ──▶ … ──▶ node.log.KEEP ──▶ deleted

Only its owner reads it. Like every `LogStream` it makes nobody wait; what a full disk does not take is
counted, and told in the file once there is room.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.log_stream import CAPACITY, LogStream


class LogFile(LogStream):
    """Writes to `path`, of which `keep` earlier parts stay: at most `max_bytes` each, or one line.

    Raises: Fatal (`CONFIG`, `ALREADY_RUNNING`): it cannot be opened, or another process writes it.
    """

    def __init__(self, path: Path, max_bytes: int, keep: int, *, capacity: int = CAPACITY) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            super().__init__(_opened(path), capacity=capacity)
        except BlockingIOError as error:
            raise Fatal(
                f"another process writes the log file {path}",
                remedy="give each node its own log.file",
                code=Exit.ALREADY_RUNNING,
            ) from error
        except OSError as error:
            raise Fatal(
                f"the log file {path} cannot be written: {error.strerror}",
                remedy="name another log.file, or leave it out",
                code=Exit.CONFIG,
            ) from error

    def _deliver(self, data: bytes) -> bool:
        try:
            size = os.fstat(self._descriptor).st_size
            if size and size + len(data) > self._max_bytes:
                self._put_aside()
        except OSError:
            return False  # the bound holds: rather is a line lost, and the next one tries again
        return super()._deliver(data)

    def _put_aside(self) -> None:
        parts = [self._path, *(self._path.with_name(f"{self._path.name}.{n + 1}") for n in range(self._keep))]
        draft = self._path.with_name(f"{self._path.name}.new")
        following = _opened(draft)  # first: where that fails everything stays where it is
        for n in reversed(range(self._keep)):
            with contextlib.suppress(FileNotFoundError):  # a gap, made by hand
                parts[n].replace(parts[n + 1])
        draft.replace(self._path)
        before, self._descriptor, self._torn = self._descriptor, following, False
        os.close(before)


def _opened(path: Path) -> int:
    """A descriptor that appends, of a file that is its owner's alone and that no other process writes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
