"""Whether the journal lacks events that the contracts' storage implies, and reading them again if it does.

start, or a stretch read by log queries ──▶ caught up ──▶ compare counters ──▶ read again, proven, if any
every ten minutes                       ──▶                                    is missing
"""

from __future__ import annotations

import asyncio
import time

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.following.counters import LogTally, read_counters
from jepanet.errors import Transient
from jepanet.node.confirmed_facts import ConfirmedFacts
from jepanet.node.rereading import Rereading
from jepanet.storage.journal import Journal
from jepanet.telemetry import get_logger
from jepanet.types import RoundId

log = get_logger("node")

_LOOK_EVERY = 600.0
_LOOK_AGAIN = 60.0
_TICK = 1.0


class MissingEvents:
    """Compares the journal's events with the contracts' counters on the last block fed to the machine."""

    def __init__(
        self, contracts: Contracts, feed: ConfirmedFacts, journal: Journal, rereading: Rereading
    ) -> None:
        self._contracts = contracts
        self._feed = feed
        self._journal = journal
        self._rereading = rereading
        self._done: set[RoundId] = set()
        self._look_at = 0.0
        self.missing = False
        """Whether the last look found that events are missing."""

    def look_soon(self) -> None:
        """Blocks were read by log queries, which prove nothing about what they leave out."""
        self._look_at = 0.0

    async def watch(self) -> None:
        """Compares and repairs until cancelled. Raises: Fatal (the journal is damaged or full)."""
        while True:
            await asyncio.sleep(_TICK)
            if time.monotonic() < self._look_at or not self._feed.caught_up:
                continue
            try:
                since = await self.look()
            except Transient as error:
                log.info("completeness.postponed", why=str(error))
                self._look_at = time.monotonic() + _LOOK_AGAIN
                continue
            if since is None:
                self._look_at = time.monotonic() + _LOOK_EVERY
                continue
            self._look_at = time.monotonic() + _LOOK_AGAIN
            if self._rereading.progress is None:
                self._rereading.read_from(since)

    async def look(self) -> int | None:
        """The first block to read again, None when nothing is missing or there is nothing to compare yet.

        Raises:
            Transient: no endpoint has the state of the block; nothing is known then.
        """
        cursor = self._journal.cursor()
        blocks = [] if cursor is None else self._journal.blocks_between(cursor, cursor)
        if not blocks:
            return None
        tally = await asyncio.to_thread(lambda: LogTally(self._feed.events_up_to(blocks[0].number)))
        chain = await read_counters(self._contracts, blocks[0].hash, known=self._done)
        if self._journal.blocks_between(blocks[0].number, blocks[0].number) != blocks:
            return None  # a fork replaced it meanwhile: what was counted is of two chains
        since = tally.missing_since(chain)
        self.missing = since is not None
        if since is not None:
            log.error("journal.mended", block=blocks[0].number, read_again_from=since)
        else:
            # An ended round may still be claimed from; its other numbers stand.
            seen = chain.of_rounds.items()
            self._done |= {key for key, item in seen if item.settled and not item.unclaimed}
        return since
