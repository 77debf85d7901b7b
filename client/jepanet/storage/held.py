"""A journal that was copied: held until its operator says what became of the one it was copied from.

Two nodes that run from one journal sign two results for one round, which costs the stake. So the copy in a
backup says that it is one, and a node does not start on it. `release` lets it start; what the other one may
have signed meanwhile is not signed again.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.storage.database import Database

HELD = "held"
_SIGNS_AFTER = "signs_after"


@dataclass(frozen=True, slots=True)
class Hold:
    """Which copy this is: made at `made` (unix seconds); `stopped`: its node did not run then."""

    made: int
    stopped: bool


def mark_held(sql: sqlite3.Connection, hold: Hold) -> None:
    """Writes into a copy, of any schema, that it is one. The caller commits.

    The copy of a copy stays that of the first: nothing is known of the node that ran.
    """
    sql.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (HELD, json.dumps(asdict(hold))),
    )


def may_sign(sql: sqlite3.Connection, what: str, round_id: int) -> None:
    """Raises: Rejected: `restored`: the node that this journal was copied from may have signed it before."""
    found = sql.execute("SELECT value FROM meta WHERE name = ?", (_SIGNS_AFTER,)).fetchone()
    if found is not None and round_id <= int(found[0]):
        raise Rejected(
            f"this node was restored from a backup while round {round_id} was open, and may have signed "
            f"another {what} for it before; signing two would be slashed",
            reason="restored",
        )


def held_error(journal: Path) -> Fatal:
    """What to say where a journal is held."""
    return Fatal(
        f"{journal.parent} was restored from a backup; two copies of one node must never run",
        remedy="make sure that the node it was copied from will not run again, then call "
        "jepanet node release --config FILE --moved (it was stopped before the backup was made), or --lost",
        code=Exit.HELD,
    )


class Held:
    """Whether a journal waits for its operator."""

    _db: Database

    def hold(self) -> Hold | None:
        """Which copy this is; None: it is none, or was released.

        Raises: Fatal: the journal does not say it as this program writes it (exit code `DAMAGED`).
        """
        found = self._db.row("SELECT value FROM meta WHERE name = ?", (HELD,))
        if found is None:
            return None
        try:
            tree = json.loads(found[0])
            return Hold(int(tree["made"]), bool(tree["stopped"]))
        except (ValueError, TypeError, KeyError) as error:
            raise Fatal(
                f"the journal {self._db.path} is held, and does not say since when",
                remedy="restore the backup again",
                code=Exit.DAMAGED,
            ) from error

    def expect_released(self) -> None:
        """Raises: Fatal: the journal is a copy that nobody released (exit code `HELD`)."""
        if self.hold() is not None:
            raise held_error(self._db.path)

    def release(self, *, signs_after: int | None) -> None:
        """Lets a node start. `signs_after`: nothing more is signed for rounds up to this one."""
        with self._db.transaction() as sql:
            sql.execute("DELETE FROM meta WHERE name = ?", (HELD,))
            if signs_after is not None:
                sql.execute(
                    "INSERT INTO meta (name, value) VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET "
                    "value = CAST(max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) AS TEXT)",
                    (_SIGNS_AFTER, str(signs_after)),
                )
