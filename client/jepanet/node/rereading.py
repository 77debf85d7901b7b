"""Blocks that a running node reads from the chain again, one by one and proven: because it found that events
are missing, or because its operator says so.

begin ──▶ the follower's next step rewinds journal and machine ──▶ block by block up to where it had been

Until then duties wait, as while old blocks are read after a start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jepanet.chain.following.follower import Follower
from jepanet.errors import Rejected
from jepanet.protocol.facts import ChainEvent
from jepanet.storage.journal import Journal
from jepanet.types import BlockRef


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks `first` to `until`, of which those up to `at` are there again."""

    first: int
    at: int
    until: int


class Rereading:
    """One stretch at a time. `lowest`: the first block that the journal may hold."""

    def __init__(
        self,
        journal: Journal,
        follower: Follower[ChainEvent],
        caught_up: Callable[[], bool],
        lowest: int,
    ) -> None:
        self._journal = journal
        self._follower = follower
        self._caught_up = caught_up
        self._lowest = lowest
        self._begun: tuple[int, int] | None = None

    @property
    def progress(self) -> Stretch | None:
        """What is being read again; None where nothing is."""
        if self._begun is None:
            return None
        first, until = self._begun
        if self._follower.rewinding:
            return Stretch(first, first - 1, until)
        at = self._follower.position.number
        if at >= until or self._caught_up():  # a fork may have made the chain shorter
            self._begun = None
            return None
        return Stretch(first, max(first - 1, at), until)

    @property
    def stored(self) -> tuple[int, int] | None:
        """The first and the last block that can be read again; None before any was read."""
        head = self._journal.head()
        return None if head is None or head.number < self._lowest else (self._lowest, head.number)

    def begin(self, first: int) -> Stretch:
        """Everything from block `first` on, as the operator says.

        Raises: Rejected: another stretch is being read again, or `first` is not among the `stored` blocks.
        """
        if self.progress is not None:
            raise Rejected("blocks are being read again already", reason="under-way")
        stored = self.stored
        if stored is None or not stored[0] <= first <= stored[1]:
            raise Rejected(f"block {first} is not among those that are stored", reason="not-stored")
        return self.read_from(first)

    def read_from(self, first: int) -> Stretch:
        """The same, whatever is being read again: it goes on from the block that was named last."""
        until = self._follower.position.number
        self._journal.prove_until(until)
        self._follower.read_again(self._stored_before(first))
        self._begun = (first, until)
        return Stretch(first, first - 1, until)

    def _stored_before(self, first: int) -> list[BlockRef]:
        """The newest stored blocks below block `first`, ascending: the trail for reading from there again."""
        return [BlockRef(item.number, item.hash, item.timestamp) for item in self._journal.trail(below=first)]
