"""This node's copy of the canonical chain: block headers and the events of its contracts, each stored once.

A step of the follower is one transaction, so the copy is always one fork, never a mixture. When a step
takes blocks away that the machine has already been fed, the same transaction takes back what it was fed from
them, and notes that the machine must be rewound (`rewind_due`): a crash between the two cannot hide it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from jepanet.errors import Exit, Fatal
from jepanet.storage.database import Database
from jepanet.storage.rows import StoredBlock, StoredEvent

_END = 2**63 - 1
_PAGE_OF_EVENTS = 512
_FORGOTTEN = "forgotten_below"
"""In the meta table: of blocks with lower numbers, those without events are gone."""


class ChainCopy:
    """Blocks and events. Blocks link to their parents wherever both are stored."""

    _db: Database

    def apply_step(
        self, *, rewind_to: int | None, blocks: Sequence[tuple[StoredBlock, Sequence[StoredEvent]]]
    ) -> None:
        """Drops everything above block `rewind_to` (None: nothing), then adds `blocks`, in one transaction.

        Blocks and events already stored are left as they are, so a step may be applied twice.

        Raises:
            ValueError: an event does not belong to its block, or a field has the wrong length.
            Fatal: a block contradicts the stored chain (another hash at its height, or a broken parent link).
        """
        with self._db.transaction() as sql:
            if rewind_to is not None:
                _drop_above(sql, rewind_to)
            for block, events in blocks:
                _add_block(sql, block)
                for event in events:
                    _add_event(sql, block, event)

    def rewind_due(self) -> int | None:
        """The block to which the machine must be rewound because later ones it was fed left the chain.

        None: the machine's state agrees with the stored chain. `rewind_facts` settles the debt; until then
        `record` takes nothing from the chain.
        """
        found = self._db.row("SELECT value FROM meta WHERE name = 'rewind'")
        return None if found is None else int(found[0])

    def trail(self, limit: int = 256, *, below: int | None = None) -> list[StoredBlock]:
        """The last `limit` stored blocks, of those below number `below` if given, oldest first.

        There may be gaps between them, where blocks without logs were never read or are forgotten.
        """
        rows = self._db.rows(
            "SELECT number, hash, parent, timestamp FROM blocks WHERE number < ? "
            "ORDER BY number DESC LIMIT ?",
            (_END if below is None else below, limit),
        )
        return [StoredBlock(*row) for row in reversed(rows)]

    def head(self) -> StoredBlock | None:
        """The highest stored block."""
        newest = self.trail(1)
        return newest[0] if newest else None

    def blocks_between(self, first: int, last: int) -> list[StoredBlock]:
        """Stored blocks with `first <= number <= last`, in order."""
        rows = self._db.rows(
            "SELECT number, hash, parent, timestamp FROM blocks WHERE number BETWEEN ? AND ? ORDER BY number",
            (first, last),
        )
        return [StoredBlock(*row) for row in rows]

    def events(self, first: int = 0, last: int | None = None) -> list[StoredEvent]:
        """Events of blocks `first` to `last` (None: the head), both included, by block and log index."""
        rows = self._db.rows(
            "SELECT block_number, log_index, tag, payload FROM events "
            "WHERE block_number BETWEEN ? AND ? ORDER BY block_number, log_index",
            (first, _END if last is None else last),
        )
        return [StoredEvent(*row) for row in rows]

    def each_event(self, last: int) -> Iterator[StoredEvent]:
        """Events up to block `last` in the order of `events`, read page by page as it advances: however many
        there are, a page of them is held at once."""
        after = (-1, -1)
        while page := self._db.rows(
            "SELECT block_number, log_index, tag, payload FROM events "
            "WHERE (block_number, log_index) > (?, ?) AND block_number <= ? "
            "ORDER BY block_number, log_index LIMIT ?",
            (*after, last, _PAGE_OF_EVENTS),
        ):
            yield from (StoredEvent(*row) for row in page)
            after = page[-1][:2]

    def forget_from(self, first: int) -> tuple[int, int]:
        """Drops block `first` and everything above, to be read from the chain again with its logs proven.

        Returns:
            How many blocks and events were dropped.
        """
        with self._db.transaction() as sql:
            (blocks, newest) = sql.execute(
                "SELECT count(*), max(number) FROM blocks WHERE number >= ?", (first,)
            ).fetchone()
            (events,) = sql.execute(
                "SELECT count(*) FROM events WHERE block_number >= ?", (first,)
            ).fetchone()
            if blocks:
                _drop_above(sql, first - 1)
                _prove_until(sql, newest)
        return blocks, events

    def forget_empty_blocks(self, *, kept: int, at_once: int) -> int:
        """Drops old blocks without events, and that the machine was fed them; returns how many.

        They tell the time and nothing else, and a chain makes millions of them in a year. What may still be
        rewound or replayed stays: the newest `kept` below the cursor, and whatever the oldest snapshot has
        not seen. Looks at `at_once` blocks and goes on from there in the next call.
        """
        with self._db.transaction() as sql:
            cursor = read_number(sql, "cursor")
            (seen,) = sql.execute("SELECT min(seq) FROM snapshots").fetchone()
            if cursor is None or seen is None or read_number(sql, "rewind") is not None:
                return 0
            last = cursor - kept
            (unseen,) = sql.execute("SELECT min(block_number) FROM fed WHERE seq > ?", (seen,)).fetchone()
            if unseen is not None:
                last = min(last, unseen - 1)
            looked_at = sql.execute(
                "SELECT number FROM blocks WHERE number BETWEEN ? AND ? ORDER BY number LIMIT ?",
                (read_number(sql, _FORGOTTEN) or 0, last, at_once),
            ).fetchall()
            if not looked_at:
                return 0
            reach = (looked_at[0][0], looked_at[-1][0])
            sql.execute(
                "DELETE FROM fed WHERE block_number BETWEEN ? AND ? AND log_index IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM events WHERE events.block_number = fed.block_number)",
                reach,
            )
            dropped = sql.execute(
                "DELETE FROM blocks WHERE number BETWEEN ? AND ? "
                "AND NOT EXISTS (SELECT 1 FROM events WHERE events.block_number = blocks.number)",
                reach,
            ).rowcount
            write_number(sql, _FORGOTTEN, reach[1] + 1)
            return dropped

    def prove_until(self, number: int) -> None:
        """Notes that blocks up to this number are to be read one by one, also after a crash or a restart."""
        with self._db.transaction() as sql:
            _prove_until(sql, number)

    def proven_until(self) -> int:
        """The highest number ever given to `prove_until` or dropped by `forget_from`; -1 without one."""
        found = self._db.row("SELECT value FROM meta WHERE name = 'proven_until'")
        return -1 if found is None else int(found[0])


def read_number(sql: sqlite3.Connection, name: str) -> int | None:
    """A number kept in the meta table."""
    found = sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if found is None else int(found[0])


def write_number(sql: sqlite3.Connection, name: str, value: int) -> None:
    """Sets a number kept in the meta table."""
    sql.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, str(value)),
    )


def take_back_fed(sql: sqlite3.Connection, number: int) -> None:
    """Deletes what the machine was fed from blocks above `number`, and every snapshot that had seen it."""
    (first,) = sql.execute("SELECT min(seq) FROM fed WHERE block_number > ?", (number,)).fetchone()
    if first is not None:
        sql.execute("DELETE FROM fed WHERE block_number > ?", (number,))
        sql.execute("DELETE FROM snapshots WHERE seq >= ?", (first,))


def _drop_above(sql: sqlite3.Connection, number: int) -> None:
    take_back_fed(sql, number)
    sql.execute("DELETE FROM blocks WHERE number > ?", (number,))
    forgotten = read_number(sql, _FORGOTTEN)
    if forgotten is not None and number < forgotten:
        write_number(sql, _FORGOTTEN, number)  # what is read again is looked at again
    cursor = read_number(sql, "cursor")
    if cursor is not None and number < cursor:
        due = read_number(sql, "rewind")
        write_number(sql, "rewind", number if due is None else min(due, number))


def _prove_until(sql: sqlite3.Connection, number: int) -> None:
    known = read_number(sql, "proven_until")
    write_number(sql, "proven_until", number if known is None else max(known, number))


def _add_block(sql: sqlite3.Connection, block: StoredBlock) -> None:
    near = dict(
        sql.execute(
            "SELECT number, CASE WHEN number > ? THEN parent ELSE hash END FROM blocks "
            "WHERE number BETWEEN ? AND ?",
            (block.number, block.number - 1, block.number + 1),
        ).fetchall()
    )
    expected = {block.number - 1: block.parent, block.number: block.hash, block.number + 1: block.hash}
    for number, stored in near.items():
        if stored != expected[number]:
            raise Fatal(
                f"block {block.number} (0x{block.hash.hex()}) contradicts the stored chain at {number}",
                remedy="start again: the node re-reads the chain from its last stored block; if it repeats, "
                "the endpoints disagree, so use others",
                code=Exit.WRONG_CHAIN,
            )
    if block.number not in near:
        sql.execute(
            "INSERT INTO blocks (number, hash, parent, timestamp) VALUES (?, ?, ?, ?)",
            (block.number, block.hash, block.parent, block.timestamp),
        )


def _add_event(sql: sqlite3.Connection, block: StoredBlock, event: StoredEvent) -> None:
    if event.block_number != block.number:
        raise ValueError(f"event {event.log_index} names another block than {block.number}")
    sql.execute(
        "INSERT INTO events (block_number, log_index, tag, payload) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (block_number, log_index) DO NOTHING",
        (event.block_number, event.log_index, event.tag, event.payload),
    )
