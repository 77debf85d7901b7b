"""Whose fault it is that a job cannot go on: a stranger's, whose file it read, or this machine's.

What a stranger's file leads to is a finding about that stranger, and the same on every machine. What this
machine lacks says nothing of anybody, and is tried again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from jepanet.errors import Exit, JepanetError, Rejected, Transient

REFUSED = "refused"
"""Reason of what a file of a stranger leads to, where nothing more exact is known."""
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def lacking(error: Exception) -> Transient | None:
    """What this machine lacks, where that is what an exception says; None for any other.

    Torch raises no `MemoryError`: on a CPU its allocator says so in words.
    """
    said = str(error)[:300]
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in said.lower() for words in _NO_MEMORY)
    ):
        return Transient(
            f"this machine has no memory left: {said or type(error).__name__}",
            remedy="free some, or give the node a larger machine",
            code=Exit.OUT_OF_MEMORY,
        )
    if isinstance(error, OSError):
        if error.errno in _FULL:
            return Transient(f"no room on the disk: {said}", remedy="free some", code=Exit.DISK_FULL)
        return Transient(f"{type(error).__name__}: {said}")
    return None


@contextmanager
def from_a_stranger(what: str) -> Iterator[None]:
    """Whatever is raised meanwhile follows from what a stranger wrote, unless this machine lacks something.

    Raises:
        Rejected: as it was raised, or `refused` for an exception that nobody raised on purpose.
        Transient: as it was raised, or as `lacking`.
    """
    try:
        yield
    except JepanetError:
        raise
    except Exception as error:
        own = lacking(error)
        if own is not None:
            raise own from error
        raise Rejected(f"{what}: {type(error).__name__}: {error!s:.300}", reason=REFUSED) from error
