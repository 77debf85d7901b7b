"""The canonical logs of a few contracts, in order, through reorganisations, restarts and lying subscriptions.

    anchor            trail (256 newest delivered blocks)        head
      |----- ... ------o--o--o--o--o--o--o--o--o------ ... --------|
      deployment       a fork is found by walking back here
              | finalized - range_from
      ranges <|-------------------> every block, parent-linked, its logs proven

One step looks at the chain once and answers with either a rewind or some blocks. Every request of a step goes
to one node (`Rpc.pinned`), because answers that must agree cannot come from two. That a node does not have a
block is no evidence of a fork; another hash at its height is.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from jepanet.chain.endpoints.answers import Header, RawLog
from jepanet.chain.endpoints.failover import ChainReader, Rpc, RpcError
from jepanet.chain.endpoints.head_hint import HeadHint
from jepanet.chain.endpoints.requests import Moved
from jepanet.chain.following.bloom import Blooms
from jepanet.chain.following.ranges import Blocks, proven_blocks, range_blocks
from jepanet.chain.following.spans import Span
from jepanet.errors import Transient
from jepanet.telemetry import get_logger
from jepanet.types import Address, BlockRef

log = get_logger("chain")

TRAIL = 256
_NEAR, _NEAR_AGAIN = 16, 64
_DEEP = 64
"""A fork of more blocks is believed only if no other endpoint shows the blocks it would undo."""
_RELOOK_FIRST, _RELOOK_LAST = 0.05, 2.0
_PATIENCE_WITH_ONE = 8
"""Contradictions in a row after which an endpoint is left alone for a while."""


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
    leaves out blocks without logs. `head` is the newest block number the node named. `proven`: no log of
    these blocks can be missing (see `ranges`).
    """

    rewind_to: BlockRef | None
    blocks: tuple[FollowedBlock, ...]
    reset: bool
    head: int
    proven: bool = True


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
        head_alarm: seconds without a new head after which an alarm is logged and `head_old` is set.
        range_from: stretches below `finalized` longer than this many blocks are read by log queries, shorter
            ones block by block.
        proven_until: blocks up to this number are read one by one, their logs proven, however many they are.
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
        head_alarm: float = 60.0,
        range_from: int = 1024,
        proven_until: int = -1,
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
        self._head_alarm = head_alarm
        self._range_from = range_from
        self._span = Span()
        self._batch = _NEAR
        self._blooms = Blooms(self._addresses)
        self._short_since: float | None = None
        self._progress_at = time.monotonic()
        self._progress_head: int | None = None
        self._head: BlockRef | None = None
        self._head_at = time.monotonic()
        self._contradictions = 0
        self._waiting = False
        self._again: list[BlockRef] | None = None
        self._again_until = proven_until
        self.stalled = False
        self.head_old = False

    @property
    def position(self) -> BlockRef:
        """The last block delivered, or the anchor."""
        return self._trail[-1] if self._trail else self._anchor

    @property
    def head_age(self) -> float:
        """Seconds since the newest block that any look saw was first seen, or since the start."""
        return time.monotonic() - self._head_at

    @property
    def head(self) -> BlockRef | None:
        """The newest block that the last answered look saw."""
        return self._head

    def read_again(self, trail: Sequence[BlockRef]) -> None:
        """Makes the next step a rewind to the last of `trail` (stored blocks, ascending; empty: the anchor),
        and reads everything after it block by block, its logs proven."""
        self._again_until = max(self._again_until, self.position.number)
        self._again = [ref for ref in trail if ref.number > self._anchor.number][-TRAIL:]

    async def steps(self) -> AsyncGenerator[FollowerStep]:
        """Steps for ever. The caller stores each before asking for the next; a crash in between repeats it.

        An unreachable or inconsistent node only delays: it is asked again at the next poll.
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
        if self._hint is None or self._contradictions:
            again = min(_RELOOK_LAST, _RELOOK_FIRST * 2 ** min(self._contradictions, 8))
            await asyncio.sleep(min(again, self._poll) if self._contradictions else self._poll)
            return
        try:
            async with asyncio.timeout(self._poll):
                await self._hint.event.wait()
        except TimeoutError:
            pass

    async def _look(self) -> FollowerStep | None:
        self._rpc.survey()
        reader = self._rpc.pinned()
        step, head = None, None
        try:
            head = await reader.head()
            step = await self._step(reader, head)
        except Moved as moved:
            log.debug("chain.moved", why=str(moved))
            self._contradictions += 1
            if self._contradictions % _PATIENCE_WITH_ONE == 0:
                self._rpc.rest(reader, str(moved))
                # It may have named a head that no chain has: what others name next is news.
                self._head, head = None, None
        except Transient as error:
            self._contradictions = 0
            if not self._waiting:
                log.warning("follower.delayed", at=self.position.number, why=str(error))
            self._waiting = True
        else:
            self._contradictions = 0
            self._waiting = False
        self._watch_head(head)
        if head is not None:
            self._watch_progress(head, moved=step is not None or head.ref.hash == self.position.hash)
        return step

    async def _step(self, reader: ChainReader, head: Header) -> FollowerStep | None:
        if self._again is not None:
            return self._read_again(self._again, head)
        position = self.position
        if head.ref.hash == position.hash:
            if head.ref.number != position.number:
                raise Moved(f"the node gives block {position.number} the number {head.ref.number}")
            self._short_since = None
            return None
        if head.ref.number < self._anchor.number:
            # Not a reset: a node that is still syncing looks the same.
            log.warning("deployment.unreached", head=head.ref.number, deployment=self._anchor.number)
            return None
        if head.parent != position.hash or head.ref.number != position.number + 1:
            rewind = await self._fork(reader, head)
            if rewind is not None or head.ref.number <= position.number:
                return rewind
        return await self._extend(reader, head)

    def _read_again(self, trail: list[BlockRef], head: Header) -> FollowerStep:
        self._again = None
        self._trail = deque(trail, maxlen=TRAIL)
        log.warning("chain.rescanned", after=self.position.number, until=self._again_until)
        return FollowerStep(rewind_to=self.position, blocks=(), reset=False, head=head.ref.number)

    # ------------------------------------------------------------------ forks

    async def _fork(self, reader: ChainReader, head: Header) -> FollowerStep | None:
        """The rewind (or reset) that makes what was delivered canonical again; None if it is."""
        delivered = [self._anchor, *self._trail]
        within = bisect_right(delivered, head.ref.number, key=lambda ref: ref.number)
        if await _canonical(reader, delivered[within - 1]):
            return self._shorter(delivered, within, head)
        self._short_since = None
        await self._rpc.confirm_chain(reader)
        if not await _canonical(reader, self._anchor):
            # The gravest finding: made sure that no other endpoint still has the block.
            for other in self._rpc.readers():
                if await _canonical(other, self._anchor):
                    raise Moved("the endpoints disagree on the deployment block")
            return await self._reset(reader, head)
        # Canonical blocks form a prefix of what was delivered: halve.
        low, high = 0, within - 1
        while high - low > 1:
            middle = (low + high) // 2
            if await _canonical(reader, delivered[middle]):
                low = middle
            else:
                high = middle
        if self.position.number - delivered[low].number > _DEEP:
            await self._expect_gone(self.position)
        return self._rewind(delivered[low], head)

    async def _expect_gone(self, ref: BlockRef) -> None:
        """Deep forks are rare, copies of a chain under its own id are not: makes sure that no other endpoint
        still has the block. One that has not come so far says nothing.

        Raises: Moved (one has it); Transient (one does not answer).
        """
        for other in self._rpc.readers():
            header = await other.header(ref.number)
            if header is not None and header.ref.hash == ref.hash:
                raise Moved(f"the endpoints disagree on block {ref.number}, and on many before it")

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
        log.warning("chain.reorganised", to=to.number, blocks=self.position.number - to.number)
        while self._trail and self._trail[-1].number > to.number:
            self._trail.pop()
        self._head = None
        return FollowerStep(rewind_to=to, blocks=(), reset=False, head=head.ref.number)

    async def _reset(self, reader: ChainReader, head: Header) -> FollowerStep:
        anchor = await reader.header(self._anchor.number)
        if anchor is None:
            raise Transient("the node lost the deployment block")
        log.error("deployment.replaced", number=anchor.ref.number, was=self._anchor.hash, now=anchor.ref.hash)
        self._anchor = anchor.ref
        self._trail.clear()
        self._head = None
        return FollowerStep(rewind_to=anchor.ref, blocks=(), reset=True, head=head.ref.number)

    # ------------------------------------------------------------------ growth

    async def _extend(self, reader: ChainReader, head: Header) -> FollowerStep:
        position = self.position
        finalized = -1
        if head.ref.number - position.number > _NEAR:
            finalized = await self._finalized(reader, head)
        again = position.number < self._again_until
        by_range = not again and finalized - position.number > self._range_from
        blocks: Blocks
        if by_range:
            last = min(finalized, position.number + self._span.size)
            others = self._rpc.readers()[1:]
            blocks = await range_blocks((reader, *others), self._addresses, position, last, self._span)
        else:
            last = min(head.ref.number, position.number + self._batch)
            # Every block of a batch must be answered: where answers are rare, fewer at once get through.
            most, self._batch = _NEAR_AGAIN if again else _NEAR, max(1, self._batch // 2)
            blocks = await proven_blocks(reader, self._addresses, position, last, head, self._blooms)
            self._batch = min(most, self._batch * 4)
        followed = tuple(FollowedBlock(header.ref, header.parent, logs) for header, logs in blocks)
        self._trail.extend(block.ref for block in followed)
        return FollowerStep(
            rewind_to=None, blocks=followed, reset=False, head=head.ref.number, proven=not by_range
        )

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

    def _watch_head(self, head: Header | None) -> None:
        """Only a higher block is news: behind one address, heads go back and forth."""
        if head is not None and (self._head is None or head.ref.number > self._head.number):
            if self.head_old:
                log.info("head.moved", head=head.ref.number, after=round(self.head_age))
            self._head, self._head_at, self.head_old = head.ref, time.monotonic(), False
        elif not self.head_old and self.head_age > self._head_alarm:
            self.head_old = True
            log.error("head.stopped", head=None if self._head is None else self._head.number,
                      seconds=round(self.head_age),
                      remedy="the chain or every endpoint stands still: compare with a block explorer, add "
                      "another endpoint to chain.endpoints")  # fmt: skip

    def _watch_progress(self, head: Header, *, moved: bool) -> None:
        now = time.monotonic()
        if moved or self._progress_head is None:
            self._progress_at, self._progress_head = now, head.ref.number
            self.stalled = False
        elif not self.stalled and head.ref.number != self._progress_head:
            self.stalled = now - self._progress_at > self._stall_after
            if self.stalled:
                log.error("follower.stalled", at=self.position.number, head=head.ref.number)


async def _canonical(reader: ChainReader, ref: BlockRef) -> bool:
    """Whether this block is still at its height. Raises: Moved when the node does not have that height."""
    header = await reader.header(ref.number)
    if header is None:
        raise Moved(f"the node does not have block {ref.number}, below the head it named")
    return header.ref.hash == ref.hash
