"""Copies of databases whose node may be running, and what a copy says must be kept beside it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal
from jepanet.files import FULL
from jepanet.storage.database import BUSY_MILLISECONDS
from jepanet.storage.held import Hold, mark_held


@contextmanager
def kept_stopped(path: Path) -> Iterator[bool]:
    """Whether nobody has the database at `path` open; if so, nobody can open it while the block runs."""
    lock = FileLock(path.with_name(path.name + ".lock"), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def copy_database(source: Path, target: Path, hold: Hold | None = None) -> None:
    """Copies a database as it is at one moment, whoever writes to it (SQLite's online backup).

    The copy is one file without a log, readable by its owner alone, checked and synced. With `hold` it says
    that it is a copy: see `storage.held`.

    Raises:
        Fatal: the source cannot be read or is damaged (exit code `DAMAGED`), or there is no room for the copy
            (`DISK_FULL`).
    """
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _copy(source, target, hold)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", 0)
        full = code & 0xFF == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in FULL
        raise Fatal(
            f"{source} cannot be copied: {error}",
            remedy=f"free space on the disk of {target.parent}" if full else f"look at {source} and its disk",
            code=Exit.DISK_FULL if full else Exit.DAMAGED,
        ) from error


def _copy(source: Path, target: Path, hold: Hold | None) -> None:
    reading = f"{source.resolve().as_uri()}?mode=ro"
    with (
        contextlib.closing(sqlite3.connect(reading, uri=True, timeout=BUSY_MILLISECONDS / 1000)) as there,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as here,
    ):
        there.backup(here)
        here.execute("PRAGMA journal_mode = DELETE")
        here.execute("PRAGMA trusted_schema = OFF")
        (verdict,) = here.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(str(verdict))
        if hold is not None:
            mark_held(here, hold)


def sealed_digests(journal: Path) -> set[bytes]:
    """Digests of the deltas that a copied journal has sealed, and of what their codec left out."""
    return _digests(
        journal,
        "SELECT digest FROM salts UNION SELECT digest FROM residuals UNION SELECT before FROM residuals",
    )


def pinned_digests(index: Path) -> set[bytes]:
    """Digests that somebody keeps, by a copied index of blobs."""
    return _digests(index, "SELECT DISTINCT digest FROM pins")


def _digests(path: Path, query: str) -> set[bytes]:
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        return {bytes(row[0]) for row in database.execute(query) if row[0] is not None}
