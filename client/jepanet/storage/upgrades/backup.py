"""The copy of a database that is kept beside it before its schema is changed.

journal.sqlite.schema-3            a whole copy of schema 3, readable by its owner alone
journal.sqlite.schema-3.2          a later one: an older copy is never written over
journal.sqlite.schema-3.partial    what a crash left of one; it is removed at the next start
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from jepanet.errors import Exit, Fatal
from jepanet.files import sync_directory

_TIMES_ITS_SIZE = 3
"""Room that a conversion may take: the copy, the write-ahead log, the new tables beside the old ones."""
_HEADER = 100
"""Bytes of the file that the copying itself changes (SQLite file format, section 1.3)."""
_CHUNK = 1 << 20


def keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copies the database at `path`, schema `version`, and makes sure that there is room to convert it.

    A copy that an interrupted upgrade left is used again if the database has not changed since.

    Args:
        connection: the only open connection to `path`, outside a transaction.

    Returns:
        Where the copy is, synced.

    Raises:
        Fatal: there is not enough room (`DISK_FULL`); nothing was changed.
        OSError, sqlite3.Error: the copy cannot be written; nothing was changed.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    partial = path.with_name(f"{path.name}.schema-{version}.partial")
    partial.unlink(missing_ok=True)
    newest, free_name = _names(path, version)
    if newest is not None and _same_content(path, newest):
        _expect_room(path, _TIMES_ITS_SIZE - 1)
        return newest
    _expect_room(path, _TIMES_ITS_SIZE)
    try:
        # Created here, not by SQLite, so that others can never read it: it holds salts.
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as copy:
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")  # synced as a whole, below
                connection.backup(copy)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.replace(free_name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return free_name


def _names(path: Path, version: int) -> tuple[Path | None, Path]:
    """The newest copy there is, and the first free name for another one."""
    newest, number = None, 1
    while True:
        name = path.with_name(f"{path.name}.schema-{version}" + (f".{number}" if number > 1 else ""))
        if not name.exists():
            return newest, name
        newest, number = name, number + 1


def _expect_room(path: Path, times: int) -> None:
    needed = times * path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise Fatal(
            f"{path} is of an older version: converting takes {needed} bytes of room, its disk has {free}; "
            "nothing was changed",
            remedy=f"make {needed - free} bytes of room on the disk of {path.parent}, then start again",
            code=Exit.DISK_FULL,
        )


def _same_content(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        first.seek(_HEADER)
        second.seek(_HEADER)
        while chunk := first.read(_CHUNK):
            if chunk != second.read(_CHUNK):
                return False
    return True
