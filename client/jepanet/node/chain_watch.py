"""The follower at work: steps into the feed, and a look for missing logs when there is reason for one.

start, a stretch read by log queries ──▶ caught up ──▶ compare counters ──▶ read again, proven, if any miss
every ten minutes                    ──▶
"""

from __future__ import annotations

import asyncio
import time

from jepanet.chain.following.follower import Follower
from jepanet.errors import Transient
from jepanet.node.chain_feed import ChainFeed
from jepanet.node.completeness import Completeness
from jepanet.storage.journal import Journal
from jepanet.telemetry import get_logger
from jepanet.types import BlockRef

log = get_logger("node")

_LOOK_EVERY = 600.0
_LOOK_AGAIN = 60.0
_TICK = 1.0


class Following:
    """Feeds the machine from the chain for as long as the node runs."""

    def __init__(
        self, follower: Follower, feed: ChainFeed, journal: Journal, completeness: Completeness
    ) -> None:
        self.follower = follower
        self.completeness = completeness
        self._feed = feed
        self._journal = journal
        self._look_at = 0.0

    async def run(self) -> None:
        """Until cancelled. Raises: Fatal (the journal is damaged or full)."""
        async for step in self.follower.steps():
            self._feed.take(step)
            if not step.proven:
                self._look_at = 0.0

    async def look_for_gaps(self) -> None:
        """Compares and repairs until cancelled. Raises: Fatal (the journal is damaged or full)."""
        while True:
            await asyncio.sleep(_TICK)
            if time.monotonic() < self._look_at or not self._feed.caught_up:
                continue
            try:
                since = await self.completeness.look()
            except Transient as error:
                log.info("completeness.postponed", why=str(error))
                self._look_at = time.monotonic() + _LOOK_AGAIN
                continue
            if since is None:
                self._look_at = time.monotonic() + _LOOK_EVERY
                continue
            self._look_at = time.monotonic() + _LOOK_AGAIN
            self._journal.prove_until(self.follower.position.number)
            self.follower.read_again(stored_before(self._journal, since))


def stored_before(journal: Journal, first: int) -> list[BlockRef]:
    """The newest stored blocks below block `first`, ascending: the trail for reading from there again."""
    return [BlockRef(item.number, item.hash, item.timestamp) for item in journal.trail(below=first)]
