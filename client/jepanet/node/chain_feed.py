"""From the follower's raw blocks to confirmed facts.

The journal keeps the canonical copy: every block and log of the current chain, rewound when the chain is. The
machine is fed from that copy, and only with blocks that have enough confirmations on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jepanet.chain.endpoints.answers import RawLog
from jepanet.chain.following.events import decode
from jepanet.chain.following.follower import FollowedBlock, FollowerStep
from jepanet.node.engine import Engine
from jepanet.protocol.facts import ChainBlock, ChainFact
from jepanet.storage.journal import Journal, StoredBlock, StoredLog
from jepanet.telemetry import get_logger
from jepanet.types import Address, BlockRef

log = get_logger("node")


class ChainFeed:
    """Stores follower steps and hands confirmed blocks to the engine."""

    def __init__(self, journal: Journal, engine: Engine, confirmations: int) -> None:
        self._journal = journal
        self._engine = engine
        self._confirmations = confirmations

    @property
    def caught_up(self) -> bool:
        """Whether the last step reached the chain's head."""
        return self._engine.caught_up

    def take(self, step: FollowerStep) -> None:
        """One follower step: store it, rewind the machine if need be, feed what is confirmed."""
        rewind_to = step.rewind_to.number if step.rewind_to else None
        if rewind_to is not None:
            self._engine.resend()  # before the fork is stored: after a crash in between it is seen again
        self._journal.apply_step(
            rewind_to=rewind_to, blocks=[(_block(item), _logs(item)) for item in step.blocks]
        )
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
        """Confirmed blocks above `cursor` with their facts: decoded events in log order, then the block."""
        head = self._journal.head()
        if head is not None:
            yield from self._facts(0 if cursor is None else cursor + 1, head.number - self._confirmations)

    def up_to(self, last: int) -> Iterator[tuple[int, Sequence[ChainFact]]]:
        """Blocks up to `last` with their facts, as `after`."""
        yield from self._facts(0, last)

    def _facts(self, first: int, last: int) -> Iterator[tuple[int, Sequence[ChainFact]]]:
        if last < first:
            return
        logs: dict[int, list[StoredLog]] = {}
        for item in self._journal.logs(first, last):
            logs.setdefault(item.block_number, []).append(item)
        for block in self._journal.blocks_between(first, last):
            ref = BlockRef(block.number, block.hash, block.timestamp)
            facts = [fact for item in logs.get(block.number, ()) if (fact := decode(_raw(item), ref))]
            yield block.number, (*facts, ChainBlock(ref))


def _raw(item: StoredLog) -> RawLog:
    return RawLog(Address(item.address), item.topics, item.data, item.log_index, item.tx_hash)


def _block(item: FollowedBlock) -> StoredBlock:
    return StoredBlock(item.ref.number, item.ref.hash, item.parent, item.ref.timestamp)


def _logs(item: FollowedBlock) -> list[StoredLog]:
    return [
        StoredLog(item.ref.number, item.ref.hash, raw.index, raw.address, raw.topics, raw.data, raw.tx_hash)
        for raw in item.logs
    ]
