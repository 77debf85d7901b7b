"""One typed wrapper per contract; `Contracts` holds those of a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.chain.contracts.abi import UnsignedCall, load_abi
from jepanet.chain.contracts.bound import BoundContract, error_decoder
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.contracts.views import (
    Attestation,
    CommitmentView,
    ProjectView,
    Result,
    RoundView,
    StakeAccount,
)
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.requests import BlockId
from jepanet.types import Address

__all__ = [
    "Attestation",
    "CommitmentView",
    "Contracts",
    "Deployment",
    "ProjectView",
    "Registry",
    "Result",
    "RoundView",
    "Rounds",
    "StakeAccount",
    "Token",
    "UnsignedCall",
    "Vault",
    "VerifierSets",
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


class Vault(BoundContract):
    """Stakes of every participant. Only the rounds contract locks, holds and slashes."""

    name = "StakeVault"

    async def account(self, account: Address, block: BlockId) -> StakeAccount:
        """An account's stake; zeros for a stranger."""
        return StakeAccount(*await self._read(block, "accountOf", account))

    async def unbond_requests(self, account: Address, block: BlockId) -> tuple[tuple[int, int], ...]:
        """Pending (amount in wei, available at in unix seconds), oldest first."""
        amounts, times = await self._read(block, "unbondRequestsOf", account)
        return tuple(zip(amounts, times, strict=True))

    async def minimum_verifier_stake(self, block: BlockId) -> int:
        """Free stake each verifier of a round must have, in wei."""
        return int(await self._read(block, "minimumVerifierStake"))

    async def unbond_delay(self, block: BlockId) -> int:
        """Seconds between an unbond request and its payment."""
        return int(await self._read(block, "unbondDelay"))

    def deposit(self, amount: int) -> UnsignedCall:
        """Adds approved tokens to one's free stake. Reasons: ZeroAmount, EntriesPaused, TokenTookFee,
        ERC20InsufficientAllowance."""
        return self._write("deposit", amount)

    def deposit_with_permit(self, amount: int, deadline: int, v: int, r: bytes, s: bytes) -> UnsignedCall:
        """`deposit` with an ERC-2612 permit instead of an approval."""
        return self._write("depositWithPermit", amount, deadline, v, r, s)

    def request_unbond(self, amount: int) -> UnsignedCall:
        """Moves free stake on its way out; each request matures on its own. Reasons: InsufficientStake,
        StakeHeld, TooManyUnbondRequests."""
        return self._write("requestUnbond", amount)

    def withdraw_unbonded(self) -> UnsignedCall:
        """Pays out every matured request. Reasons: NothingToWithdraw, StakeHeld."""
        return self._write("withdrawUnbonded")


class VerifierSets(BoundContract):
    """Sets of verifiers with a threshold; members never change, a set works once all have joined."""

    name = "VerifierSets"

    async def members(self, set_id: int, block: BlockId) -> tuple[Address, ...]:
        """Members in ascending order; empty for an unknown set."""
        return tuple(Address(member) for member in await self._read(block, "membersOf", set_id))

    async def threshold(self, set_id: int, block: BlockId) -> int:
        """Signatures a result needs; 0 for an unknown set."""
        return int(await self._read(block, "thresholdOf", set_id))

    async def is_active(self, set_id: int, block: BlockId) -> bool:
        """Whether every member has joined, so that rounds can use the set."""
        return bool(await self._read(block, "isActive", set_id))

    async def has_joined(self, set_id: int, member: Address, block: BlockId) -> bool:
        """Whether a member has consented."""
        return bool(await self._read(block, "hasJoined", set_id, member))

    async def count(self, block: BlockId) -> int:
        """Sets created so far; ids start at 1."""
        return int(await self._read(block, "setCount"))

    def create(self, members: Sequence[Address], threshold: int) -> UnsignedCall:
        """Registers a set of at most 32 members, sorted here as the contract wants them; the threshold is
        more than half. Reasons: BadMemberCount, BadThreshold, MembersNotAscending (a duplicate)."""
        ordered = sorted(members, key=lambda member: int(member, 16))
        return self._write("createVerifierSet", ordered, threshold)

    def created(self, receipt: Receipt) -> int | None:
        """The id of the set that a transaction created; None if it created none."""
        return self._created(receipt, "VerifierSetCreated")

    def join(self, set_id: int) -> UnsignedCall:
        """A member consents: its stake will be held by rounds. Reasons: NotMember, AlreadyJoined."""
        return self._write("join", set_id)

    def leave(self, set_id: int) -> UnsignedCall:
        """A member withdraws: no new round can use the set. Reasons: NotJoined."""
        return self._write("leave", set_id)


class Registry(BoundContract):
    """Projects: what is trained, on what, judged by whom, and the current model."""

    name = "ProjectRegistry"

    async def project(self, project_id: int, block: BlockId) -> ProjectView:
        """The project; zeros for an unknown id."""
        return ProjectView(*await self._read(block, "getProject", project_id))

    async def count(self, block: BlockId) -> int:
        """Projects created so far; ids start at 1."""
        return int(await self._read(block, "projectCount"))

    def create_project(
        self,
        *,
        recipe: bytes,
        dataset: bytes,
        model: bytes,
        evaluation_root: bytes,
        evaluation_count: int,
        verifier_set: int,
        metadata: bytes,
    ) -> UnsignedCall:
        """Registers a project owned by the caller; everything but the model is fixed for good.
        Reasons: ZeroDigest, BadEvaluationCount (1 to 256), UnknownVerifierSet."""
        return self._write(
            "createProject",
            recipe,
            dataset,
            model,
            evaluation_root,
            evaluation_count,
            verifier_set,
            metadata,
        )

    def created(self, receipt: Receipt) -> int | None:
        """The id of the project that a transaction created; None if it created none."""
        return self._created(receipt, "ProjectCreated")


@dataclass(frozen=True, slots=True)
class Contracts:
    """The wrappers of one deployment."""

    token: Token
    vault: Vault
    verifier_sets: VerifierSets
    registry: Registry
    rounds: Rounds

    @classmethod
    def of(cls, rpc: Rpc, deployment: Deployment) -> Contracts:
        """Wraps the contracts at a deployment's addresses."""
        return cls(
            token=Token(rpc, deployment.token),
            vault=Vault(rpc, deployment.vault),
            verifier_sets=VerifierSets(rpc, deployment.verifier_sets),
            registry=Registry(rpc, deployment.registry),
            rounds=Rounds(rpc, deployment.rounds),
        )
