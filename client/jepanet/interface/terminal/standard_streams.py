"""Standard input, output and error as a command may count on them, whatever it was started with."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from jepanet.errors import Exit, Fatal

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ReaderGone(Exception):
    """The reader of standard output has ended (`| head`): no error, and nobody is left to read a message."""


class _Output(io.FileIO):
    """Standard output that says what refused it, once: what follows goes nowhere.

    Otherwise a closed or full one would be an OSError without a name, and be raised again at exit.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            _drop_the_rest()
            raise ReaderGone from error
        except OSError as error:
            _drop_the_rest()
            raise Fatal(
                f"standard output cannot be written: {error.strerror}",
                remedy="free space where it goes, or send it elsewhere; what the command did stands",
                code=Exit.DISK_FULL if error.errno in _FULL else Exit.FAILURE,
            ) from error


def open_standard_streams() -> None:
    """Opens what was closed, and lets standard output print anything and name its failures.

    A file opened while descriptor 1 is free would get that number, and every line printed: /dev/null takes
    it, opened for reading, so that printing is refused instead of lost.
    """
    for number, way in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), errors="backslashreplace")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",  # a narrow encoding costs a character, not the output
        line_buffering=os.isatty(1),
    )


def _drop_the_rest() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
