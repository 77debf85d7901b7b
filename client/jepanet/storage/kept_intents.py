"""Transaction intents: what a sender means to send, kept first, so that a crash never sends it twice."""

from __future__ import annotations

import json

from jepanet.intents import OPEN_STATES, Intent, IntentState
from jepanet.storage.database import Row
from jepanet.storage.journal import Journal

_COLUMNS = (
    "key, sender, chain_id, nonce, receiver, data, value, gas, max_fee, max_priority_fee, hashes, raws, "
    "state, block_number, error, created"
)
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ") if name != "key")


class JournalIntents:
    """The intents table of a journal: the `IntentStore` of a sender."""

    def __init__(self, journal: Journal) -> None:
        self._db = journal.database

    def put(self, intent: Intent) -> None:
        """Keeps an intent, replacing the one with its key; it is on the disk when this returns.

        Raises:
            ValueError: the key belongs to another sender or chain.
        """
        with self._db.transaction() as sql:
            changed = sql.execute(
                f"INSERT INTO intents ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
                f"ON CONFLICT (key) DO UPDATE SET {_UPDATES} "
                "WHERE sender = excluded.sender AND chain_id = excluded.chain_id",
                (
                    intent.key,
                    intent.sender,
                    intent.chain_id,
                    intent.nonce,
                    intent.to,
                    intent.data,
                    str(intent.value),
                    intent.gas,
                    str(intent.max_fee),
                    str(intent.max_priority_fee),
                    _pack(intent.hashes),
                    _pack(intent.raws),
                    intent.state,
                    intent.block_number,
                    intent.error,
                    intent.created,
                ),
            ).rowcount
            if not changed:
                raise ValueError(f"intent {intent.key!r} belongs to another sender or chain")

    def get(self, key: str) -> Intent | None:
        """The intent with that key."""
        found = self._db.row(f"SELECT {_COLUMNS} FROM intents WHERE key = ?", (key,))  # noqa: S608
        return None if found is None else self._built(found)

    def intents(self, sender: str) -> list[Intent]:
        """Every intent of a sender, in the order they were first put."""
        query = f"SELECT {_COLUMNS} FROM intents WHERE sender = ? ORDER BY position"  # noqa: S608
        return [self._built(row) for row in self._db.rows(query, (sender,))]

    def has_open(self, prefix: str) -> bool:
        """Whether an intent whose key begins so is neither mined nor failed."""
        found = self._db.row(
            "SELECT EXISTS (SELECT 1 FROM intents WHERE substr(key, 1, ?) = ? AND state IN (?, ?))",
            (len(prefix), prefix, *sorted(OPEN_STATES)),
        )
        return found is not None and bool(found[0])

    def page(self, sender: str, *, before: int | None, most: int) -> list[tuple[int, Intent]]:
        """At most `most` intents of a sender, the newest first, each with its place; only places below
        `before`."""
        query = (
            f"SELECT position, {_COLUMNS} FROM intents "  # noqa: S608
            "WHERE sender = ? AND (? IS NULL OR position < ?) ORDER BY position DESC LIMIT ?"
        )
        rows = self._db.rows(query, (sender, before, before, most))
        return [(row[0], self._built(row[1:])) for row in rows]

    def _built(self, row: Row) -> Intent:
        (key, sender, chain_id, nonce, to, data, value, gas, max_fee, max_priority_fee, *rest) = row
        hashes, raws, state, block_number, error, created = rest
        return Intent(
            key=key,
            sender=sender,
            chain_id=chain_id,
            nonce=nonce,
            to=to,
            data=data,
            value=int(value),
            gas=gas,
            max_fee=int(max_fee),
            max_priority_fee=int(max_priority_fee),
            hashes=_unpack(hashes),
            raws=_unpack(raws),
            state=IntentState(state),
            block_number=block_number,
            error=error,
            created=created,
        )


def _pack(items: tuple[bytes, ...]) -> str:
    return json.dumps([item.hex() for item in items])


def _unpack(text: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(item) for item in json.loads(text))
