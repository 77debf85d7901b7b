"""A text stream over a file descriptor that never makes its writer wait and never raises.

    write ──▶ queue, bounded ──▶ a thread ──▶ descriptor
                  └─ full, or the descriptor refuses: the line is counted, and reported once it accepts again

Whoever reads a log can die, stall or run out of disk; whoever writes it must go on.
"""

from __future__ import annotations

import atexit
import io
import os
import queue
import select
import sys
import threading
from collections.abc import Callable

CAPACITY = 4 << 20
"""Bytes that wait for a reader who does not read; what comes then is lost."""
LAST_MOMENT = 2.0
"""Seconds that the end of a process waits for its last lines to be taken."""
_RETRY_MILLISECONDS = 1000


def _as_it_is(lines: int) -> str:
    return f"{lines} log lines were lost: their reader or its disk did not take them\n"


class LogStream(io.TextIOBase):
    """Stands in for `sys.stderr`. Thread safe, also from signal handlers and destructors.

    `tell_lost` words how many lines were lost; it is called from the writing thread.
    """

    def __init__(self, descriptor: int, *, capacity: int = CAPACITY) -> None:
        self._descriptor = descriptor
        self._capacity = capacity
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        # Reentrant: a line may be written by a destructor that runs in the middle of writing another.
        self._lock = threading.RLock()
        self._idle = threading.Event()
        self._idle.set()
        self._waiting = 0
        self._untold = 0
        self._torn = False
        self._thread: threading.Thread | None = None
        self.lost = 0
        self.tell_lost: Callable[[int], str] = _as_it_is

    # `TextIOBase` has these as properties of its own making.
    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        """Hands `text` over; what does not fit is counted as lost."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._waiting and self._waiting + len(data) > self._capacity:
                self._lose(data)
                return len(text)
            self._waiting += len(data)
            self._idle.clear()
            self._queue.put(data)
            if self._thread is None:
                self._start()
        return len(text)

    def flush(self) -> None:
        """Nothing waits here: see `drain`."""

    def close(self) -> None:
        """The descriptor is not this stream's own."""

    def drain(self, seconds: float = LAST_MOMENT) -> bool:
        """Waits until everything was taken or refused, at most `seconds`; whether it was."""
        return self._idle.wait(seconds)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._deliver_all, name="log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending: what is left is lost
            self._thread = None
            while not self._queue.empty():
                self._done(self._queue.get(), taken=False)
            return
        atexit.register(self.drain)

    def _deliver_all(self) -> None:
        while True:
            data = self._queue.get()
            taken = self._deliver(data)
            with self._lock:
                untold = self._untold if taken else 0
            if untold and self._deliver(self._worded(untold)):
                with self._lock:
                    self._untold -= untold
            self._done(data, taken=taken)

    def _done(self, data: bytes, *, taken: bool) -> None:
        with self._lock:
            self._waiting -= len(data)
            if not taken:
                self._lose(data)
            if not self._waiting:
                self._idle.set()

    def _lose(self, data: bytes) -> None:
        lines = max(1, data.count(b"\n"))
        self.lost += lines
        self._untold += lines

    def _worded(self, lines: int) -> bytes:
        try:
            return self.tell_lost(lines).encode("utf-8", "backslashreplace")
        except Exception:  # whatever words it, the count must arrive
            return _as_it_is(lines).encode()

    def _deliver(self, data: bytes) -> bool:
        left = memoryview(b"\n" + data if self._torn else data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody who shares the descriptor made it non-blocking
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLOUT)
                waiting.poll(_RETRY_MILLISECONDS)
            except OSError:
                self._torn = self._torn or len(left) < len(data)
                return False
        self._torn = False
        return True


def make_errors_patient() -> LogStream:
    """Puts a `LogStream` in the place of `sys.stderr`, once: whatever prints there waits for no reader."""
    if not isinstance(sys.stderr, LogStream):
        sys.stderr = LogStream(2)
    return sys.stderr
