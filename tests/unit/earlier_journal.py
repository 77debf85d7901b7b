"""Journals as schema 3 stored them, with raw logs and facts side by side, written row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from protocol_facts import AGGREGATOR, OTHER, ROUND, VERIFIERS, beacon, committed, digest, project, prologue

from jepanet.chain.contracts.abi import CONTRACTS, load_abi
from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.logs_to_facts import decode, snake
from jepanet.protocol.facts import (
    ChainBlock,
    ChainEvent,
    Fact,
    LocalDeltaSealed,
    LocalRoundPrepared,
    PeerScored,
)
from jepanet.protocol.journal_codec import encode_fact
from jepanet.storage.schema import journal_schema
from jepanet.types import Address, BlockRef, RoundId

CONTRACT = Address("0x00000000000000000000000000000000000000C0")
OTHER_EVENT = RawLog(CONTRACT, (b"\x99" * 32,), b"not a fact", 9, b"\x02" * 32)
"""An event of a followed contract that the protocol does not care about."""
APPLICATION = 0x6A65706A


@cache
def _abi() -> dict[str, Any]:
    return {
        entry["name"]: entry
        for contract in CONTRACTS
        for entry in load_abi(contract).entries
        if entry.get("type") == "event"
    }


def log_of(fact: ChainEvent) -> RawLog:
    """The log that says `fact`."""
    entry = _abi()[type(fact).__name__.removeprefix("Chain")]
    values = [
        (collapse_if_tuple(item), item["indexed"], getattr(fact, snake(item["name"])))
        for item in entry["inputs"]
    ]
    plain = [(kind, astuple(v) if is_dataclass(v) else v) for kind, indexed, v in values if not indexed]  # type: ignore[arg-type]  # an instance
    return RawLog(
        CONTRACT,
        (event_abi_to_log_topic(entry), *(encode([kind], [v]) for kind, indexed, v in values if indexed)),
        encode([kind for kind, _ in plain], [value for _, value in plain]),
        fact.log_index,
        b"\x01" * 32,
    )


@dataclass
class EarlierJournal:
    """What is written: blocks with logs, and the sequence of facts that the machine was fed."""

    blocks: list[tuple[BlockRef, bytes]] = field(default_factory=list)
    """With the parent's hash; also those that `forgotten` leaves out."""
    logs: list[tuple[BlockRef, RawLog]] = field(default_factory=list)
    inputs: list[Fact] = field(default_factory=list)
    forgotten: frozenset[int] = frozenset()
    """Numbers of blocks without logs that were deleted from the copy after the machine was fed with them."""
    meta: dict[str, str] = field(default_factory=dict)

    def chain(self, facts: Sequence[ChainEvent], ref: BlockRef, parent: bytes, *, fed: bool = True) -> None:
        """A block with these events; `fed`: the machine was told."""
        self.blocks.append((ref, parent))
        logs = [log_of(fact) for fact in facts]
        self.logs += [(ref, log) for log in logs]
        if fed:
            # As decoded: addresses with their checksums.
            self.inputs += [fact for log in logs if (fact := decode(log, ref)) is not None]
            self.inputs.append(ChainBlock(ref))
            self.meta["cursor"] = str(ref.number)

    def write(self, path: Path, more: Iterable[tuple[str, Sequence[Any]]] = ()) -> None:
        """Makes the file, schema 3, in a folder of its own; `more` are further statements."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as sql:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA foreign_keys = ON")
            for step in journal_schema(None).migrations[:3]:
                assert isinstance(step, tuple)
                for statement in step:
                    sql.execute(statement)
            sql.execute(f"PRAGMA application_id = {APPLICATION}")
            sql.execute("PRAGMA user_version = 3")
            sql.execute("BEGIN")
            kept = [item for item in self.blocks if item[0].number not in self.forgotten]
            sql.executemany(
                "INSERT INTO blocks (number, hash, parent, timestamp) VALUES (?, ?, ?, ?)",
                [(ref.number, ref.hash, parent, ref.timestamp) for ref, parent in kept],
            )
            sql.executemany(
                "INSERT INTO logs (block_hash, log_index, block_number, address, topics, data, tx_hash) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        ref.hash,
                        log.index,
                        ref.number,
                        log.address,
                        b"".join(log.topics),
                        log.data,
                        log.tx_hash,
                    )
                    for ref, log in self.logs
                ],
            )
            sql.executemany(
                "INSERT INTO inputs (tag, payload, block_number) VALUES (?, ?, ?)",
                [(*encode_fact(fact), number_of(fact)) for fact in self.inputs],
            )
            sql.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", self.meta.items())
            for statement, arguments in more:
                sql.execute(statement, arguments)
            sql.execute("COMMIT")


def number_of(fact: Fact) -> int | None:
    """The block a fact came from; None if it is not from the chain."""
    block = getattr(fact, "block", None)
    return None if block is None else int(block.number)


def a_round_before(me: Address) -> EarlierJournal:
    """A node in the middle of a round.

    Facts of all kinds, one block with two of them, blocks forgotten since, an event that is no fact, another
    that changed nothing, and two blocks that are not confirmed yet.
    """
    made = EarlierJournal(forgotten=frozenset({4, 5, 8}))
    at = [BlockRef(n, digest(f"block {n}"), 1_000 + n) for n in range(13)]

    def in_block(number: int, *events: Any, fed: bool = True) -> None:
        placed = [replace(fact, block=at[number], log_index=3 * n) for n, fact in enumerate(events)]
        made.chain(placed, at[number], at[number - 1].hash, fed=fed)

    verifiers, opening = prologue()[0], prologue()[2]
    in_block(1, verifiers, project())
    in_block(2)
    in_block(3, opening)
    for number in (4, 5):
        in_block(number)
    made.inputs.append(LocalRoundPrepared(ROUND, (AGGREGATOR,)))
    in_block(6, committed(OTHER), committed(me, 1))
    made.inputs.append(LocalDeltaSealed(ROUND, digest("delta"), bytes(32)))
    made.inputs.append(PeerScored(ROUND, VERIFIERS[0], digest("scores")))
    for number in (7, 8, 9, 10):
        in_block(number)
    # Of another project's round: it changed nothing, so the machine's facts do not name it.
    made.logs.append(
        (at[7], log_of(replace(committed(OTHER), round_id=RoundId(99), block=at[7], log_index=1)))
    )
    made.logs.append((at[9], OTHER_EVENT))
    in_block(11, beacon(), fed=False)
    in_block(12, fed=False)
    return made


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in a file, without opening it as a journal."""
    with closing(sqlite3.connect(path)) as sql:
        names = [row[0] for row in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        content = {name: sql.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}
        return {**content, "version": sql.execute("PRAGMA user_version").fetchall()}
