"""What must hold of a network whatever its endpoints said: read from the chain itself and the journals.

Every function answers the laws that are broken, in words; nothing where all is well.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from network import Network, Node

from jepanet.chain.endpoints.answers import parse_log
from jepanet.chain.following.logs_to_facts import decode
from jepanet.protocol import facts
from jepanet.protocol.journal_codec import encode_fact
from jepanet.types import BlockRef, SlashCause

_AT_ONCE = 200
Call = tuple[str, bytes, int]
"""Receiver, data and value of a transaction."""

ONCE: tuple[type[Any], ...] = (
    facts.ChainRoundOpened,
    facts.ChainShardUnsealed,
    facts.ChainTrainingRecorded,
    facts.ChainRoundSettled,
)
ONCE_A_SOLVER: tuple[type[Any], ...] = (facts.ChainCommitted, facts.ChainRevealed, facts.ChainBondReleased)
NEVER: tuple[type[Any], ...] = (facts.ChainBondSlashed, facts.ChainRoundCancelled)


def facts_of(network: Network, round_id: int) -> list[Any]:
    """The events of one round on the chain, oldest first."""
    found = []
    for raw in network.logs():
        placed = parse_log(raw)
        fact = decode(placed.log, BlockRef(placed.number, placed.block_hash, 0))
        if getattr(fact, "round_id", None) == round_id:
            found.append(fact)
    return found


def round_went_well(network: Network, round_id: int) -> Iterator[str]:
    """As in a healthy network: everything once, everybody paid, nobody punished, nothing given up."""
    told = facts_of(network, round_id)
    solvers = dict.fromkeys((node.address for node in network.solvers), 1)
    for kind in ONCE:
        count = sum(isinstance(fact, kind) for fact in told)
        if count != 1:
            yield f"round {round_id}: {kind.__name__} {count} times"
    for kind in ONCE_A_SOLVER:
        who = Counter(fact.solver for fact in told if isinstance(fact, kind))
        if who != solvers:
            yield f"round {round_id}: {kind.__name__} of {dict(who)}"
    for fact in told:
        harmful = isinstance(fact, facts.ChainBondSlashed) and fact.cause is SlashCause.EXCLUDED
        if isinstance(fact, NEVER) and not harmful:
            yield f"round {round_id}: {fact}"
    claims = [fact for fact in told if isinstance(fact, facts.ChainClaimed)]
    if len({fact.account for fact in claims}) != len(claims):
        yield f"round {round_id}: claims {claims}"
    owed = sum(fact.payout for fact in told if isinstance(fact, facts.ChainTrainingRecorded))
    paid = sum(fact.amount for fact in claims)
    if owed != paid:
        yield f"round {round_id}: {paid} was claimed of {owed}"
    for node in network.nodes.values():
        given_up = node.query("SELECT key FROM outbox WHERE state = 'rejected' AND round_id = ?", round_id)
        if given_up:
            yield f"round {round_id}: {node.name} gave up {given_up}"


# ------------------------------------------------------------------ journals


def canonical(network: Network) -> set[tuple[Any, ...]]:
    """(block, block hash, log index, tag, fields) of the facts in the followed contracts' logs."""
    found = set()
    for raw in network.logs():
        placed = parse_log(raw)
        fact = decode(placed.log, BlockRef(placed.number, placed.block_hash, 0))
        if fact is not None:
            found.add(_placed(placed.number, placed.log.index, *encode_fact(fact)))
    return found


def followed(node: Node) -> set[tuple[Any, ...]]:
    """The same of the events in a node's journal."""
    rows = node.query("SELECT block_number, log_index, tag, payload FROM events")
    return {_placed(*row) for row in rows}


def _placed(number: int, index: int, tag: str, payload: str) -> tuple[Any, ...]:
    """Logs do not name their block's timestamp, so it is left out."""
    tree = json.loads(payload)
    block = tree.pop("block")
    assert (block["number"], tree.pop("log_index")) == (number, index)
    return number, block["hash"], index, tag, json.dumps(tree, sort_keys=True)


def journals_are_the_chain(network: Network, newest: int) -> Iterator[str]:
    """Every node has followed the chain up to `newest` at least, and has its logs up to there."""
    truth = {item for item in canonical(network) if item[0] <= newest}
    for node in network.nodes.values():
        at = node.fed_to()
        if at < newest:
            yield f"{node.name} is at block {at} of {newest}"
        found = {item for item in followed(node) if item[0] <= newest}
        lacks = sorted({item[0] for item in truth - found if item[0] <= at})
        if lacks:
            yield f"{node.name}: the journal lacks logs of blocks {lacks}"
        if found - truth:
            yield f"{node.name}: the journal has logs of its own: {sorted(found - truth)[:3]}"


# ------------------------------------------------------------------ wishes


class Effects:
    """Successful transactions by sender, as the chain itself has them; each block is read once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._read = 0
        self._done: dict[str, Counter[Call]] = {}

    def of(self, node: Node) -> Counter[Call]:
        """How often each call of this node's wallet took effect until now."""
        newest = int(self._network.rpc("eth_blockNumber"), 16)
        for first in range(self._read, newest + 1, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, newest + 1))
            blocks = self._network.rpc_batch(
                "eth_getBlockByNumber", ([hex(number), True] for number in numbers)
            )
            for item in (item for block in blocks for item in block["transactions"]):
                receipt = self._network.rpc("eth_getTransactionReceipt", [item["hash"]])
                if receipt["status"] == "0x1":
                    call = (item["to"] or "", bytes.fromhex(item["input"][2:]), int(item["value"], 16))
                    self._done.setdefault(item["from"].lower(), Counter())[call] += 1
        self._read = newest + 1
        return self._done.get(node.address.lower(), Counter())


def wishes_took_effect_once(node: Node, effects: Effects) -> Iterator[str]:
    """A call is in effect as often as there are intents of it that are recorded as mined.

    An intent that is still open may be in effect or not.
    """
    # Before the chain is read: what is mined in between counts as open.
    recorded = list(_intents(node))
    mined = Counter(call for call, state in recorded if state == "mined")
    closed = Counter(call for call, state in recorded if state == "failed")
    every = Counter(call for call, _ in recorded)
    done = effects.of(node)
    for call in done.keys() | mined.keys():
        least, most = mined[call], every[call] - closed[call]
        # The first calls of a network are older than its proxies, but have intents all the same.
        if not least <= done[call] <= most:
            yield (
                f"{node.name}: the call 0x{call[1][:4].hex()} with {len(call[1])} bytes to {call[0]} is in "
                f"effect {done[call]} times; of its intents {least} are mined, {most - least} open"
            )


def _intents(node: Node) -> Iterable[tuple[Call, str]]:
    for name in ("journal.sqlite", "commands.sqlite"):
        path = node.folder / "data" / name
        if not path.exists():
            continue
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT receiver, data, value, state FROM intents").fetchall()
        for receiver, data, value, state in rows:
            yield (receiver.lower(), bytes(data), int(value)), state
