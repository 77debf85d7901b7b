"""The chain's rounds as a node sees them: its logs folded by the same state machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jepanet.chain.following.follower import Follower, FollowerStep
from jepanet.chain.following.logs_to_facts import decode
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.protocol.facts import ChainBlock, ChainEvent
from jepanet.protocol.state import Identity, NodeState, Round
from jepanet.protocol.transition import genesis, transition
from jepanet.types import Address, RoundId

_NOBODY = Address("0x0000000000000000000000000000000000000000")
_POLL_SECONDS = 0.2


class History:
    """Reads nothing before it is asked, then each block once: later calls add what is new.

    A fork of blocks that were read starts it anew.
    """

    def __init__(self, chain: ChainAccess) -> None:
        self._chain = chain
        self._turn = asyncio.Lock()
        self._begin()

    def _begin(self) -> None:
        chain = self._chain
        deployment = chain.deployment
        follower: Follower[ChainEvent] = Follower(
            chain.rpc, deployment.followed, deployment.anchor, decode, poll=_POLL_SECONDS
        )
        self._follower, self._steps = follower, follower.steps()
        self._state, self._read = genesis(Identity(_NOBODY, frozenset())), False

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
            else:
                await self.close()
                self._begin()

    async def _has_more(self) -> bool:
        return (await self._chain.rpc.head()).ref.number > self._follower.position.number

    def _fold(self, step: FollowerStep[ChainEvent]) -> None:
        for block in step.blocks:
            for fact in block.facts:
                self._state, _ = transition(self._state, fact)
            self._state, _ = transition(self._state, ChainBlock(block.ref))
        self._read = bool(step.blocks) and step.blocks[-1].ref.number >= step.head

    async def close(self) -> None:
        """Ends what waits for new blocks."""
        await self._steps.aclose()


@asynccontextmanager
async def open_history(chain: ChainAccess) -> AsyncIterator[History]:
    """The history of an open chain."""
    history = History(chain)
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
