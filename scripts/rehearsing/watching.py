"""What is seen of a rehearsal while it runs: rounds on the chain, peers and heights of the nodes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from scripts.longevity.played import Played
from scripts.longevity.processes import Kept

from jepanet.chain.following.logs_to_facts import ChainEvent

HEAD_NEAR = 5
"""Blocks behind the head that count as beside it."""


@dataclass
class Recovery:
    """How a node that was cut off comes back: seconds after the cut ended until it stood as before, at the
    grain of its status file, which is two seconds. None: not yet."""

    member: str
    peers_before: int
    healed: float
    peers: float | None = None
    """Until it had as many peers as before."""
    chain: float | None = None
    """Until its confirmed block was near the head again."""

    @property
    def whole(self) -> bool:
        return self.peers is not None and self.chain is not None

    def look(self, node: Kept, head: int) -> None:
        status = node.status()
        if status is None or status["written"] < self.healed:
            return
        since = round(time.time() - self.healed, 1)
        if self.peers is None and int(status["peers"]) >= self.peers_before:
            self.peers = since
        confirmed = status["chain"]["confirmed"]
        if self.chain is None and confirmed is not None and head - int(confirmed) <= HEAD_NEAR:
            self.chain = since


@dataclass
class Watch:
    """Times of rounds and of all that was done to the network, in seconds since the start."""

    played: Played
    started: float = field(default_factory=time.time)
    rounds: list[dict[str, float | str]] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    peers: list[dict[str, object]] = field(default_factory=list)
    facts: list[ChainEvent] = field(default_factory=list)

    @property
    def now(self) -> float:
        return round(time.time() - self.started, 1)

    def say(self, what: str, **fields: object) -> None:
        self.events.append({"at": self.now, "what": what, **fields})

    def look(self, nodes: list[Kept]) -> int:
        """Reads what is new; returns how many rounds ended since the last call."""
        before, cancelled = self.played.ended, self.played.cancelled
        self.facts += self.played.look()
        fresh = self.played.ended - before
        for number in range(fresh):
            gone = self.played.cancelled - cancelled
            self.rounds.append({"at": self.now, "phase": "cancelled" if number < gone else "settled"})
        found = {node.name: status["peers"] for node in nodes if (status := node.status())}
        self.peers.append({"at": self.now, **found})
        return fresh
