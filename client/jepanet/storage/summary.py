"""What a journal holds, read beside whoever has it open: for people who look for a fault."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from jepanet.nesting import Json

_MOST_DUTIES = 200
_TABLES = (
    "blocks",
    "events",
    "fed",
    "snapshots",
    "outbox",
    "intents",
    "salts",
    "drawn_salts",
    "signatures",
    "notes",
)
_SECRETS = (
    "SELECT salt FROM salts",
    "SELECT salt FROM drawn_salts",
    "SELECT digest FROM salts",
)


def summary_of(path: Path) -> Json:
    """Bytes, schema, rows of each table, cursor, and duties that are open or were given up; no salt, digest,
    signature or transaction. A sentence where it cannot be read."""
    if not path.is_file():
        return "there is no journal"
    found: dict[str, Json] = {"bytes": path.stat().st_size}
    try:
        with contextlib.closing(_reading(path)) as database:
            found["schema"] = database.execute("PRAGMA user_version").fetchone()[0]
            there = {
                row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            }
            found["rows"] = {
                name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
                for name in _TABLES
                if name in there
            }
            found["meta"] = dict(database.execute("SELECT name, value FROM meta").fetchall())
            found["duties"] = [
                {"duty": tag, "round": round_id, "state": state, "attempts": attempts, "error": error}
                for tag, round_id, state, attempts, error in database.execute(
                    "SELECT tag, round_id, state, attempts, error FROM outbox WHERE state <> 'done' "
                    "ORDER BY position DESC LIMIT ?",
                    (_MOST_DUTIES,),
                )
            ]
    except sqlite3.Error as error:
        found["unreadable"] = str(error)
    return found


def secret_bytes(path: Path) -> set[bytes]:
    """Salts, and digests of sealed deltas, of a journal; none where it cannot be read."""
    found: set[bytes] = set()
    if not path.is_file():
        return found
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_reading(path)) as database:
        for query in _SECRETS:
            with contextlib.suppress(sqlite3.OperationalError):  # an older schema has no such table
                found |= {bytes(row[0]) for row in database.execute(query)}
    return found


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
