"""Facts of the chain: stored as the follower finds them, fed to the machine once their block is confirmed.

    follower ──step──▶ journal: blocks, events ──confirmed──▶ engine

The journal keeps the canonical copy, rewound when the chain is. The machine is fed from that copy, and only
with blocks that have enough confirmations on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from jepanet.chain.following.follower import FollowedBlock, Follower, FollowerStep
from jepanet.errors import Exit, Fatal
from jepanet.node.engine import Engine
from jepanet.protocol.facts import ChainBlock, ChainEvent, ChainFact
from jepanet.protocol.journal_codec import decode_fact, encode_fact
from jepanet.storage.journal import Journal, StoredBlock, StoredEvent
from jepanet.types import BlockRef


class ConfirmedFacts:
    """Stores follower steps and hands confirmed blocks to the engine."""

    def __init__(self, journal: Journal, engine: Engine, confirmations: int) -> None:
        self._journal = journal
        self._engine = engine
        self._confirmations = confirmations

    @property
    def caught_up(self) -> bool:
        """Whether the last step reached the chain's head."""
        return self._engine.caught_up

    async def follow(self, follower: Follower[ChainEvent], unproven: Callable[[], None]) -> None:
        """Takes every step until cancelled; calls `unproven` after one whose blocks may lack events.

        Raises: Fatal (the journal is damaged or full).
        """
        async for step in follower.steps():
            self.take(step)
            if not step.proven:
                unproven()

    def take(self, step: FollowerStep[ChainEvent]) -> None:
        """One follower step: store it, rewind the machine if need be, feed what is confirmed."""
        rewind_to = step.rewind_to.number if step.rewind_to else None
        if rewind_to is not None:
            self._engine.resend()  # before the fork is stored: after a crash in between it is seen again
        self._journal.apply_step(rewind_to=rewind_to, blocks=[_stored(item) for item in step.blocks])
        self.settle_rewind()
        self._engine.feed_chain(self)
        head = self._journal.head()
        # While the last stored block is behind the chain's head, old blocks are still being replayed.
        self._engine.caught_up = head is not None and head.number >= step.head
        self._engine.notice()

    def settle_rewind(self) -> None:
        """Takes the machine back if blocks it was fed left the chain; also after a crash in between."""
        due = self._journal.rewind_due()
        if due is not None:
            self._engine.rewind(due)

    def after(self, cursor: int | None) -> Iterator[tuple[int, Sequence[ChainFact]]]:
        """Confirmed blocks above `cursor` with their facts: events in log order, then the block."""
        head = self._journal.head()
        if head is not None:
            yield from self._facts(0 if cursor is None else cursor + 1, head.number - self._confirmations)

    def events_up_to(self, last: int) -> Iterator[tuple[int, Sequence[ChainEvent]]]:
        """Blocks up to `last` that have events, with these in log order.

        Blocks without any are not read: there are thousands of them. Nor are all events held at once: with
        every round there are more, and what a process once held it keeps.
        """
        for number, stored in groupby(self._journal.each_event(last), lambda item: item.block_number):
            yield number, [_event(item) for item in stored]

    def _events(self, first: int, last: int) -> dict[int, list[ChainEvent]]:
        events: dict[int, list[ChainEvent]] = {}
        for item in self._journal.events(first, last):
            events.setdefault(item.block_number, []).append(_event(item))
        return events

    def _facts(self, first: int, last: int) -> Iterator[tuple[int, Sequence[ChainFact]]]:
        if last < first:
            return
        events = self._events(first, last)
        for block in self._journal.blocks_between(first, last):
            ref = BlockRef(block.number, block.hash, block.timestamp)
            yield block.number, (*events.get(block.number, ()), ChainBlock(ref))


def _event(stored: StoredEvent) -> ChainEvent:
    fact = decode_fact(stored.tag, stored.payload)
    if not isinstance(fact, ChainEvent):
        raise Fatal(
            f"the journal holds a {stored.tag} among the events of block {stored.block_number}",
            remedy="restore the journal from a backup, or give the node a new data directory",
            code=Exit.DAMAGED,
        )
    return fact


def _stored(block: FollowedBlock[ChainEvent]) -> tuple[StoredBlock, list[StoredEvent]]:
    ref = block.ref
    events = [StoredEvent(ref.number, fact.log_index, *encode_fact(fact)) for fact in block.facts]
    return StoredBlock(ref.number, ref.hash, block.parent, ref.timestamp), events
