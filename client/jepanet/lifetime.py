"""What ends a process: signals, from its first moment on, and the end of its parent.

    jepanet   start ──▶ leave_at_once ──imports──▶ end_like_interrupt ──▶ the command
    workers   start with the three signals held back; whoever started them ends them, or its end does

SIGTERM and SIGHUP end a command as Ctrl-C does, with 128 plus the signal's number. A handler is installed
before anything that takes time: process 1 of a container has no default action, and ignores what nobody
handles.
"""

from __future__ import annotations

# Nothing here that takes time to import: until `leave_at_once` a Ctrl-C is a traceback.
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_received: list[int] = []


def code_of_end() -> int:
    """The exit code of a command that KeyboardInterrupt ended: 128 plus the number of the signal."""
    return 128 + (_received[-1] if _received else signal.SIGINT)


def was_stopped() -> bool:
    """Whether SIGTERM or SIGHUP has told the command to end."""
    return bool(_received)


def name_of_end() -> str:
    """What ended it, for people."""
    return f"ended by {signal.Signals(_received[-1]).name}" if _received else "interrupted"


def heeded() -> tuple[signal.Signals, ...]:
    """Those of the three signals that whoever started us did not tell us to ignore (`nohup`, `&` in sh)."""
    return tuple(number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)


def leave_at_once() -> None:
    """From now on a signal ends the process on the spot: for the time in which there is nothing to clean up.

    Nothing is raised, since an exception in the middle of an import may be swallowed or printed.
    """

    def leave(number: int, _: FrameType | None) -> None:
        try:
            os.write(2, f"\njepanet: ended by {signal.Signals(number).name}\n".encode())
        finally:
            os._exit(128 + number)

    _handle(leave)


def end_like_interrupt() -> None:
    """From now on SIGTERM and SIGHUP do what Ctrl-C does: KeyboardInterrupt, or what asyncio makes of it."""

    def end(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        of_interrupt = signal.getsignal(signal.SIGINT)
        if callable(of_interrupt):
            of_interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    _handle(end)
    if signal.SIGINT in heeded():
        # asyncio cancels its main task, and so lets it clean up, where it finds this one.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = _deliver_again


class signals_held:  # noqa: N801  # used as a function is
    """Holds the three signals back while children are started, which inherit that and keep it.

    A Ctrl-C or a service manager reaches every process of a group; what it means for the children their
    parent decides.
    """

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def die_with_parent(parent: int | None = None) -> None:
    """Linux ends this process when the thread that started it ends, also in the middle of a computation.

    That thread may have ended before, and then nothing would: `parent` is its process, without which this one
    ends here. Without `parent` the caller watches a pipe as well, as `follow_parent` does.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def follow_parent() -> None:
    """Ends this process with its parent, however that ends; for one that `multiprocessing` has started."""
    import threading
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is None:
        raise RuntimeError("this process was not started by multiprocessing")
    die_with_parent()

    def watch() -> None:
        connection.wait([parent.sentinel])  # a pipe: it ends with the parent, also if that was long ago
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def follow_pipe(path: Path) -> None:
    """Ends this process with the last one that holds the named pipe `path` open for writing, however that
    ends; at once where nobody does."""
    import threading

    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(pipe, True)

    def watch() -> None:
        os.read(pipe, 1)  # nothing is written: it returns when all writers are gone
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _handle(action: Callable[[int, FrameType | None], object]) -> None:
    for number in heeded():
        signal.signal(number, action)


def _deliver_again(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt that hit where nothing can be raised (a destructor, a callback) would be lost."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        import threading

        # Not from here: what is raised in this hook is lost as well.
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()
        return
    sys.__unraisablehook__(unraisable)
