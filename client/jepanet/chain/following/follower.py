"""The facts of a few contracts, in order, through reorganisations, restarts and lying subscriptions.

    anchor            trail (256 newest delivered blocks)        head
      |----- ... ------o--o--o--o--o--o--o--o--o------ ... --------|
      deployment       a fork is found by walking back here (`reorganisations`)
              | finalized - range_from
      ranges <|-------------------> every block, parent-linked, its logs proven (`block_reading`)

One step looks at the chain once and answers with either a rewind or some blocks. Every request of a step goes
to one node (`Rpc.pinned`), because answers that must agree cannot come from two.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Generic

from jepanet.chain.endpoints.answers import Header
from jepanet.chain.endpoints.failover import ChainReader, Rpc, RpcError
from jepanet.chain.endpoints.head_hint import HeadHint
from jepanet.chain.endpoints.requests import Moved
from jepanet.chain.following.block_reading import Blocks, Decode, Read, proven_blocks, range_blocks
from jepanet.chain.following.bloom import Blooms
from jepanet.chain.following.query_span import Span
from jepanet.chain.following.reorganisations import Reorganisation, Reorganisations
from jepanet.chain.following.rhythm import Rhythm
from jepanet.chain.following.stall_alarm import StallAlarm
from jepanet.errors import Transient
from jepanet.telemetry import get_logger
from jepanet.types import Address, BlockRef

log = get_logger("chain")

TRAIL = 256
_NEAR, _NEAR_AGAIN = 16, 64
_RELOOK_FIRST, _RELOOK_LAST = 0.05, 2.0
_PATIENCE_WITH_ONE = 8
"""Contradictions in a row after which an endpoint is left alone for a while."""


@dataclass(frozen=True, slots=True)
class FollowedBlock(Generic[Read]):
    """One canonical block and the decoded logs of the watched contracts in it, in order."""

    ref: BlockRef
    parent: bytes
    """Hash of the block before it."""
    facts: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class FollowerStep(Generic[Read]):
    """What to store in one transaction before asking for the next step."""

    rewind_to: BlockRef | None
    """Delete everything above this block: it is canonical and was delivered, or is the anchor."""
    blocks: tuple[FollowedBlock[Read], ...]
    """Ascending, parent-linked to what was delivered before, except where a range below `finalized` leaves
    out blocks without logs."""
    reset: bool
    """The anchor itself is gone: forget everything derived from the chain. `rewind_to` is the new anchor."""
    head: int
    """The newest block number the node named."""
    proven: bool = True
    """No log of these blocks can be missing (see `block_reading`)."""


class Follower(Generic[Read]):
    """Follows the contracts at `addresses` from just above `anchor`. Keeps nothing on disk.

    Which blocks are delivered: every block that has logs; every block above `finalized`; and the last block
    of every step. Below `finalized` blocks without logs are left out of ranges.

    Args:
        anchor: the deployment block. Not genesis: a development chain restarted from its state file may
            change the hash of block 0.
        decode: from a log to a fact. `logs_to_facts.decode` for the facts of the protocol.
        trail: the newest delivered blocks the caller has stored, ascending, canonical when stored. At most
            the last 256 count; a fork deeper than they reach rewinds to the anchor.
        hint: ws URL of a node, only to wake up earlier.
        poll: the shortest pause between looks when nothing wakes it, in seconds (see `rhythm`).
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
        decode: Decode[Read],
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
        self._decode = decode
        self._trail = deque((ref for ref in trail if ref.number > anchor.number), maxlen=TRAIL)
        self._hint = HeadHint(hint, rpc.traffic) if hint else None
        self._poll = poll
        self._rhythm = Rhythm(poll)
        self._reorganisations = Reorganisations(rpc, shrink_patience)
        self._alarm = StallAlarm(stall_after, head_alarm)
        self._range_from = range_from
        self._span = Span()
        self._batch = _NEAR
        self._blooms = Blooms(self._addresses)
        self._contradictions = 0
        self._waiting = False
        self._again: list[BlockRef] | None = None
        self._again_until = proven_until

    @property
    def position(self) -> BlockRef:
        """The last block delivered, or the anchor."""
        return self._trail[-1] if self._trail else self._anchor

    @property
    def head_age(self) -> float:
        """Seconds since the newest block that any look saw was first seen, or since the start."""
        return self._alarm.head_age

    @property
    def clock_ahead(self) -> float | None:
        """Seconds that this machine's clock is ahead of new blocks; None before one was seen to be new."""
        return self._alarm.clock_ahead

    @property
    def head(self) -> BlockRef | None:
        """The newest block that the last answered look saw."""
        return self._alarm.head

    @property
    def head_old(self) -> bool:
        """Whether no new head was seen for `head_alarm` seconds."""
        return self._alarm.head_old

    @property
    def stalled(self) -> bool:
        """Whether the head moved on for `stall_after` seconds without a step."""
        return self._alarm.stalled

    @property
    def rewinding(self) -> bool:
        """Whether the rewind that `read_again` asks for is still to come."""
        return self._again is not None

    def read_again(self, trail: Sequence[BlockRef]) -> None:
        """Makes the next step a rewind to the last of `trail` (stored blocks, ascending; empty: the anchor),
        and reads everything after it block by block, its logs proven."""
        self._again_until = max(self._again_until, self.position.number)
        self._again = [ref for ref in trail if ref.number > self._anchor.number][-TRAIL:]

    async def steps(self) -> AsyncGenerator[FollowerStep[Read]]:
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
                    if step.rewind_to is None and step.head == self.position.number:
                        await self._wait()  # nothing is left of what this look saw
        finally:
            if self._hint:
                await self._hint.stop()

    async def _wait(self) -> None:
        if self._hint is None or self._contradictions:
            again = min(_RELOOK_LAST, _RELOOK_FIRST * 2 ** min(self._contradictions, 8))
            pause = self._rhythm.pause(told=False)
            await asyncio.sleep(min(again, self._poll) if self._contradictions else pause)
            return
        try:
            async with asyncio.timeout(self._rhythm.pause(told=self._hint.listening and not self._waiting)):
                await self._hint.event.wait()
        except TimeoutError:
            pass

    async def _look(self) -> FollowerStep[Read] | None:
        reader = self._rpc.pinned()
        step, head = None, None
        try:
            head = await self._named(reader)
            untrue = self._rpc.forms.disproven()
            if untrue is not None:
                self.read_again([ref for ref in self._trail if ref.number < untrue])
            step = await self._step(reader, head)
        except Moved as moved:
            log.debug("chain.moved", why=str(moved))
            self._contradictions += 1
            if self._contradictions % _PATIENCE_WITH_ONE == 0:
                self._rpc.rest(reader, str(moved))
                # It may have named a head that no chain has: what others name next is news.
                self._alarm.forget_head()
                head = None
        except Transient as error:
            self._contradictions = 0
            if not self._waiting:
                log.warning("follower.delayed", at=self.position.number, why=str(error))
            self._waiting = True
        else:
            self._contradictions = 0
            self._waiting = False
        self._alarm.saw(head)
        if head is not None:
            self._rhythm.saw(head.ref.number)
            at_head = head.ref.hash == self.position.hash
            self._alarm.followed(self.position, head, moved=step is not None or at_head)
        return step

    async def _named(self, reader: ChainReader) -> Header:
        """The node's head. Only then, and also if it names none, the endpoints are compared: what it has just
        named need not be asked for again."""
        try:
            return await reader.head()
        finally:
            self._rpc.survey(self._rhythm.block)

    async def _step(self, reader: ChainReader, head: Header) -> FollowerStep[Read] | None:
        if self._again is not None:
            return self._read_again(self._again, head)
        position = self.position
        if head.ref.hash == position.hash:
            if head.ref.number != position.number:
                raise Moved(f"the node gives block {position.number} the number {head.ref.number}")
            self._reorganisations.none()
            return None
        if head.ref.number < self._anchor.number:
            # Not a reset: a node that is still syncing looks the same.
            log.warning("deployment.unreached", head=head.ref.number, deployment=self._anchor.number)
            return None
        if head.parent != position.hash or head.ref.number != position.number + 1:
            found = await self._reorganisations.look(reader, head, [self._anchor, *self._trail])
            if found is not None:
                return self._rewind(found, head)
            if head.ref.number <= position.number:
                return None
        return await self._extend(reader, head)

    def _read_again(self, trail: list[BlockRef], head: Header) -> FollowerStep[Read]:
        self._again = None
        self._trail = deque(trail, maxlen=TRAIL)
        log.warning("chain.rescanned", after=self.position.number, until=self._again_until)
        return FollowerStep(rewind_to=self.position, blocks=(), reset=False, head=head.ref.number)

    def _rewind(self, found: Reorganisation, head: Header) -> FollowerStep[Read]:
        if found.reset:
            self._anchor = found.to
        while self._trail and (found.reset or self._trail[-1].number > found.to.number):
            self._trail.pop()
        self._alarm.forget_head()
        return FollowerStep(rewind_to=found.to, blocks=(), reset=found.reset, head=head.ref.number)

    async def _extend(self, reader: ChainReader, head: Header) -> FollowerStep[Read]:
        position = self.position
        finalized = -1
        if head.ref.number - position.number > _NEAR:
            finalized = await self._finalized(reader, head)
        again = position.number < self._again_until
        by_range = not again and finalized - position.number > self._range_from
        blocks: Blocks[Read]
        if by_range:
            last = min(finalized, position.number + self._span.size)
            readers = (reader, *self._rpc.readers()[1:])
            blocks = await range_blocks(
                readers, self._addresses, position, last, self._span, self._blooms, self._decode
            )
        else:
            last = min(head.ref.number, position.number + self._batch)
            # Every block of a batch must be answered: where answers are rare, fewer at once get through.
            most, self._batch = _NEAR_AGAIN if again else _NEAR, max(1, self._batch // 2)
            blocks = await proven_blocks(
                reader, self._addresses, position, last, head, self._blooms, self._decode
            )
            self._batch = min(most, self._batch * 4)
        followed = tuple(FollowedBlock(header.ref, header.parent, facts) for header, facts in blocks)
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
