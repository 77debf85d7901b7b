"""How far a network's rounds are, read from the chain as it grows: each log once."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.answers import parse_log
from jepanet.chain.following.logs_to_facts import ChainEvent, decode
from jepanet.protocol import facts
from jepanet.types import BlockRef

_STRETCH = 2000
"""Blocks asked for at once."""


@dataclass
class Played:
    """Counts of what the chain says happened."""

    url: str
    deployment: Deployment
    next_block: int = 0
    events: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    """Bonds lost, by cause."""

    @property
    def ended(self) -> int:
        return self.events["ChainRoundSettled"] + self.events["ChainRoundCancelled"]

    @property
    def settled(self) -> int:
        return self.events["ChainRoundSettled"]

    @property
    def cancelled(self) -> int:
        return self.events["ChainRoundCancelled"]

    def look(self) -> list[ChainEvent]:
        """What is new, oldest first."""
        fresh = []
        head = int(self._ask("eth_blockNumber", []), 16)
        while self.next_block <= head:
            last = min(head, self.next_block + _STRETCH - 1)
            wanted = {
                "fromBlock": hex(self.next_block),
                "toBlock": hex(last),
                "address": [str(item) for item in self.deployment.followed],
            }
            for raw in self._ask("eth_getLogs", [wanted]):
                placed = parse_log(raw)
                fact = decode(placed.log, BlockRef(placed.number, placed.block_hash, 0))
                if fact is None:
                    continue
                fresh.append(fact)
                self.events[type(fact).__name__] += 1
                if isinstance(fact, facts.ChainBondSlashed):
                    self.causes[fact.cause.name.lower()] += 1
            self.next_block = last + 1
        return fresh

    def _ask(self, method: str, params: Sequence[Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            reply = json.load(answer)
        return reply["result"]
