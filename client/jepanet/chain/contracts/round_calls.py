"""Writes to TrainingRounds in the life of a round, one method per step."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.contracts.bound import BoundContract
from jepanet.chain.contracts.views import Attestation, Opening, Result, SignedCommit
from jepanet.protocol.commitment import Leaf
from jepanet.protocol.documents.typed_data import compact_signature
from jepanet.protocol.facts import RecordedResult, RoundParams
from jepanet.types import Address


class RoundCalls(BoundContract):
    """Nothing is sent: every method returns an `UnsignedCall`.

    Signatures are given in their 65 bytes; a malformed one raises ValueError.
    """

    name = "TrainingRounds"

    # ------------------------------------------------------------------ proposer

    def open_round(self, params: RoundParams) -> UnsignedCall:
        """Opens a round of one's project; pulls budget + fee + unseal bond + twice the keeper's reward
        from the token allowance and holds every verifier's stake. Reasons: NotProjectOwner, ProjectBusy,
        BudgetTooSmall, BondTooSmall, BondTooFine, BadDuration, VerifierSetInactive, NotAdmitted, HoldTooLong,
        CapExceeded, NoShardsLeft, InsufficientStake (a verifier's), EnforcedPause."""
        return self._write("openRound", params)

    def unseal(self, round_id: int, shard: bytes, blinding: bytes, proof: Sequence[bytes]) -> UnsignedCall:
        """Publishes the drawn evaluation shard with its path (`commitment.shard_proof`).
        Reasons: BeaconNotDrawn, NotProposer, WrongShard, AlreadyUnsealed, ShardReused."""
        return self._write("unseal", round_id, shard, blinding, list(proof))

    # ------------------------------------------------------------------ solver

    def commit(self, round_id: int, commitment: bytes) -> UnsignedCall:
        """Commits to a delta nobody has seen and locks the round's bond from free stake.
        Reasons: AlreadyCommitted, VerifierCannotCommit, InsufficientStake, ClaimFirst, InDebt, NotListed."""
        return self._write("commit", round_id, commitment)

    def commit_listed(self, round_id: int, commitment: bytes, proof: Sequence[bytes]) -> UnsignedCall:
        """`commit` in a round with an allow-list."""
        return self._write("commitListed", round_id, commitment, list(proof))

    def commit_many(self, round_id: int, commits: Sequence[SignedCommit]) -> UnsignedCall:
        """Commits of others; those that cannot be made are left out."""
        signed = [(item.solver, item.commitment, *compact_signature(item.signature)) for item in commits]
        return self._write("commitMany", round_id, signed)

    def reveal(self, round_id: int, digest: bytes, salt: bytes) -> UnsignedCall:
        """Opens one's commitment. Irreversible: send it only when the end of COMMIT is final.
        Reasons: CommitmentMismatch, AlreadyRevealed."""
        return self._write("reveal", round_id, digest, salt)

    def reveal_many(self, round_id: int, openings: Sequence[Opening]) -> UnsignedCall:
        """Opens commitments of others; those already open are left out. Reasons: CommitmentMismatch."""
        return self._write("revealMany", round_id, list(openings))

    def claim(self, round_id: int, leaf: Leaf, proof: Sequence[bytes]) -> UnsignedCall:
        """Credits what the settled result owes to the leaf's account as free stake and frees its bond, less
        a part for an excluded delta; for oneself or for anyone.
        Reasons: BadProof, VerdictCannotClaim, NothingToClaim, NotRevealed, ClaimsEnded."""
        return self._write("claim", round_id, leaf, list(proof))

    def claim_many(self, round_id: int, leaves: Sequence[tuple[Leaf, Sequence[bytes]]]) -> UnsignedCall:
        """`claim` for many; what was claimed already is left out."""
        return self._write("claimMany", round_id, [(leaf, list(proof)) for leaf, proof in leaves])

    def release_bond(self, round_id: int) -> UnsignedCall:
        """Frees one's bond in a cancelled round, or 14 days after settlement; nothing can be claimed then.
        In a round that was not unsealed it also credits the revealer's share of the unseal bond."""
        return self._write("releaseBond", round_id)

    # ------------------------------------------------------------------ the beacon

    def close_commits(self, round_id: int) -> UnsignedCall:
        """Fixes the block whose randomness draws; anyone, once, in GAP or REVEAL; paid.
        Reasons: BeaconAlreadyFixed."""
        return self._write("closeCommits", round_id)

    def draw_beacon(self, round_id: int, header: bytes) -> UnsignedCall:
        """Picks an unused evaluation shard by the fixed block's randomness; anyone; paid. `header` is that
        block's RLP (`chain.endpoints.header_rlp`). If the block is out of reach, fixes another instead.
        Reasons: BeaconNotFixed, BeaconAlreadyDrawn, BeaconTooEarly (its block is not over), WrongHeader."""
        return self._write("drawBeacon", round_id, header)

    # ------------------------------------------------------------------ verification

    def record_training(
        self,
        round_id: int,
        root: bytes,
        model: bytes,
        sheet: bytes,
        payout: int,
        extension: bytes,
        attestations: Sequence[Attestation],
    ) -> UnsignedCall:
        """Records the signed result; anyone may, authority is in the signatures. Attestations are sorted here
        by improvement, as the contract wants them. Reasons: NotEnoughAttestations, NotVerifier,
        DuplicateSigner, SignerSlashed, SignerUnderStaked, PayoutTooLarge, ModelContradictsImprovement,
        BadSignature."""
        ordered = sorted(attestations, key=lambda item: item.improvement)
        signed = [(item.improvement, *compact_signature(item.signature)) for item in ordered]
        return self._write("recordTraining", round_id, root, model, sheet, payout, extension, signed)

    def challenge(self, round_id: int, evidence: bytes, recorded: RecordedResult) -> UnsignedCall:
        """Disputes the recorded result with `Lens.challenge_bond`: from free stake (never a verifier's), the
        rest from approved tokens. `evidence` is a digest. Reasons: NotRecorded, AlreadyChallenged."""
        return self._write("challenge", round_id, evidence, recorded)

    def overturn(self, round_id: int, recorded: RecordedResult, winner: Address) -> UnsignedCall:
        """Arbiter: cancels the round, slashes its signers and rewards `winner`, one of the challengers.
        Reasons: NotArbiter, NotRecorded, NotChallenger."""
        return self._write("overturn", round_id, recorded, winner)

    def uphold(self, round_id: int) -> UnsignedCall:
        """Arbiter: the result stands, every challenger loses its bond. Reasons: NotArbiter."""
        return self._write("uphold", round_id)

    def close_challenge(self, round_id: int, challenger: Address) -> UnsignedCall:
        """Gives a challenger's bond back, or slashes it, once the dispute is decided; anyone, once.
        Reasons: ChallengeOpen, NotChallenger."""
        return self._write("closeChallenge", round_id, challenger)

    # ------------------------------------------------------------------ ends, open to anyone

    def settle(self, round_id: int, recorded: RecordedResult) -> UnsignedCall:
        """After the challenge window: advances the project's model and opens the claims.
        Reasons: NotRecorded."""
        return self._write("settle", round_id, recorded)

    def cancel(self, round_id: int) -> UnsignedCall:
        """Ends a round that cannot go on: no commits, not unsealed, no reveals, or no result in time."""
        return self._write("cancel", round_id)

    def sweep(self, round_id: int) -> UnsignedCall:
        """After the claims have ended: credits what nobody claimed to the treasury. Reasons: ClaimsOpen."""
        return self._write("sweep", round_id)

    def slash_non_reveal(self, round_id: int, solver: Address) -> UnsignedCall:
        """Takes the bond of a solver that did not reveal; a tenth to the caller. Reasons: NotUnrevealed."""
        return self._write("slashNonReveal", round_id, solver)

    def slash_invalid(self, round_id: int, leaf: Leaf, proof: Sequence[bytes]) -> UnsignedCall:
        """Takes the bond of a solver whose delta a settled result calls invalid; a tenth to the caller."""
        return self._write("slashInvalid", round_id, leaf, list(proof))

    def slash_equivocation(
        self, first: Result, first_signature: bytes, second: Result, second_signature: bytes
    ) -> UnsignedCall:
        """Takes stake of a verifier that signed two results for one round, the rest becomes a debt; a tenth
        to the caller. Reasons: NoEquivocation, AlreadySlashed, NotVerifier."""
        return self._write(
            "slashEquivocation",
            first,
            compact_signature(first_signature),
            second,
            compact_signature(second_signature),
        )
