"""One typed wrapper per contract; `Contracts` holds those of a deployment."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.chain.contracts.abi import UnsignedCall, load_abi
from jepanet.chain.contracts.bound import BoundContract, error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.contracts.lens import Lens
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.contracts.views import (
    Attestation,
    CommitmentView,
    Configuration,
    Opening,
    ProjectView,
    Result,
    RoundView,
    SetView,
    SignedCommit,
    StakeAccount,
)
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.requests import BlockId
from jepanet.types import Address

__all__ = [
    "Attestation",
    "CommitmentView",
    "Configuration",
    "Contracts",
    "Deployment",
    "Lens",
    "Opening",
    "ProjectView",
    "Result",
    "RoundView",
    "Rounds",
    "SetView",
    "SignedCommit",
    "StakeAccount",
    "Token",
    "UnsignedCall",
    "error_decoder",
    "load_abi",
]


class Token(BoundContract):
    """The deployment's ERC-20. All amounts in wei of it (18 decimals for the development token)."""

    name = "DevToken"

    async def balance(self, account: Address, block: BlockId) -> int:
        """Wei held by `account`."""
        return int(await self._read(block, "balanceOf", account))

    async def allowance(self, owner: Address, spender: Address, block: BlockId) -> int:
        """Wei that `spender` may still pull from `owner`."""
        return int(await self._read(block, "allowance", owner, spender))

    async def decimals(self, block: BlockId) -> int:
        """Decimal places of one whole token."""
        return int(await self._read(block, "decimals"))

    async def symbol(self, block: BlockId) -> str:
        """Short name."""
        return str(await self._read(block, "symbol"))

    async def nonce(self, owner: Address, block: BlockId) -> int:
        """Nonce of the owner's next permit."""
        return int(await self._read(block, "nonces", owner))

    def approve(self, spender: Address, amount: int) -> UnsignedCall:
        """Lets `spender` pull up to `amount`; replaces the previous allowance."""
        return self._write("approve", spender, amount)

    def transfer(self, to: Address, amount: int) -> UnsignedCall:
        """Moves `amount` to `to`. Reasons: ERC20InsufficientBalance."""
        return self._write("transfer", to, amount)

    def mint(self, to: Address, amount: int) -> UnsignedCall:
        """Development token only, by its owner. Reasons: OwnableUnauthorizedAccount."""
        return self._write("mint", to, amount)


@dataclass(frozen=True, slots=True)
class Contracts:
    """The wrappers of one deployment: tokens, everything that is written, everything that is read."""

    token: Token
    rounds: Rounds
    lens: Lens

    @classmethod
    def of(cls, rpc: Rpc, deployment: Deployment) -> Contracts:
        """Wraps the contracts at a deployment's addresses."""
        return cls(
            token=Token(rpc, deployment.token),
            rounds=Rounds(rpc, deployment.rounds),
            lens=Lens(rpc, deployment.lens),
        )
