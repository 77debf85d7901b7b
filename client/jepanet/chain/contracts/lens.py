"""The RoundLens contract: all that can be read of a deployment, beside what `Rounds` says itself."""

from __future__ import annotations

from dataclasses import replace

from jepanet.chain.contracts.bound import BoundContract, named
from jepanet.chain.contracts.views import (
    CommitmentView,
    ProjectView,
    Result,
    RoundView,
    SetView,
    StakeAccount,
)
from jepanet.chain.endpoints.requests import BlockId
from jepanet.protocol.facts import RecordedResult
from jepanet.types import Address, CancelCause, Phase, Readiness, RoundId, Standing


class Lens(BoundContract):
    """Phases derive from the block's timestamp, so every read names its block."""

    name = "RoundLens"

    async def set_count(self, block: BlockId) -> int:
        """Verifier sets created so far; ids start at 1."""
        return int(await self._read(block, "setCount"))

    async def project_count(self, block: BlockId) -> int:
        """Projects created so far; ids start at 1."""
        return int(await self._read(block, "projectCount"))

    async def round_count(self, block: BlockId) -> int:
        """Rounds opened so far; ids start at 1."""
        return int(await self._read(block, "roundCount"))

    # ------------------------------------------------------------------ rounds

    async def phase(self, round_id: int, block: BlockId) -> Phase:
        """The phase at that block's timestamp; NONE for an unknown round."""
        return named(Phase, await self._read(block, "phase", round_id))

    async def round(self, round_id: int, block: BlockId) -> RoundView:
        """All that storage holds, and what derives from it; zeros for an unknown round."""
        view = RoundView(*await self._read(block, "getRound", round_id))
        return replace(view, phase=named(Phase, view.phase), cause=named(CancelCause, view.cause))

    async def rounds_of(self, project_id: int, limit: int, block: BlockId) -> tuple[RoundId, ...]:
        """The newest rounds of a project, newest first."""
        return tuple(RoundId(item) for item in await self._read(block, "roundsOf", project_id, limit))

    async def commitment(self, round_id: int, account: Address, block: BlockId) -> CommitmentView:
        """An account's commitment and what became of it.

        A solver's standing is kept until it commits in a round of the same project eight or a multiple of
        eight rounds later; from then on it reads NONE.
        """
        commitment, standing = await self._read(block, "commitmentOf", round_id, account)
        return CommitmentView(bytes(commitment), named(Standing, standing))

    async def challenge(self, round_id: int, challenger: Address, block: BlockId) -> int:
        """A challenger's bond that has not been closed, in wei; 0 without one."""
        return int(await self._read(block, "challengeOf", round_id, challenger))

    async def challenge_bond(self, payout: int, block: BlockId) -> int:
        """Bond that a challenge of a result with this payout needs, in wei."""
        return int(await self._read(block, "challengeBondOf", payout))

    async def is_recorded(self, round_id: int, recorded: RecordedResult, block: BlockId) -> bool:
        """Whether this is what the round recorded."""
        return bool(await self._read(block, "isRecorded", round_id, recorded))

    async def result_hash(self, result: Result, block: BlockId) -> bytes:
        """The EIP-712 digest a verifier signs for `result`, as the contract computes it."""
        return bytes(await self._read(block, "hashResult", result))

    async def commit_hash(self, round_id: int, commitment: bytes, block: BlockId) -> bytes:
        """The EIP-712 digest a solver signs for `commit_many`, as the contract computes it."""
        return bytes(await self._read(block, "hashCommit", round_id, commitment))

    # ------------------------------------------------------------------ projects and sets

    async def project(self, project_id: int, block: BlockId) -> ProjectView:
        """The project; zeros for an unknown id."""
        return ProjectView(*await self._read(block, "getProject", project_id))

    async def is_shard_used(self, project_id: int, shard: bytes, block: BlockId) -> bool:
        """Whether the data with this digest was unsealed in a round of the project."""
        return bool(await self._read(block, "isShardUsed", project_id, shard))

    async def verifier_set(self, set_id: int, block: BlockId) -> SetView:
        """The set; no members for an unknown id."""
        return SetView(*await self._read(block, "getSet", set_id))

    async def can_open(self, set_id: int, escrow: int, block: BlockId) -> Readiness:
        """Whether the set could carry a round with this escrow (budget + fee, wei), or why not."""
        return named(Readiness, await self._read(block, "canOpen", set_id, escrow))

    async def is_admitted(self, set_id: int, proposer: Address, block: BlockId) -> bool:
        """Whether the set's curator lets `proposer` open rounds with it."""
        return bool(await self._read(block, "isAdmitted", set_id, proposer))

    async def has_joined(self, set_id: int, member: Address, block: BlockId) -> bool:
        """Whether a member has consented."""
        return bool(await self._read(block, "hasJoined", set_id, member))

    async def sets_of(self, account: Address, block: BlockId) -> tuple[int, ...]:
        """Sets that the account joined, those it left while their rounds are open included."""
        return tuple(await self._read(block, "setsOf", account))

    # ------------------------------------------------------------------ stakes

    async def account(self, account: Address, block: BlockId) -> StakeAccount:
        """An account's stake; zeros for a stranger."""
        return StakeAccount(*await self._read(block, "accountOf", account))

    async def withdrawable(self, account: Address, block: BlockId) -> int:
        """Wei that one call pays out now: `withdraw` for solvers, `withdraw_unbonded` for verifiers."""
        return int(await self._read(block, "withdrawable", account))

    async def unbond_requests(self, account: Address, block: BlockId) -> tuple[tuple[int, int], ...]:
        """Pending (amount in wei, available at in unix seconds), oldest first."""
        amounts, times = await self._read(block, "unbondRequestsOf", account)
        return tuple(zip(amounts, times, strict=True))
