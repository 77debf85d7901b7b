"""The chain's rounds as a node sees them: its logs folded by the same state machine."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.following.follower import Follower, FollowerStep
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.operations.reading.chronicle import Chronicle, Noted, noted
from jepanet.protocol.facts import ChainBlock
from jepanet.protocol.state import Identity, NodeState, Round
from jepanet.protocol.transition import genesis, transition
from jepanet.types import Address, BlockRef, ProjectId, RoundId

_NOBODY = Address("0x0000000000000000000000000000000000000000")
_POLL_SECONDS = 0.2
_KEPT = 64
"""Newest blocks of which it is kept what was known then."""


class History:
    """Reads nothing before it is asked, then each block once: later calls add what is new.

    After a fork it goes on from the last block that both have, where that is among the newest that were read,
    and is read anew otherwise. `only`: the project whose ended rounds are kept; None: of all.
    """

    def __init__(self, chain: ChainAccess, only: ProjectId | None = None) -> None:
        self._chain = chain
        self._only = only
        self._turn = asyncio.Lock()
        self._begin()

    def _begin(self) -> None:
        chain = self._chain
        deployment = chain.deployment
        follower: Follower[Noted] = Follower(
            chain.rpc, deployment.followed, deployment.anchor, noted, poll=_POLL_SECONDS
        )
        self._follower, self._steps = follower, follower.steps()
        self._state, self._read = genesis(Identity(_NOBODY, frozenset())), False
        self._chronicle = Chronicle(only=self._only)
        self._known: OrderedDict[BlockRef, tuple[NodeState, Chronicle]] = OrderedDict()

    @property
    def deployment(self) -> Deployment:
        """The contracts whose logs are read."""
        return self._chain.deployment

    @property
    def so_far(self) -> NodeState:
        """What the blocks that were read so far say; `state` reads on first."""
        return self._state

    @property
    def chronicle(self) -> Chronicle:
        """What the blocks that were read so far say, beyond the state: older rounds, and transactions."""
        return self._chronicle

    @property
    def position(self) -> BlockRef:
        """The newest block that was read, or that of the deployment."""
        return self._follower.position

    async def state(self) -> NodeState:
        """Every round the chain knows, at its newest block.

        Raises: Fatal for a wrong chain; Transient when no endpoint answers.
        """
        async with self._turn:
            if not self._read or await self._has_more():
                await self._catch_up()
            return self._state

    async def _catch_up(self) -> None:
        self._read = False
        while not self._read:
            try:
                step = await anext(self._steps)
            except BaseException:
                self._steps = self._follower.steps()  # a generator that was cancelled or raised gives no more
                raise
            if step.rewind_to is None:
                self._fold(step)
            elif not self._goes_back(step.rewind_to):
                await self.close()
                self._begin()

    def _goes_back(self, block: BlockRef) -> bool:
        """Forgets what was read above a block; False where nobody remembers what was known there."""
        known = self._known.get(block)
        if known is None:
            return False
        self._state, self._chronicle = known
        while next(reversed(self._known)) != block:
            self._known.popitem()
        return True

    async def _has_more(self) -> bool:
        return (await self._chain.rpc.head()).ref.number > self._follower.position.number

    def _fold(self, step: FollowerStep[Noted]) -> None:
        for block in step.blocks:
            for item in block.facts:
                self._state, _ = transition(self._state, item.fact)
            told = self._state.rounds
            self._state, _ = transition(self._state, ChainBlock(block.ref))
            self._chronicle = self._chronicle.after(block.facts, told, self._state.rounds)
            self._known[block.ref] = (self._state, self._chronicle)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._read = bool(step.blocks) and step.blocks[-1].ref.number >= step.head

    async def close(self) -> None:
        """Ends what waits for new blocks."""
        await self._steps.aclose()


@asynccontextmanager
async def open_history(chain: ChainAccess, only: ProjectId | None = None) -> AsyncIterator[History]:
    """The history of an open chain. `only` is as `History` takes it."""
    history = History(chain, only)
    try:
        yield history
    finally:
        await history.close()


def find_round(state: NodeState, round_id: int) -> Round:
    """Raises: Fatal when the chain has no such round (exit code `NOT_FOUND`)."""
    found = state.rounds.get(RoundId(round_id))
    if found is None:
        known = ", ".join(str(item) for item in sorted(state.rounds)) or "none"
        raise Fatal(f"there is no round {round_id}", remedy=f"known rounds: {known}", code=Exit.NOT_FOUND)
    return found
