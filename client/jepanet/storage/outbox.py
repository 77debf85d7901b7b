"""Commands waiting to be carried out. Delivery is at least once: every handler first asks "already done?".

pending --record(done=...)--> done          pending --reject--> rejected
   ^------postpone (later)                  done --rewind_inputs(reoffer=...)--> pending
"""

from __future__ import annotations

from typing import Any, cast

from jepanet.storage.database import Database
from jepanet.storage.rows import CommandState, OutboxRow

_EVERYTHING = "SELECT key, tag, payload, round_id, state, attempts, not_before, error FROM outbox"


class Outbox:
    """Reading the outbox and noting failures; commands enter and finish through `Journal.record`."""

    _db: Database

    def pending(self, now: float) -> list[OutboxRow]:
        """Commands due at `now` (unix seconds), in the order they were given."""
        due = f"{_EVERYTHING} WHERE state = 'pending' AND not_before <= ? ORDER BY position"
        return _rows(self._db.rows(due, (now,)))

    def next_due(self) -> float | None:
        """When the next pending command is due (unix seconds; may be past), None when none is pending."""
        found = self._db.row("SELECT min(not_before) FROM outbox WHERE state = 'pending'")
        return None if found is None or found[0] is None else float(found[0])

    def outbox(self, round_id: int | None = None) -> list[OutboxRow]:
        """Every command (of one round), in the order they were given."""
        if round_id is None:
            return _rows(self._db.rows(f"{_EVERYTHING} ORDER BY position"))
        return _rows(self._db.rows(f"{_EVERYTHING} WHERE round_id = ? ORDER BY position", (round_id,)))

    def command_state(self, key: str) -> CommandState | None:
        """How far a command got; None when it was never given."""
        found = self._db.row("SELECT state FROM outbox WHERE key = ?", (key,))
        return None if found is None else cast(CommandState, found[0])

    def postpone(self, key: str, error: str, not_before: float) -> None:
        """Notes a failed attempt and when to try again. A command already done or rejected stays so."""
        self._fail(
            "UPDATE outbox SET attempts = attempts + 1, error = ?, not_before = ? "
            "WHERE key = ? AND state = 'pending'",
            (error, not_before, key),
        )

    def reject(self, key: str, error: str) -> None:
        """Gives a command up for good, with the reason. A command already done stays done."""
        self._fail(
            "UPDATE outbox SET attempts = attempts + 1, error = ?, state = 'rejected' "
            "WHERE key = ? AND state = 'pending'",
            (error, key),
        )

    def _fail(self, statement: str, arguments: tuple[Any, ...]) -> None:
        key = arguments[-1]
        with self._db.transaction() as sql:
            if sql.execute(statement, arguments).rowcount == 0 and self.command_state(key) is None:
                raise ValueError(f"no command has the key {key!r}")


def _rows(found: list[tuple[Any, ...]]) -> list[OutboxRow]:
    return [OutboxRow(*row) for row in found]
