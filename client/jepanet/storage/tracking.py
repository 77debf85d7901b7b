"""The numbers of a training by hand, step by step: one SQLite file, which outlives kills and can be queried.

SELECT step, value FROM points WHERE name = 'validation' ORDER BY step
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from jepanet.storage.database import Database, Schema

TRACKING = Schema(
    what="tracking file",
    application_id=0x6A657074,  # "jept"
    migrations=(
        (
            """CREATE TABLE training (
                run BLOB PRIMARY KEY CHECK (length(run) = 32),
                about TEXT NOT NULL,
                status TEXT NOT NULL
            ) STRICT, WITHOUT ROWID""",
            """CREATE TABLE points (
                step INTEGER NOT NULL,
                name TEXT NOT NULL,
                value REAL NOT NULL,
                PRIMARY KEY (name, step)
            ) STRICT, WITHOUT ROWID""",
        ),
    ),
    remedy="delete it: the curves of the training are lost, its checkpoints are not",
)
RUNNING = "running"

Point = tuple[int, Mapping[str, float]]
"""A step, and what was measured at it by name."""
Curves = dict[str, list[tuple[int, float]]]
"""By name: steps and values, in ascending order of steps."""


class Tracking:
    """One training's numbers. Its lock file makes one process the owner.

    Raises (constructor):
        Fatal: as `Database`; `ALREADY_RUNNING` while another process trains into the same folder.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, TRACKING)

    def close(self) -> None:
        self._db.close()

    def begin(self, run: bytes, about: str) -> str | None:
        """Notes the training `run` (32 bytes) and what it is, JSON; its status if it was begun before.

        Raises:
            ValueError: the file is of another training.
        """
        found = self._db.row("SELECT run, status FROM training")
        if found is not None:
            if bytes(found[0]) != run:
                raise ValueError("another training")
            return str(found[1])
        with self._db.transaction() as sql:
            sql.execute("INSERT INTO training VALUES (?, ?, ?)", (run, about, RUNNING))
        return None

    def add(self, points: Iterable[Point]) -> None:
        """Adds measurements; a step that is done again after a kill replaces what it said before."""
        rows = [(step, name, float(value)) for step, measures in points for name, value in measures.items()]
        with self._db.transaction() as sql:
            sql.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", rows)

    def end(self, status: str) -> None:
        """Notes how the training ended."""
        with self._db.transaction() as sql:
            sql.execute("UPDATE training SET status = ?", (status,))

    def curves(self) -> Curves:
        """Every number so far."""
        found: Curves = {}
        for name, step, value in self._db.rows("SELECT name, step, value FROM points ORDER BY name, step"):
            found.setdefault(name, []).append((step, value))
        return found
