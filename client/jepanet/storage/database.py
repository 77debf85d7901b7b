"""One SQLite file with one owner: the lock, the pragmas, migrations, transactions and clear errors.

A committed transaction is on the disk (WAL, `synchronous=FULL`: the log is fsynced at every commit); a
failed one left nothing. See https://www.sqlite.org/wal.html and https://www.sqlite.org/rescode.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jepanet.errors import Exit, Fatal, JepanetError, Transient
from jepanet.files import FULL, sync_directory
from jepanet.storage.upgrades.backup import keep_copy
from jepanet.telemetry import get_logger

log = get_logger("storage")
Row = tuple[Any, ...]
"""Values of the columns that a query names, in its order; their types are the schema's."""

BUSY_MILLISECONDS = 5_000
"""How long a statement waits for another program (a backup, an inspection) that holds the file."""
_LOG_LIMIT_BYTES = 64 << 20
# EFBIG and EDQUOT reach SQLite as a failed write, not as "full".
_FULL_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
_BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CALLER_ERRORS = (sqlite3.ProgrammingError, sqlite3.InterfaceError)


Migration = tuple[str, ...] | Callable[[sqlite3.Connection], None]
"""Statements, or a function that runs them; inside a transaction."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file holds. `migrations[n]` takes it from `user_version` n to n + 1; entries never change.

    `remedy` tells the operator what to do when the file is damaged.
    """

    what: str
    application_id: int
    migrations: tuple[Migration, ...]
    remedy: str


