"""Journals that an earlier version left within a round, and the facts that a version reads from them.

`tests/recordings/journals/NAME.tar.xz` holds a chain (`chain.json`, anvil's), `deployment.json` and a folder
for each node; `NAME.json` holds what the version that wrote them read from them. Both are made by
`tests/scenario/record_journals.py` and opened by `tests/integration/test_journal_of_before.py`.

What the code under test is called by stands here and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import tarfile
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.chain.following.follower import Follower
from jepanet.chain.following.logs_to_facts import decode
from jepanet.cid import digest_of
from jepanet.node.confirmed_facts import ConfirmedFacts
from jepanet.node.engine import Engine, fact_of
from jepanet.node.missing_events import MissingEvents
from jepanet.node.rereading import Rereading
from jepanet.protocol.facts import ChainEvent
from jepanet.protocol.journal_codec import encode_state
from jepanet.protocol.state import Identity
from jepanet.protocol.transition import genesis, transition
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address, BlockRef, Role
from recorded_round import in_one_record

FOLDER = Path(__file__).resolve().parent / "recordings" / "journals"
DATABASE = "journal.sqlite"


# ------------------------------------------------------------------ files


def unpack(name: str, target: Path) -> dict[str, Any]:
    """The recording's files in `target`; returns what the version that wrote them read from them."""
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        for member in archive.getmembers():  # by hand: Python 3.11.2 of Debian has no `filter`
            held = archive.extractfile(member)
            if held is not None:
                path = target / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(held.read())
    expected: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return expected


def schema_version(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as open_:
        return int(open_.execute("PRAGMA user_version").fetchone()[0])


def rows_by_table(database: Path) -> dict[str, int]:
    """How many rows each table has, read without the code under test."""
    with contextlib.closing(sqlite3.connect(database)) as open_:
        names = open_.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        return {
            name: int(open_.execute(f"SELECT count(*) FROM {name}").fetchone()[0])
            for (name,) in names
            if not name.startswith("sqlite_")
        }


# ------------------------------------------------------------------ the code under test


@dataclass(frozen=True, slots=True)
class Opened:
    """A journal as a starting node holds it: restored, nothing dispatched yet."""

    journal: Journal
    engine: Engine
    feed: ConfirmedFacts
    deployment: Deployment
    me: Identity


def open_journal(folder: Path, who: Mapping[str, Any], deployment: Deployment) -> Opened:
    """What `node.app` does with a data directory before the first block."""
    journal = Journal.open(folder / DATABASE, read_earlier_log)
    journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
    roles = frozenset(Role(role) for role in who["roles"])
    me = Identity(Address(who["address"]), roles, rounds_to_play=who["rounds_to_play"])
    engine = Engine(journal, me, {})
    feed = ConfirmedFacts(journal, engine, deployment.confirmations)
    engine.restore()
    feed.settle_rewind()
    return Opened(journal, engine, feed, deployment, me)


def facts_of(opened: Opened, safe: Mapping[str, Any]) -> dict[str, Any]:
    """What the code reads from an open journal. `safe` lists which entries of the safe to read."""
    journal, me = opened.journal, opened.me
    replayed = genesis(me)
    for _, stored in journal.facts():
        replayed, _ = transition(replayed, fact_of(stored))
    intents = JournalIntents(journal).intents(me.address)
    head = journal.head()
    return {
        "cursor": journal.cursor(),
        "head": None if head is None else [head.number, head.hash.hex(), head.timestamp],
        "state": json.loads(in_one_record(encode_state(opened.engine.state))),
        "state_from_the_first_input": digest_of(in_one_record(encode_state(replayed))).hex(),
        "pending": [row.key for row in journal.pending()],
        "outbox": [[row.key, row.state] for row in journal.outbox()],
        "intents": [
            [item.key, item.nonce, item.state, digest_of(b"".join((*item.hashes, *item.raws))).hex()]
            for item in intents
        ],
        "salts": [_digest(journal.salt(*key)) for key in safe["salts"]],
        "signatures": [_digest(journal.signature(*key)) for key in safe["signatures"]],
        "carried": sorted(item.hex() for item in journal.carried_residuals(me.address, 8)),
        "notes": {
            str(number): {
                name: digest_of(text.encode()).hex() for name, text in journal.notes(number).items()
            }
            for number in safe["rounds"]
        },
    }


def _digest(parts: tuple[bytes, ...] | None) -> str | None:
    return None if parts is None else digest_of(b"".join(parts)).hex()


async def follow(opened: Opened, url: str, until: int) -> int | None:
    """Feeds the machine from the chain at `url` up to block `until`.

    Returns the first block whose logs are missing by the contracts' counters; None when none are.
    """
    rpc = Rpc([url], opened.deployment.chain_id)
    trail = [BlockRef(item.number, item.hash, item.timestamp) for item in opened.journal.trail()]
    follower: Follower[ChainEvent] = Follower(
        rpc, opened.deployment.followed, opened.deployment.anchor, decode, trail, poll=0.05,
        proven_until=opened.journal.proven_until(),
    )  # fmt: skip
    try:
        async with contextlib.aclosing(follower.steps()) as steps:
            async for step in steps:
                opened.feed.take(step)
                if (opened.journal.cursor() or 0) >= until:
                    break
        contracts = Contracts.of(rpc, opened.deployment)
        again = Rereading(opened.journal, follower, lambda: opened.feed.caught_up, 0)
        return await MissingEvents(contracts, opened.feed, opened.journal, again).look()
    finally:
        await rpc.close()


def duties_since(opened: Opened, facts: Mapping[str, Any]) -> list[str]:
    """Keys of the duties that have come since `facts` were read."""
    return sorted({row.key for row in opened.journal.outbox()} - {key for key, _ in facts["outbox"]})


@asynccontextmanager
async def cancelled_later(
    folder: Path, round_id: int, deployment: Deployment
) -> AsyncIterator[tuple[str, int]]:
    """The recorded chain, running again, a month after the round's verification, with the round cancelled.

    Yields its URL and the newest confirmed block. The recorded clock counts, not this machine's.
    """
    state, log = folder / "chain.json", folder / "anvil.log"
    async with AnvilProcess(port=free_port(), state=state, log=log) as process:
        url = process.url
        head = await _ask(url, "eth_getBlockByNumber", "latest", False)
        at = int(head["timestamp"], 16) + 30 * 24 * 3600
        await _mine(url, at)
        rpc = Rpc([url], deployment.chain_id)
        call = Contracts.of(rpc, deployment).rounds.cancel(round_id)
        await rpc.close()
        (account, *_) = await _ask(url, "eth_accounts")
        await _ask(url, "evm_setNextBlockTimestamp", at + 1)
        transaction = {"from": account, "to": str(call.to), "data": "0x" + call.data.hex()}
        sent = await _ask(url, "eth_sendTransaction", transaction)
        for later in range(2, 5):
            await _mine(url, at + later)
        # It answers a transaction before it has mined it: its receipt is asked for behind three blocks.
        assert (await _ask(url, "eth_getTransactionReceipt", sent))["status"] == "0x1"
        newest = int(await _ask(url, "eth_blockNumber"), 16)
        yield url, newest - deployment.confirmations


async def _mine(url: str, timestamp: int) -> None:
    await _ask(url, "evm_setNextBlockTimestamp", timestamp)
    await _ask(url, "evm_mine")


async def _ask(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})

    def post() -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    reply = await asyncio.to_thread(post)
    assert "error" not in reply, (method, reply)
    return reply["result"]
