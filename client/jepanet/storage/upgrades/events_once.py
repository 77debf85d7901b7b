"""Schema 4 of the journal: an event of the chain is stored once, decoded.

Before, `logs` held every log as the chain gave it, and `inputs` held it once more as the fact the machine was
fed; a block was in `blocks` and in `inputs`. Now `events` holds the decoded log, and `fed` is the order in
which the machine was fed: references into the chain copy, and the text of facts that are not from the chain.

    blocks  <── events <──┐
       ^──────────────── fed (seq) ── own text of peers' and this node's facts
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from jepanet.errors import Exit, Fatal

_TABLES = (
    "ALTER TABLE blocks RENAME TO old_blocks",
    # An earlier version forgot old blocks without logs; of those that come back from `inputs` the parent is
    # unknown where the block before them is missing too: 32 zero bytes.
    """CREATE TABLE blocks (
        number INTEGER PRIMARY KEY CHECK (number >= 0),
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        parent BLOB NOT NULL CHECK (length(parent) = 32),
        timestamp INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE events (
        block_number INTEGER NOT NULL REFERENCES blocks (number) ON DELETE CASCADE,
        log_index INTEGER NOT NULL CHECK (log_index >= 0),
        tag TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (block_number, log_index)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE fed (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        block_number INTEGER REFERENCES blocks (number),
        log_index INTEGER,
        tag TEXT,
        payload TEXT,
        CHECK ((tag IS NULL) = (payload IS NULL) AND (tag IS NULL) = (block_number IS NOT NULL)),
        CHECK (log_index IS NULL OR block_number IS NOT NULL),
        FOREIGN KEY (block_number, log_index) REFERENCES events (block_number, log_index)
    ) STRICT""",
    "CREATE INDEX fed_of_chain ON fed (block_number) WHERE block_number IS NOT NULL",
)
_LEFT_BEHIND = ("DROP TABLE logs", "DROP TABLE old_blocks", "DROP TABLE inputs")
_UNKNOWN = bytes(32)


class ReadLog(Protocol):
    """A log as (tag, payload) of a stored event; None for an event that is no fact.

    `topics` are 32 bytes each, joined. Raises: Fatal when the log does not fit the contracts' ABI.
    """

    def __call__(
        self,
        *,
        block_number: int,
        block_hash: bytes,
        timestamp: int,
        log_index: int,
        address: str,
        topics: bytes,
        data: bytes,
        tx_hash: bytes,
    ) -> tuple[str, str] | None: ...


@dataclass(frozen=True, slots=True)
class _Input:
    """A row of the old table `inputs` that came from the chain."""

    seq: int
    tag: str
    payload: str
    number: int
    log_index: int | None
    hash: bytes
    timestamp: int


def store_events_once(sql: sqlite3.Connection, read_log: ReadLog | None) -> None:
    """Converts the tables of schema 3, inside a transaction.

    Snapshots go: the state is built again from all facts, of which none was ever deleted.

    Raises:
        Fatal: there are logs and nothing to read them with, a log does not fit the ABI (`INCOMPATIBLE`), or
            the old tables contradict each other (`DAMAGED`).
    """
    _finish_rewind(sql)
    for statement in _TABLES:
        sql.execute(statement)
    sql.execute(
        "INSERT INTO blocks (number, hash, parent, timestamp) "
        "SELECT number, hash, parent, timestamp FROM old_blocks"
    )
    _take_fed_blocks(sql)
    _take_fed_events(sql)
    _decode_logs(sql, read_log)
    sql.execute(
        "INSERT INTO fed (seq, block_number, log_index, tag, payload) "
        "SELECT seq, block_number, "
        "CASE WHEN block_number IS NULL THEN NULL ELSE json_extract(payload, '$.log_index') END, "
        "CASE WHEN block_number IS NULL THEN tag END, CASE WHEN block_number IS NULL THEN payload END "
        "FROM inputs ORDER BY seq"
    )
    # Numbers are never used twice, also when the newest rows had been deleted.
    sql.execute("DELETE FROM sqlite_sequence WHERE name = 'fed'")
    sql.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'fed', seq FROM sqlite_sequence WHERE name = 'inputs'"
    )
    sql.execute("DELETE FROM snapshots")
    for statement in _LEFT_BEHIND:
        sql.execute(statement)


def _finish_rewind(sql: sqlite3.Connection) -> None:
    """Facts of blocks that left the chain, where a crash came before they were deleted."""
    due = sql.execute("SELECT value FROM meta WHERE name = 'rewind'").fetchone()
    if due is not None:
        sql.execute("DELETE FROM inputs WHERE block_number > ?", (int(due[0]),))


def _inputs(sql: sqlite3.Connection) -> Iterator[_Input]:
    rows = sql.execute(
        "SELECT seq, tag, payload, block_number FROM inputs WHERE block_number IS NOT NULL ORDER BY seq"
    )
    for seq, tag, payload, number in rows:
        tree = json.loads(payload)
        block = tree["block"]
        yield _Input(
            seq, tag, payload, number, tree.get("log_index"), bytes.fromhex(block["hash"]), block["timestamp"]
        )


def _take_fed_blocks(sql: sqlite3.Connection) -> None:
    """Blocks that were forgotten after the machine had been fed with them."""
    for item in _inputs(sql):
        pair = (item.number - 1, item.number)
        near = dict(sql.execute("SELECT number, hash FROM blocks WHERE number IN (?, ?)", pair).fetchall())
        if near.get(item.number, item.hash) != item.hash:
            raise _damaged(f"fact {item.seq} is of another block {item.number} than the stored one")
        if item.number not in near:
            sql.execute(
                "INSERT INTO blocks (number, hash, parent, timestamp) VALUES (?, ?, ?, ?)",
                (item.number, item.hash, near.get(item.number - 1, _UNKNOWN), item.timestamp),
            )


def _take_fed_events(sql: sqlite3.Connection) -> None:
    for item in _inputs(sql):
        if item.log_index is not None:
            sql.execute(
                "INSERT INTO events (block_number, log_index, tag, payload) VALUES (?, ?, ?, ?)",
                (item.number, item.log_index, item.tag, item.payload),
            )


def _decode_logs(sql: sqlite3.Connection, read_log: ReadLog | None) -> None:
    """Adds events that were not fed, or changed nothing; checks that a fed one is what its log says."""
    rows = sql.execute(
        "SELECT block_number, block_hash, timestamp, log_index, address, topics, data, tx_hash "
        "FROM logs JOIN old_blocks ON hash = block_hash ORDER BY block_number, log_index"
    )
    for number, block_hash, timestamp, index, address, topics, data, tx_hash in rows:
        if read_log is None:
            raise Fatal(
                "the journal was written by an earlier version: its logs have to be converted first",
                remedy="start the node once with `jepanet node run`, which converts its journal",
                code=Exit.INCOMPATIBLE,
            )
        said = read_log(
            block_number=number,
            block_hash=block_hash,
            timestamp=timestamp,
            log_index=index,
            address=address,
            topics=topics,
            data=data,
            tx_hash=tx_hash,
        )
        known = sql.execute(
            "SELECT tag, payload FROM events WHERE block_number = ? AND log_index = ?", (number, index)
        ).fetchone()
        if known is not None and known != said:
            raise _damaged(f"log {index} of block {number} is not the fact that the machine was fed")
        if said is not None and known is None:
            sql.execute(
                "INSERT INTO events (block_number, log_index, tag, payload) VALUES (?, ?, ?, ?)",
                (number, index, *said),
            )


def _damaged(why: str) -> Fatal:
    return Fatal(
        f"the journal cannot be converted: {why}",
        remedy="nothing was changed: run the version that wrote it until its rounds have ended, then name a "
        "new data directory",
        code=Exit.DAMAGED,
    )
