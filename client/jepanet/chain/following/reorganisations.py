"""Where a reorganisation is noticed: which of the blocks already delivered are no longer on the chain.

    anchor            delivered blocks            head
      |----- ... ------o--o--o--o--o--o ... -------|
                          ^ the last one that is still canonical: everything above it is undone

That a node does not have a block is no evidence of a fork; another hash at its height is.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.endpoints.answers import Header
from jepanet.chain.endpoints.failover import ChainReader, Rpc
from jepanet.chain.endpoints.requests import Moved
from jepanet.errors import Transient
from jepanet.telemetry import get_logger
from jepanet.types import BlockRef

log = get_logger("chain")

_DEEP = 64
"""A fork of more blocks is believed only if no other endpoint shows the blocks it would undo."""


@dataclass(frozen=True, slots=True)
class Reorganisation:
    """Delivered blocks above `to` left the chain."""

    to: BlockRef
    reset: bool = False
    """The anchor left the chain too, and `to` has taken its place."""


class Reorganisations:
    """Compares delivered blocks with the chain.

    Args:
        shrink_patience: seconds a node may name a head below what was delivered, on the same chain, before
            the missing blocks are taken as gone. A node that lags (after a failover) is no fork.
    """

    def __init__(self, rpc: Rpc, shrink_patience: float) -> None:
        self._rpc = rpc
        self._shrink_patience = shrink_patience
        self._short_since: float | None = None

    def none(self) -> None:
        """The newest delivered block is the head: nothing is missing."""
        self._short_since = None

    async def look(
        self, reader: ChainReader, head: Header, delivered: Sequence[BlockRef]
    ) -> Reorganisation | None:
        """What has to be undone so that everything delivered is canonical; None: nothing.

        Args:
            reader: the node that named `head`; it answers every question.
            delivered: the anchor and after it the newest delivered blocks, ascending.

        Raises:
            Moved: the node contradicts itself or another endpoint.
            Transient: an endpoint that has to be asked does not answer.
        """
        within = bisect_right(delivered, head.ref.number, key=lambda ref: ref.number)
        if await _canonical(reader, delivered[within - 1]):
            return self._shorter(delivered, within)
        self._short_since = None
        await self._rpc.confirm_chain(reader)
        anchor = delivered[0]
        if not await _canonical(reader, anchor):
            # The gravest finding: made sure that no other endpoint still has the block.
            for other in self._rpc.readers():
                if await _canonical(other, anchor):
                    raise Moved("the endpoints disagree on the deployment block")
            return await _replaced(reader, anchor)
        # Canonical blocks form a prefix of what was delivered: halve.
        low, high = 0, within - 1
        while high - low > 1:
            middle = (low + high) // 2
            if await _canonical(reader, delivered[middle]):
                low = middle
            else:
                high = middle
        if delivered[-1].number - delivered[low].number > _DEEP:
            await self._expect_gone(delivered[-1])
        return _undo(delivered, low)

    async def _expect_gone(self, ref: BlockRef) -> None:
        """Deep forks are rare, copies of a chain under its own id are not: makes sure that no other endpoint
        still has the block. One that has not come so far says nothing.

        Raises: Moved (one has it); Transient (one does not answer).
        """
        for other in self._rpc.readers():
            header = await other.header(ref.number)
            if header is not None and header.ref.hash == ref.hash:
                raise Moved(f"the endpoints disagree on block {ref.number}, and on many before it")

    def _shorter(self, delivered: Sequence[BlockRef], within: int) -> Reorganisation | None:
        if within == len(delivered):
            self._short_since = None
            return None
        now = time.monotonic()
        if self._short_since is None:
            self._short_since = now
        if now - self._short_since < self._shrink_patience:
            return None
        self._short_since = None
        return _undo(delivered, within - 1)


def _undo(delivered: Sequence[BlockRef], last: int) -> Reorganisation:
    to = delivered[last]
    log.warning("chain.reorganised", to=to.number, blocks=delivered[-1].number - to.number)
    return Reorganisation(to)


async def _replaced(reader: ChainReader, anchor: BlockRef) -> Reorganisation:
    now = await reader.header(anchor.number)
    if now is None:
        raise Transient("the node lost the deployment block")
    log.error("deployment.replaced", number=now.ref.number, was=anchor.hash, now=now.ref.hash)
    return Reorganisation(now.ref, reset=True)


async def _canonical(reader: ChainReader, ref: BlockRef) -> bool:
    """Whether this block is still at its height. Raises: Moved when the node does not have that height."""
    header = await reader.header(ref.number)
    if header is None:
        raise Moved(f"the node does not have block {ref.number}, below the head it named")
    return header.ref.hash == ref.hash
