"""The TrainingRounds contract: every call that changes something, in chapters as the contract has them."""

from __future__ import annotations

from jepanet.chain.contracts.round_calls import RoundCalls
from jepanet.chain.contracts.setup_calls import SetupCalls
from jepanet.chain.contracts.views import Configuration
from jepanet.chain.endpoints.requests import BlockId


class Rounds(SetupCalls, RoundCalls):
    """Stakes, verifier sets, projects and rounds at one address.

    Reasons of `Rejected` named in the chapters are the contract's custom errors; every step out of its phase
    is refused with `WrongPhase`. Reads go to `Lens`, beside the two that the contract answers itself.
    """

    async def configuration(self, block: BlockId) -> Configuration:
        """What was fixed at deployment."""
        return Configuration(*await self._read(block, "configuration"))

    async def paused(self, block: BlockId) -> bool:
        """Whether deposits and openings are stopped. Commits, challenges and exits never are."""
        return bool(await self._read(block, "paused"))