class Database:
    """An open file. Any thread may call; calls run one at a time.

    Raises (constructor):
        Fatal: another process has it open (`ALREADY_RUNNING`), it is newer than this program or belongs to
            another one (`INCOMPATIBLE`), it is damaged, the disk is full, or it cannot be created.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._schema = schema
        self._mutex = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._cannot_open(error) from error
        self._owner = self._take_ownership()
        connection: sqlite3.Connection | None = None
        try:
            # Created here, not by SQLite, so that others can never read it or its WAL: it holds salts.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            connection = sqlite3.connect(
                path, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            self._prepare()
            sync_directory(path.parent)
        except BaseException as error:
            if connection is not None:
                connection.close()
            self._owner.release()
            if isinstance(error, sqlite3.Error):
                raise self._explained(error) from error
            if isinstance(error, OSError):
                raise self._cannot_open(error) from error
            raise

    def close(self) -> None:
        """Folds the log into the file and lets another process open it. Closing twice is harmless."""
        with self._mutex:
            self._connection.close()
            self._owner.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block or, on any error, none of them. Not to be nested.

        Raises:
            Fatal: disk full, unreadable or damaged file.
            Transient: another program kept the file locked for `BUSY_MILLISECONDS`.
            ValueError: a row breaks a constraint of the schema.
        """
        with self._mutex:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    # SQLite rolls back by itself on some errors (a full disk among them).
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def rows(self, query: str, arguments: Sequence[object] = ()) -> list[Row]:
        """Every row of a reading query. Raises as `transaction` does."""
        with self._mutex:
            try:
                return self._connection.execute(query, arguments).fetchall()
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def row(self, query: str, arguments: Sequence[object] = ()) -> Row | None:
        """The first row of a reading query, or None."""
        found = self.rows(query, arguments)
        return found[0] if found else None

    def _take_ownership(self) -> FileLock:
        # Not thread local: the thread that closes the journal need not be the one that opened it.
        lock = FileLock(self.path.with_name(self.path.name + ".lock"), timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise Fatal(
                f"the {self._schema.what} {self.path} is in use by another process",
                remedy="stop the other node, or give this one its own data directory",
                code=Exit.ALREADY_RUNNING,
            ) from error
        except OSError as error:
            raise self._cannot_open(error) from error
        return lock

    def _prepare(self) -> None:
        run = self._connection.execute
        found = run("PRAGMA application_id").fetchone()[0]
        version = run("PRAGMA user_version").fetchone()[0]
        empty = run("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if found != self._schema.application_id and not (found == 0 and version == 0 and empty):
            raise Fatal(
                f"{self.path} is a database of another program, not a {self._schema.what}",
                remedy="name another data directory",
                code=Exit.INCOMPATIBLE,
            )
        if version > len(self._schema.migrations):
            raise Fatal(
                f"the {self._schema.what} {self.path} has schema {version}; this program knows up to "
                f"{len(self._schema.migrations)}",
                remedy="install the newer jepanet that wrote it",
                code=Exit.INCOMPATIBLE,
            )
        if run("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Fatal(
                f"{self.path.parent} does not support the write-ahead log",
                remedy="keep the data directory on a local disk, not on a network share",
                code=Exit.CONFIG,
            )
        run("PRAGMA synchronous = FULL")
        run("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the platter
        run("PRAGMA checkpoint_fullfsync = ON")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA trusted_schema = OFF")
        run(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
        verdict = run("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise self._damaged(str(verdict))
        orphan = run("PRAGMA foreign_key_check").fetchone()
        if orphan is not None:
            raise self._damaged(f"a row of table {orphan[0]} refers to a missing row of {orphan[2]}")
        self._migrate(version)

    def _migrate(self, version: int) -> None:
        """From schema `version` to the newest in one transaction; a copy of an older file is kept first."""
        steps = self._schema.migrations[version:]
        if not steps:
            return
        copy = keep_copy(self._connection, self.path, version) if version else None
        with self.transaction() as sql:
            for step in steps:
                if callable(step):
                    step(sql)
                    continue
                for statement in step:
                    sql.execute(statement)
            sql.execute(f"PRAGMA application_id = {self._schema.application_id}")
            sql.execute(f"PRAGMA user_version = {len(self._schema.migrations)}")
        if copy is not None:
            log.info("schema.upgraded", file=str(self.path), was=version,
                     now=len(self._schema.migrations), backup=str(copy))  # fmt: skip

    def _explained(self, error: sqlite3.Error) -> JepanetError | ValueError | sqlite3.Error:
        """The same failure in terms of who must act; a caller's mistake stays what it is."""
        what, code = self._schema.what, getattr(error, "sqlite_errorcode", 0)
        if isinstance(error, sqlite3.IntegrityError):
            return ValueError(f"{what}: {error}")
        if isinstance(error, _CALLER_ERRORS):
            return error
        if code in _FULL_CODES or code & 0xFF == sqlite3.SQLITE_FULL:
            return Fatal(
                f"no room to write the {what} {self.path} ({error}); nothing of this step was kept",
                remedy=f"free space (or lift the quota) on the disk of {self.path.parent}, then start again",
                code=Exit.DISK_FULL,
            )
        if code & 0xFF in _BUSY_CODES:
            return Transient(f"another program keeps the {what} {self.path} locked")
        if code & 0xFF in _DAMAGED_CODES:
            return self._damaged(str(error))
        return Fatal(
            f"the {what} {self.path} cannot be read or written: {error}",
            remedy=f"check the permissions and the disk of {self.path.parent}",
            code=Exit.CONFIG,
        )

    def _damaged(self, detail: str) -> Fatal:
        return Fatal(
            f"the {self._schema.what} {self.path} is damaged: {detail}",
            remedy=self._schema.remedy,
            code=Exit.DAMAGED,
        )

    def _cannot_open(self, error: OSError) -> Fatal:
        return Fatal(
            f"the {self._schema.what} {self.path} cannot be opened: {error}",
            remedy="check that the data directory exists, has free space and belongs to this user",
            code=Exit.DISK_FULL if error.errno in FULL else Exit.CONFIG,
        )


def stored_meta(path: Path, name: str) -> str | None:
    """One value of a database's `meta` table, read beside whoever holds it; None if it cannot be read."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None
