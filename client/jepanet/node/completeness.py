"""Whether the journal holds every log the contracts' storage implies, and what to do when it does not."""

from __future__ import annotations

import asyncio

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.following.counters import LogTally, read_counters
from jepanet.node.chain_feed import ChainFeed
from jepanet.storage.journal import Journal
from jepanet.telemetry import get_logger
from jepanet.types import Phase, RoundId

log = get_logger("node")

_ENDED = (Phase.SETTLED, Phase.CANCELLED)


class Completeness:
    """Compares the journal's logs with the contracts' counters on the last block fed to the machine."""

    def __init__(self, contracts: Contracts, feed: ChainFeed, journal: Journal) -> None:
        self._contracts = contracts
        self._feed = feed
        self._journal = journal
        self._done: set[RoundId] = set()
        self.missing = False
        """Whether the last look found that logs are missing."""

    async def look(self) -> int | None:
        """The first block to read again, None when nothing is missing or there is nothing to compare yet.

        Raises:
            Transient: no endpoint has the state of the block; nothing is known then.
        """
        cursor = self._journal.cursor()
        blocks = [] if cursor is None else self._journal.blocks_between(cursor, cursor)
        if not blocks:
            return None
        tally = await asyncio.to_thread(lambda: LogTally(self._feed.up_to(blocks[0].number)))
        chain = await read_counters(self._contracts, blocks[0].hash, known=self._done)
        if self._journal.blocks_between(blocks[0].number, blocks[0].number) != blocks:
            return None  # a fork replaced it meanwhile: what was counted is of two chains
        since = tally.missing_since(chain)
        self.missing = since is not None
        if since is not None:
            log.error("journal.mended", block=blocks[0].number, read_again_from=since)
        else:
            # An ended round may still be claimed from; its other numbers stand.
            self._done |= {
                key for key, item in chain.of_rounds.items() if item.settled and item.claimed is None
            }
        return since
