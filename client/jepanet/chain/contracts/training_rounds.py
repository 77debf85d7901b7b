"""The TrainingRounds contract: the life of a round, one method per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.bound import BoundContract, named
from jepanet.chain.contracts.views import Attestation, CommitmentView, Result, RoundView
from jepanet.chain.endpoints.requests import BlockId
from jepanet.protocol.commitment import Leaf
from jepanet.protocol.facts import RoundParams
from jepanet.types import Address, CancelCause, Phase, Standing


class Rounds(BoundContract):
    """Escrow and lifecycle of rounds. Phases derive from the block's timestamp, so reads name their block.

    Reasons of `Rejected` named below are the contract's custom errors; every step out of its phase is
    refused with `WrongPhase`.
    """

    name = "TrainingRounds"

    # ------------------------------------------------------------------ reads

    async def phase(self, round_id: int, block: BlockId) -> Phase:
        """The phase at that block's timestamp; NONE for an unknown round."""
        return named(Phase, await self._read(block, "phase", round_id))

    async def round(self, round_id: int, block: BlockId) -> RoundView:
        """All the contract stores and derives; zeros for an unknown round."""
        values = await self._read(block, "getRound", round_id)
        view = RoundView(*values)
        return replace(view, phase=named(Phase, view.phase), cause=named(CancelCause, view.cause))

    async def count(self, block: BlockId) -> int:
        """Rounds opened so far; ids start at 1."""
        return int(await self._read(block, "roundCount"))

    async def commitment(self, round_id: int, account: Address, block: BlockId) -> CommitmentView:
        """An account's commitment and what became of it."""
        commitment, standing = await self._read(block, "commitmentOf", round_id, account)
        return CommitmentView(bytes(commitment), named(Standing, standing))

    async def credit(self, account: Address, block: BlockId) -> int:
        """Wei of the token that `withdraw_credit` would pay."""
        return int(await self._read(block, "creditOf", account))

    async def challenge_bond(self, round_id: int, block: BlockId) -> int:
        """Free stake a challenge of the recorded result locks, in wei."""
        return int(await self._read(block, "challengeBondOf", round_id))

    async def result_hash(self, result: Result, block: BlockId) -> bytes:
        """The EIP-712 digest a verifier signs for `result`, as the contract computes it."""
        return bytes(await self._read(block, "hashResult", result))

    async def minimum_bond(self, block: BlockId) -> int:
        """Smallest solver, unseal and challenge bond, in wei."""
        return int(await self._read(block, "minimumBond"))

    async def minimum_budget(self, block: BlockId) -> int:
        """Smallest reward budget of a round, in wei."""
        return int(await self._read(block, "minimumBudget"))

    async def minimum_challenge_duration(self, block: BlockId) -> int:
        """Shortest challenge window, in seconds."""
        return int(await self._read(block, "minimumChallengeDuration"))

    async def arbiter(self, block: BlockId) -> Address:
        """Who resolves challenges."""
        return Address(await self._read(block, "arbiter"))

    async def paused(self, block: BlockId) -> bool:
        """Whether entries (deposits, openings, commits) are stopped. Exits never are."""
        return bool(await self._read(block, "paused"))

    # ------------------------------------------------------------------ proposer

    def open_round(self, params: RoundParams) -> UnsignedCall:
        """Opens a round of one's project; pulls budget + fee + unseal bond from the token allowance and holds
        every verifier's stake. Reasons: NotProjectOwner, ProjectBusy, BudgetTooSmall, BondTooSmall,
        BadDuration, VerifierSetInactive, NoShardsLeft, InsufficientStake (a verifier's)."""
        return self._write("openRound", params)

    def unseal(self, round_id: int, shard: bytes, blinding: bytes, proof: Sequence[bytes]) -> UnsignedCall:
        """Publishes the drawn evaluation shard with its proof. Reasons: BeaconNotDrawn, NotProposer,
        WrongShard, AlreadyUnsealed."""
        return self._write("unseal", round_id, shard, blinding, list(proof))

    # ------------------------------------------------------------------ solver

    def commit(self, round_id: int, commitment: bytes) -> UnsignedCall:
        """Commits to a delta nobody has seen and locks the round's bond from free stake.
        Reasons: AlreadyCommitted, VerifierCannotCommit, InsufficientStake, EnforcedPause."""
        return self._write("commit", round_id, commitment)

    def reveal(self, round_id: int, digest: bytes, salt: bytes) -> UnsignedCall:
        """Opens one's commitment. Irreversible: send it only when the end of COMMIT is final.
        Reasons: CommitmentMismatch."""
        return self._write("reveal", round_id, digest, salt)

    def claim(self, round_id: int, leaf: Leaf, proof: Sequence[bytes]) -> UnsignedCall:
        """Credits what the settled result owes to the leaf's account and frees its bond; for oneself or for
        anyone. Reasons: BadProof, VerdictCannotClaim, NothingToClaim, ClaimsEnded."""
        return self._write("claim", round_id, leaf, list(proof))

    def release_bond(self, round_id: int) -> UnsignedCall:
        """Frees one's bond in a cancelled round, or after the claims of a settled one. In a round that was
        not unsealed it also credits the revealer's share of the unseal bond."""
        return self._write("releaseBond", round_id)

    def withdraw_credit(self) -> UnsignedCall:
        """Pays out the caller's credit in the token. Reasons: NoCredit."""
        return self._write("withdrawCredit")

    # ------------------------------------------------------------------ verification

    def draw_beacon(self, round_id: int) -> UnsignedCall:
        """Records the randomness that picks an unused evaluation shard; anyone, once commits are closed.
        Reasons: BeaconAlreadyDrawn, BeaconTooEarly (it needs a later second than the closing)."""
        return self._write("drawBeacon", round_id)

    def record_training(
        self,
        round_id: int,
        root: bytes,
        model: bytes,
        sheet: bytes,
        payout: int,
        attestations: Sequence[Attestation],
    ) -> UnsignedCall:
        """Records the signed result; anyone may, authority is in the signatures. Attestations are sorted here
        by improvement, as the contract wants them. Reasons: NotEnoughAttestations, NotVerifier,
        DuplicateSigner, PayoutTooLarge, ModelContradictsImprovement, ECDSAInvalidSignature."""
        ordered = sorted(attestations, key=lambda item: item.improvement)
        return self._write("recordTraining", round_id, root, model, sheet, payout, ordered)

    def challenge(self, round_id: int, evidence: bytes) -> UnsignedCall:
        """Disputes the recorded result; locks `challenge_bond` of free stake. `evidence` is a digest."""
        return self._write("challenge", round_id, evidence)

    def resolve(self, round_id: int, overturn: bool) -> UnsignedCall:
        """Arbiter: overturns the result or rejects the challenge. Reasons: NotArbiter."""
        return self._write("resolve", round_id, overturn)

    # ------------------------------------------------------------------ ends, open to anyone

    def settle(self, round_id: int) -> UnsignedCall:
        """After the challenge window: advances the project's model and opens the claims."""
        return self._write("settle", round_id)

    def cancel(self, round_id: int) -> UnsignedCall:
        """Ends a round that cannot go on: no commits, not unsealed, no reveals, or no result in time."""
        return self._write("cancel", round_id)

    def sweep(self, round_id: int) -> UnsignedCall:
        """After the claims have ended: credits what nobody claimed to the proposer. Reasons: ClaimsOpen."""
        return self._write("sweep", round_id)

    def slash_non_reveal(self, round_id: int, solver: Address) -> UnsignedCall:
        """Takes the bond of a solver that did not reveal; 10 % to the caller. Reasons: NotUnrevealed."""
        return self._write("slashNonReveal", round_id, solver)

    def slash_invalid(self, round_id: int, leaf: Leaf, proof: Sequence[bytes]) -> UnsignedCall:
        """Takes the bond of a solver whose delta a settled result calls invalid; 10 % to the caller."""
        return self._write("slashInvalid", round_id, leaf, list(proof))

    def slash_equivocation(
        self, first: Result, first_signature: bytes, second: Result, second_signature: bytes
    ) -> UnsignedCall:
        """Takes stake of a verifier that signed two results for one round; 10 % to the caller.
        Reasons: NoEquivocation, AlreadySlashed."""
        return self._write("slashEquivocation", first, first_signature, second, second_signature)

    # ------------------------------------------------------------------ owner

    def pause(self) -> UnsignedCall:
        """Owner: stops deposits, openings and commits. Exits go on."""
        return self._write("pause")

    def unpause(self) -> UnsignedCall:
        """Owner: allows entries again."""
        return self._write("unpause")
