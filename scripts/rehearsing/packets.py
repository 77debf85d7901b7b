"""Packets under way: each is lost, held back or dropped at a cut, and comes out when it is due. Pure.

Packets of one way never overtake one another: delays are of the way, with a little jitter on top.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scripts.rehearsing.plan import Link

JITTER = 0.1
"""Of the delay, at most, in addition."""
MOST_UNDER_WAY = 20_000
"""Packets beyond that are dropped, as a full buffer does."""


@dataclass
class Counts:
    """Of one member, in bytes of IP packets and in packets."""

    sent: int = 0
    received: int = 0
    to_chain: int = 0
    from_chain: int = 0
    packets: int = 0
    lost: int = 0
    """Sent by it and lost on the way."""
    cut: int = 0
    """Sent by it and dropped at a partition."""


@dataclass
class UnderWay:
    """`names`: members by number; `chain`: the number of the chain's endpoint. Times are seconds."""

    names: Sequence[str]
    links: Mapping[str, Link]
    seed: int
    chain: int
    counts: list[Counts] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = [Counts() for _ in self.names]
        self._links = [self.links[name] for name in self.names]
        self._dice = random.Random(self.seed)
        self._heap: list[tuple[float, int, int, bytes]] = []
        self._order = 0
        self._last: dict[tuple[int, int], float] = {}
        self._apart: frozenset[int] = frozenset()
        self._chain_apart = True

    def cut(self, members: Sequence[str], *, chain: bool) -> None:
        """From now on `members` reach nobody but each other; the chain's endpoint only unless `chain`."""
        self._apart = frozenset(self.names.index(name) for name in members)
        self._chain_apart = chain

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self._apart = frozenset()

    def put(self, packet: bytes, source: int, target: int, now: float) -> bool:
        """Takes a packet; False when it is lost or dropped."""
        count, size = self.counts[source], len(packet)
        count.packets += 1
        count.sent += size
        if target == self.chain:
            count.to_chain += size
        if self._is_cut(source, target):
            count.cut += 1
            return False
        one, other = self._links[source], self._links[target]
        if self._dice.random() < 1 - (1 - one.loss) * (1 - other.loss) or len(self._heap) >= MOST_UNDER_WAY:
            count.lost += 1
            return False
        delay = (one.delay_ms + other.delay_ms) / 1000
        due = now + delay * (1 + self._dice.random() * JITTER)
        way = (source, target)
        due = self._last[way] = max(due, self._last.get(way, 0.0))
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, source * len(self.names) + target, packet))
        return True

    def due(self, now: float) -> Iterator[tuple[int, bytes]]:
        """(number of whom it is for, packet) of all that have arrived, in order."""
        while self._heap and self._heap[0][0] <= now:
            _, _, way, packet = heapq.heappop(self._heap)
            source, target = divmod(way, len(self.names))
            count = self.counts[target]
            count.received += len(packet)
            if source == self.chain:
                count.from_chain += len(packet)
            yield target, packet

    def next_due(self) -> float | None:
        """When the next packet arrives; None when none is under way."""
        return self._heap[0][0] if self._heap else None

    def _is_cut(self, source: int, target: int) -> bool:
        if not self._apart or (source in self._apart) == (target in self._apart):
            return False
        return self._chain_apart or self.chain not in (source, target)
