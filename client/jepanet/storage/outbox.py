"""Duties waiting to be carried out, each at least once: every handler first checks whether its duty is done.

pending --record(done=...)--> done          pending --reject--> rejected --take_up--> pending
   ^------postpone (later)                  done --rewind_facts(reoffer=...)--> pending

When a failed duty is tried again is the engine's business: a wait is no date, so none is stored, and what
is pending is due at every start.
"""

from __future__ import annotations

from typing import cast

from jepanet.storage.database import Database, Row
from jepanet.storage.rows import DutyState, OutboxRow

_EVERYTHING = "SELECT key, tag, payload, round_id, state, attempts, error FROM outbox"


class Outbox:
    """Reading the outbox and noting failures; duties enter and finish through `Journal.record`."""

    _db: Database

    def pending(self) -> list[OutboxRow]:
        """Commands neither done nor rejected, in the order they were given."""
        return _rows(self._db.rows(f"{_EVERYTHING} WHERE state = 'pending' ORDER BY position"))

    def outbox(self, round_id: int | None = None) -> list[OutboxRow]:
        """Every duty (of one round), in the order they were given."""
        if round_id is None:
            return _rows(self._db.rows(f"{_EVERYTHING} ORDER BY position"))
        return _rows(self._db.rows(f"{_EVERYTHING} WHERE round_id = ? ORDER BY position", (round_id,)))

    def duty_state(self, key: str) -> DutyState | None:
        """How far a duty got; None when it was never given."""
        found = self._db.row("SELECT state FROM outbox WHERE key = ?", (key,))
        return None if found is None else cast(DutyState, found[0])

    def postpone(self, key: str, error: str) -> None:
        """Notes a failed attempt; it stays pending. A duty already done or rejected stays so."""
        self._fail(
            "UPDATE outbox SET attempts = attempts + 1, error = ? WHERE key = ? AND state = 'pending'",
            (error, key),
        )

    def reject(self, key: str, error: str) -> None:
        """Gives a duty up for good, with the reason. A duty already done stays done."""
        self._fail(
            "UPDATE outbox SET attempts = attempts + 1, error = ?, state = 'rejected' "
            "WHERE key = ? AND state = 'pending'",
            (error, key),
        )

    def take_up(self, key: str) -> None:
        """Makes a duty that was given up pending again, as if it was never tried; another stays so."""
        with self._db.transaction() as sql:
            sql.execute(
                "UPDATE outbox SET attempts = 0, error = NULL, state = 'pending' "
                "WHERE key = ? AND state = 'rejected'",
                (key,),
            )

    def _fail(self, statement: str, arguments: tuple[str, str]) -> None:
        key = arguments[-1]
        with self._db.transaction() as sql:
            if sql.execute(statement, arguments).rowcount == 0 and self.duty_state(key) is None:
                raise ValueError(f"no duty has the key {key!r}")


def _rows(found: list[Row]) -> list[OutboxRow]:
    return [OutboxRow(*row) for row in found]
