"""The canonical logs of a few contracts, in order, through reorganisations, restarts and lying subscriptions.

    anchor            trail (256 newest delivered blocks)        head
      |----- ... ------o--o--o--o--o--o--o--o--o------ ... --------|
      deployment       a fork is found by walking back here
                                 | finalized
      ranges <-------------------|-------------------> every block, parent-linked

One step looks at the chain once and answers with either a rewind or some blocks. Every request of a step goes
to one node (`Rpc.pinned`), because answers that must agree cannot come from two.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from jepanet.chain.hint import HeadHint
from jepanet.chain.ranges import Moved, near_blocks, range_blocks
from jepanet.chain.rpc import AnswerTooLarge, ChainReader, Rpc, RpcError
from jepanet.chain.wire import Header, RawLog
from jepanet.errors import Transient
from jepanet.telemetry import get_logger
from jepanet.types import Address, BlockRef

log = get_logger("chain")

TRAIL = 256
_NEAR = 16
_SPAN_FIRST, _SPAN_LAST = 256, 8192
_LOGS_WANTED = 2000
_RELOOK = 0.05


@dataclass(frozen=True, slots=True)
class FollowedBlock:
    """One canonical block with the watched contracts' logs in order. `parent` is its parent's hash."""

    ref: BlockRef
    parent: bytes
    logs: tuple[RawLog, ...]


@dataclass(frozen=True, slots=True)
class FollowerStep:
    """What to store in one transaction before asking for the next step.

    `rewind_to`: delete everything above this block (it is canonical and was delivered, or is the anchor).
    `reset`: the anchor itself is gone: forget everything derived from the chain; `rewind_to` is the new
    anchor.
    `blocks`: ascending, parent-linked to what was delivered before, except where a range below `finalized`
    leaves out blocks without logs. `head` is the newest block number the node named.
    """

    rewind_to: BlockRef | None
    blocks: tuple[FollowedBlock, ...]
    reset: bool
    head: int


class Follower:
    """Follows the logs of `addresses` from just above `anchor`. Keeps nothing on disk.

    Which blocks are delivered: every block that has logs; every block above `finalized`; and the last block
    of every step. Below `finalized` blocks without logs are left out of ranges.

    Args:
        anchor: the deployment block. Not genesis: a development chain restarted from its state file may
            change the hash of block 0.
        trail: the newest delivered blocks the caller has stored, ascending, canonical when stored. At most
            the last 256 count; a fork deeper than they reach rewinds to the anchor.
        hint: ws URL of a node, only to wake up earlier.
        poll: seconds between looks when nothing wakes it.
        stall_after: seconds the head may move without a step before an alarm is logged and `stalled` is set.
        shrink_patience: seconds a node may name a head below what was delivered, on the same chain, before
            the missing blocks are taken as gone. A node that lags (after a failover) is no fork.
    """

    def __init__(
        self,
        rpc: Rpc,
        addresses: Sequence[Address],
        anchor: BlockRef,
        trail: Sequence[BlockRef] = (),
        *,
        hint: str | None = None,
        poll: float = 1.0,
        stall_after: float = 60.0,
        shrink_patience: float = 60.0,
    ) -> None:
        self._rpc = rpc
        self._addresses = tuple(addresses)
        self._anchor = anchor
        self._trail = deque((ref for ref in trail if ref.number > anchor.number), maxlen=TRAIL)
        self._hint = HeadHint(hint) if hint else None
        self._poll = poll
        self._stall_after = stall_after
        self._shrink_patience = shrink_patience
        self._span = _SPAN_FIRST
        self._short_since: float | None = None
        self._progress_at = time.monotonic()
        self._progress_head: int | None = None
        self._unsettled = False
        self._waiting = False
        self.stalled = False

    @property
    def position(self) -> BlockRef:
        """The last block delivered, or the anchor."""
        return self._trail[-1] if self._trail else self._anchor

    async def steps(self) -> AsyncIterator[FollowerStep]:
        """Steps for ever. The caller stores each before asking for the next; a crash in between repeats it.

        An unreachable or inconsistent node only delays: it is asked again at the next poll.

        Raises:
            Fatal: an endpoint serves another chain.
        """
        if self._hint:
            self._hint.start()
        try:
            while True:
                # Cleared before looking: a head announced while we look must wake us again.
                if self._hint:
                    self._hint.event.clear()
                step = await self._look()
                if step is None:
                    await self._wait()
                else:
                    yield step
        finally:
            if self._hint:
                await self._hint.stop()

    async def _wait(self) -> None:
        pause = _RELOOK if self._unsettled else self._poll
        if self._hint is None or self._unsettled:
            await asyncio.sleep(min(pause, self._poll))
            return
        try:
            async with asyncio.timeout(pause):
                await self._hint.event.wait()
        except TimeoutError:
            pass

    async def _look(self) -> FollowerStep | None:
        reader = self._rpc.pinned()
        step, head = None, None
        self._unsettled = False
        try:
            head = await reader.head()
            step = await self._step(reader, head)
        except Moved as moved:
            log.debug("chain-moved-while-reading", why=str(moved))
            self._unsettled = True
        except Transient as error:
            if not self._waiting:
                log.warning("follower-waits", at=self.position.number, why=str(error))
            self._waiting = True
        else:
            self._waiting = False
        if head is not None:
            self._watch_progress(head, moved=step is not None or head.ref.hash == self.position.hash)
        return step

    async def _step(self, reader: ChainReader, head: Header) -> FollowerStep | None:
        position = self.position
        if head.ref.hash == position.hash:
            self._short_since = None
            return None
        if head.ref.number < self._anchor.number:
            # Not a reset: a node that is still syncing looks the same.
            log.warning("node-behind-deployment", head=head.ref.number, deployment=self._anchor.number)
            return None
        if head.parent != position.hash or head.ref.number != position.number + 1:
            rewind = await self._fork(reader, head)
            if rewind is not None or head.ref.number <= position.number:
                return rewind
        return await self._extend(reader, head)

    # ------------------------------------------------------------------ forks

    async def _fork(self, reader: ChainReader, head: Header) -> FollowerStep | None:
        """The rewind (or reset) that makes what was delivered canonical again; None if it is."""
        delivered = [self._anchor, *self._trail]
        within = bisect_right(delivered, head.ref.number, key=lambda ref: ref.number)
        if await _canonical(reader, delivered[within - 1]):
            return self._shorter(delivered, within, head)
        self._short_since = None
        if not await _canonical(reader, self._anchor):
            return await self._reset(reader, head)
        # Canonical blocks form a prefix of what was delivered: halve.
        low, high = 0, within - 1
        while high - low > 1:
            middle = (low + high) // 2
            if await _canonical(reader, delivered[middle]):
                low = middle
            else:
                high = middle
        return self._rewind(delivered[low], head)

    def _shorter(self, delivered: list[BlockRef], within: int, head: Header) -> FollowerStep | None:
        if within == len(delivered):
            self._short_since = None
            return None
        now = time.monotonic()
        if self._short_since is None:
            self._short_since = now
        if now - self._short_since < self._shrink_patience:
            return None
        self._short_since = None
        return self._rewind(delivered[within - 1], head)

    def _rewind(self, to: BlockRef, head: Header) -> FollowerStep:
        log.warning("chain-reorganised", to=to.number, blocks=self.position.number - to.number)
        while self._trail and self._trail[-1].number > to.number:
            self._trail.pop()
        return FollowerStep(rewind_to=to, blocks=(), reset=False, head=head.ref.number)

    async def _reset(self, reader: ChainReader, head: Header) -> FollowerStep:
        anchor = await reader.header(self._anchor.number)
        if anchor is None:
            raise Transient("the node lost the deployment block")
        log.error(
            "deployment-block-replaced", number=anchor.ref.number, was=self._anchor.hash, now=anchor.ref.hash
        )
        self._anchor = anchor.ref
        self._trail.clear()
        return FollowerStep(rewind_to=anchor.ref, blocks=(), reset=True, head=head.ref.number)

    # ------------------------------------------------------------------ growth

    async def _extend(self, reader: ChainReader, head: Header) -> FollowerStep:
        position = self.position
        first = position.number + 1
        finalized = -1
        if head.ref.number - position.number > _NEAR:
            finalized = await self._finalized(reader, head)
        if first <= finalized:
            blocks = await self._range(reader, position, first, finalized)
        else:
            last = min(head.ref.number, first + _NEAR - 1)
            blocks = await near_blocks(reader, self._addresses, position, last, head)
        followed = tuple(FollowedBlock(header.ref, header.parent, logs) for header, logs in blocks)
        self._trail.extend(block.ref for block in followed)
        return FollowerStep(rewind_to=None, blocks=followed, reset=False, head=head.ref.number)

    async def _finalized(self, reader: ChainReader, head: Header) -> int:
        try:
            header = await reader.header("finalized")
        except RpcError:
            header = None
        if header is None:
            # Chains without finality: below the trail's reach a fork means a rewind to the anchor anyway.
            return head.ref.number - TRAIL
        # Clamped: after a deep revert a development chain may name a finalized block it no longer has.
        return min(header.ref.number, head.ref.number)

    async def _range(
        self, reader: ChainReader, position: BlockRef, first: int, finalized: int
    ) -> list[tuple[Header, tuple[RawLog, ...]]]:
        last = min(finalized, first + self._span - 1)
        try:
            blocks = await range_blocks(reader, self._addresses, position, last)
        except (RpcError, AnswerTooLarge):
            # Nodes limit a query's blocks, logs or bytes in their own ways and words.
            if last == first:
                raise
            self._span = max(1, (last - first + 1) // 4)
            raise Moved(f"the node refused {last - first + 1} blocks at once") from None
        found = sum(len(logs) for _, logs in blocks)
        if found > 2 * _LOGS_WANTED:
            self._span = max(1, self._span // 2)
        elif found < _LOGS_WANTED and last - first + 1 == self._span:
            self._span = min(_SPAN_LAST, self._span * 2)
        return blocks

    def _watch_progress(self, head: Header, *, moved: bool) -> None:
        now = time.monotonic()
        if moved or self._progress_head is None:
            self._progress_at, self._progress_head = now, head.ref.number
            self.stalled = False
        elif not self.stalled and head.ref.number != self._progress_head:
            self.stalled = now - self._progress_at > self._stall_after
            if self.stalled:
                log.error("follower-stalled", at=self.position.number, head=head.ref.number)


async def _canonical(reader: ChainReader, ref: BlockRef) -> bool:
    header = await reader.header(ref.number)
    return header is not None and header.ref.hash == ref.hash
