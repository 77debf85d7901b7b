"""A folder beside what is being made, so that a call that is killed leaves nothing under the final name."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.files import FULL


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A private folder `.NAME.partial` beside `target`, removed at the end.

    What a killed call left there is removed first.

    Raises:
        Fatal: there is something at `target` already (exit code `CONFIG`); another call is making the same
            (`ALREADY_RUNNING`); something cannot be written, in the block either (`DISK_FULL`, `CONFIG`).
    """
    if os.path.lexists(target):
        raise Fatal(
            f"{target} is there already, and nothing was changed",
            remedy="name another place, or move it away first",
            code=Exit.CONFIG,
        )
    draft = target.with_name(f".{target.name}.partial")
    try:
        held = _held(draft)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            os.close(held)
    except OSError as error:
        full = error.errno in FULL
        raise Fatal(
            f"{target} cannot be made: {error.strerror or error}",
            remedy=f"free space on the disk of {target.parent}"
            if full
            else f"check {target.parent} and its permissions, or name another place",
            code=Exit.DISK_FULL if full else Exit.CONFIG,
        ) from error


def _held(draft: Path) -> int:
    """An empty folder at `draft` that is ours for as long as the descriptor is open."""
    draft.mkdir(mode=0o700, exist_ok=True)
    held = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(held).st_uid != os.geteuid():
            raise PermissionError(f"{draft} is another user's")
        os.fchmod(held, 0o700)
        for left in list(draft.iterdir()):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
    except BlockingIOError as error:
        os.close(held)
        raise Fatal(
            f"another call is making the same, in {draft}",
            remedy="wait for it, or name another place",
            code=Exit.ALREADY_RUNNING,
        ) from error
    except BaseException:
        os.close(held)
        raise
    return held
