"""The journal: everything a node must still know after a kill -9, in one SQLite file.

    follower step ──apply_step──▶ blocks, events
    fact ─▶ transition ──record──▶ fed + duties + cursor     (one transaction, before anything acts)
    restart: latest_snapshot, replay facts(after its seq), offer pending() again

Methods are short and synchronous; any thread may call, one call runs at a time. Every one may raise `Fatal`
(full disk, damaged file) and `Transient` (another program holds the file): see `Database.transaction`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from jepanet.errors import Exit, Fatal
from jepanet.storage.chain_copy import ChainCopy, read_number, take_back_fed, write_number
from jepanet.storage.database import Database, stored_meta
from jepanet.storage.held import HELD, Held
from jepanet.storage.outbox import Outbox
from jepanet.storage.rows import (
    DutyState,
    OutboxRow,
    Place,
    StoredBlock,
    StoredDuty,
    StoredEvent,
    StoredFact,
)
from jepanet.storage.rows import StoredResidual as StoredResidual
from jepanet.storage.rows import StoredSalt as StoredSalt
from jepanet.storage.safe import Safe
from jepanet.storage.schema import journal_schema
from jepanet.storage.upgrades.events_once import ReadLog

__all__ = [
    "DutyState",
    "Journal",
    "OutboxRow",
    "Place",
    "StoredBlock",
    "StoredDuty",
    "StoredEvent",
    "StoredFact",
    "StoredResidual",
    "StoredSalt",
]

SNAPSHOTS_KEPT = 3
_PAGE_OF_FACTS = 512
_LAST_SEQ = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'fed'), 0)"
_FED = """
    SELECT seq, fed.block_number, fed.log_index, coalesce(events.tag, fed.tag),
        coalesce(events.payload, fed.payload), hash, parent, timestamp
    FROM fed
    LEFT JOIN events ON events.block_number = fed.block_number AND events.log_index = fed.log_index
    LEFT JOIN blocks ON blocks.number = fed.block_number AND fed.log_index IS NULL
    WHERE seq > ? ORDER BY seq LIMIT ?"""


class Journal(ChainCopy, Outbox, Safe, Held):
    """One open journal; see the base classes for the chain copy, the outbox, the safe and copies."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(cls, path: Path, read_log: ReadLog | None = None) -> Self:
        """Opens or creates the journal at `path`, converts an older one and becomes its only owner.

        A copy of an older one is kept beside it first (`upgrades.backup`).

        Args:
            read_log: reads the logs that versions before schema 4 stored undecoded. Without it a journal that
                holds any is refused.

        Raises:
            Fatal: in use (`ALREADY_RUNNING`), newer or foreign (`INCOMPATIBLE`), damaged, no room
                (`DISK_FULL`), or not creatable (`CONFIG`).
        """
        return cls(Database(path, journal_schema(read_log)))

    def close(self) -> None:
        """Lets another process open the journal."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def database(self) -> Database:
        """The file itself, for the stores that keep their own table in it (`JournalIntents`)."""
        return self._db

    def bind(self, deployment: str) -> None:
        """Ties the journal to one deployment (chain id and contract) at first use, checks it ever after.

        Raises:
            Fatal: the journal belongs to another deployment (`WRONG_CHAIN`): its salts and rounds do too.
        """
        with self._db.transaction() as sql:
            sql.execute(
                "INSERT INTO meta (name, value) VALUES ('deployment', ?) ON CONFLICT (name) DO NOTHING",
                (deployment,),
            )
            (stored,) = sql.execute("SELECT value FROM meta WHERE name = 'deployment'").fetchone()
            if stored != deployment:
                raise Fatal(
                    f"the journal {self._db.path} belongs to deployment {stored}, not to {deployment}",
                    remedy="give each deployment its own data directory",
                    code=Exit.WRONG_CHAIN,
                )

    @staticmethod
    def deployment_of(path: Path) -> str | None:
        """The deployment a journal file is tied to, read without opening it: None if it says none."""
        return stored_meta(path, "deployment")

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether a journal file is a copy that nobody released, read without opening it."""
        return stored_meta(path, HELD) is not None

    def record(
        self,
        facts: Sequence[StoredFact | Place],
        duties: Sequence[StoredDuty],
        *,
        cursor: int | None = None,
        done: Collection[str] = (),
    ) -> None:
        """Stores facts, the duties they led to and the chain cursor in one transaction.

        Args:
            facts: appended in order to what the machine was fed; those from the chain by their place in the
                chain copy.
            duties: entered as pending. A key already known stays as it is, unless it is done: the machine
                names a duty twice only after it was rewound, when its effect may be gone.
            cursor: number of the last block whose logs the machine has been fed; never moves back here.
            done: keys of duties that are carried out.

        Raises:
            ValueError: an unknown key in `done`, a cursor that moves back, a place that the chain copy does
                not hold, or a fact from the chain while `rewind_due`.
        """
        with self._db.transaction() as sql:
            from_chain = cursor is not None or any(isinstance(item, Place) for item in facts)
            if from_chain and read_number(sql, "rewind") is not None:
                raise ValueError("the chain was rewound below the cursor: call rewind_facts first")
            sql.executemany(
                "INSERT INTO fed (block_number, log_index, tag, payload) VALUES (?, ?, ?, ?)",
                [
                    (item.block_number, item.log_index, None, None)
                    if isinstance(item, Place)
                    else (None, None, item.tag, item.payload)
                    for item in facts
                ],
            )
            sql.executemany(
                "INSERT INTO outbox (key, tag, payload, round_id) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET state = 'pending', attempts = 0, error = NULL "
                "WHERE state = 'done'",
                [(item.key, item.tag, item.payload, item.round_id) for item in duties],
            )
            for key in done:
                finished = sql.execute(
                    "UPDATE outbox SET state = 'done', error = NULL WHERE key = ?", (key,)
                ).rowcount
                if not finished:
                    raise ValueError(f"no duty has the key {key!r}")
            if cursor is not None:
                reached = read_number(sql, "cursor")
                if reached is not None and cursor < reached:
                    raise ValueError(f"the cursor stands at block {reached} and cannot go back to {cursor}")
                write_number(sql, "cursor", cursor)

    def cursor(self) -> int | None:
        """Number of the last block whose logs the machine has been fed."""
        found = self._db.row("SELECT value FROM meta WHERE name = 'cursor'")
        return None if found is None else int(found[0])

    def last_sequence(self) -> int:
        """Sequence number of the newest fact ever stored, 0 before the first; `snapshot` is given it."""
        found = self._db.row(_LAST_SEQ)
        return 0 if found is None else int(found[0])

    def facts(self, after_seq: int = 0) -> Iterator[tuple[int, StoredFact | StoredBlock]]:
        """What the machine was fed, in order: a block that was confirmed is a fact itself.

        Only sequence numbers above `after_seq`; read page by page as it advances.
        """
        while page := self._db.rows(_FED, (after_seq, _PAGE_OF_FACTS)):
            for seq, number, log_index, tag, payload, block_hash, parent, timestamp in page:
                if number is not None and log_index is None:
                    yield seq, StoredBlock(number, block_hash, parent, timestamp)
                else:
                    yield seq, StoredFact(tag, payload)
            after_seq = page[-1][0]

    def snapshot(self, seq: int, state: bytes) -> None:
        """Keeps the machine's state after fact `seq`; the newest `SNAPSHOTS_KEPT` stay.

        While `rewind_due` nothing is kept: that state has seen blocks that left the chain.

        Raises:
            ValueError: no fact with that number was ever stored.
        """
        with self._db.transaction() as sql:
            newest = sql.execute(_LAST_SEQ).fetchone()[0]
            if not 0 <= seq <= newest:
                raise ValueError(f"a snapshot after fact {seq}, but the newest fact is {newest}")
            if read_number(sql, "rewind") is not None:
                return
            sql.execute(
                "INSERT INTO snapshots (seq, state) VALUES (?, ?) "
                "ON CONFLICT (seq) DO UPDATE SET state = excluded.state",
                (seq, state),
            )
            sql.execute(
                "DELETE FROM snapshots WHERE seq NOT IN "
                "(SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """(sequence number, state) of the newest snapshot."""
        found = self._db.row("SELECT seq, state FROM snapshots ORDER BY seq DESC LIMIT 1")
        return None if found is None else (found[0], found[1])

    def rewind_facts(self, block_number: int, *, reoffer: Collection[str] = ()) -> None:
        """Undoes a reorganisation deeper than the confirmations: the machine goes back to `block_number`.

        In one transaction: facts from later blocks go, and every snapshot that had seen one; the cursor
        moves back; done duties whose tag is in `reoffer` become pending again (their effect may have left
        the chain with the block). Facts that are not from the chain stay. Then replay from
        `latest_snapshot`.

        Raises:
            ValueError: `block_number` is above the block that `rewind_due` asks for.
        """
        with self._db.transaction() as sql:
            due = read_number(sql, "rewind")
            if due is not None and block_number > due:
                raise ValueError(f"the chain was rewound to block {due}, below {block_number}")
            take_back_fed(sql, block_number)
            reached = read_number(sql, "cursor")
            if reached is not None and reached > block_number:
                write_number(sql, "cursor", block_number)
            sql.execute("DELETE FROM meta WHERE name = 'rewind'")
            sql.executemany(
                "UPDATE outbox SET state = 'pending', attempts = 0, error = NULL "
                "WHERE state = 'done' AND tag = ?",
                [(tag,) for tag in reoffer],
            )

    def put_note(self, round_id: int, name: str, payload: str) -> None:
        """Keeps a small JSON note of a round (a receipt, a measurement) under `name`, replacing the last."""
        with self._db.transaction() as sql:
            sql.execute(
                "INSERT INTO notes (round_id, name, payload) VALUES (?, ?, ?) "
                "ON CONFLICT (round_id, name) DO UPDATE SET payload = excluded.payload",
                (round_id, name, payload),
            )

    def note(self, round_id: int, name: str) -> str | None:
        """One note of a round; None: there is none of this name."""
        query = "SELECT payload FROM notes WHERE round_id = ? AND name = ?"
        row = self._db.row(query, (round_id, name))
        return None if row is None else str(row[0])

    def notes(self, round_id: int) -> dict[str, str]:
        """The notes of a round by name."""
        rows = self._db.rows("SELECT name, payload FROM notes WHERE round_id = ? ORDER BY name", (round_id,))
        return dict(rows)
