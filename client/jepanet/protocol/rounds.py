"""What the chain says of a round: one record, the same for every honest node at the same block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jepanet.protocol.chain_facts import RecordedResult, RoundParams
from jepanet.types import Address, CancelCause, Digest, Phase, ProjectId, RoundId


@dataclass(frozen=True, slots=True)
class Commit:
    solver: Address
    commitment: bytes
    index: int
    """Order of commitment: the earliest commit owns a digest."""


@dataclass(frozen=True, slots=True)
class Reveal:
    solver: Address
    digest: Digest
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class Recorded:
    root: bytes
    model: Digest
    sheet: Digest
    payout: int
    improvement: int
    challenge_end: int
    extension: bytes
    signers: int
    """Bitmap of seats of the verifier set."""

    @property
    def shown(self) -> RecordedResult:
        """What whoever settles or challenges shows the contract again."""
        return RecordedResult(
            root=self.root,
            model=self.model,
            sheet=self.sheet,
            extension=self.extension,
            payout=self.payout,
            improvement=self.improvement,
            signers=self.signers,
        )


LONGEST_DISPUTE = 30 * 24 * 3600
"""Seconds after which a silent arbiter can surely decide no more: the contracts' `MAX_DURATION`."""


class Status(StrEnum):
    """The stored, terminal part of a round; phases in between derive from the clock."""

    OPEN = "open"
    DISPUTED = "disputed"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Round:
    """What the chain says of a round. Times are block timestamps (seconds)."""

    id: RoundId
    project_id: ProjectId
    proposer: Address
    params: RoundParams
    base: Digest
    verifier_set: int
    seed: bytes
    opened_at: int
    commit_end: int
    reveals_closed_at: int | None = None
    commits: tuple[Commit, ...] = ()
    reveals: tuple[Reveal, ...] = ()
    slashed: tuple[Address, ...] = ()
    """Solvers who lost their bond and verifiers who lost stake for what they did in this round."""
    beacon_block: int | None = None
    """The block whose randomness draws the shard; another one may replace it until it did."""
    beacon_ready_at: int = 0
    """Timestamp of the block that confirmed `beacon_block`, 0 before."""
    beacon: int | None = None
    evaluation_index: int | None = None
    shard: Digest | None = None
    blinding: bytes = b""
    recorded: Recorded | None = None
    recorded_at: int = 0
    disputed_at: int = 0
    """When the newest challenge of the dispute was made."""
    status: Status = Status.OPEN
    cancel_cause: CancelCause = CancelCause.NONE
    ended_at: int = 0

    @property
    def beacon_bytes(self) -> bytes | None:
        """The beacon as 32 bytes; None before it is drawn."""
        return None if self.beacon is None else self.beacon.to_bytes(32, "big")

    def committed(self, solver: Address) -> bool:
        return any(item.solver == solver for item in self.commits)

    def reveal_of(self, solver: Address) -> Reveal | None:
        return next((item for item in self.reveals if item.solver == solver), None)

    @property
    def reveal_start(self) -> int:
        return self.commit_end + self.params.gap

    @property
    def reveal_end(self) -> int:
        if self.reveals_closed_at is not None:
            return self.reveals_closed_at
        return self.reveal_start + self.params.reveal_duration

    @property
    def verify_end(self) -> int:
        return self.reveal_end + self.params.verify_duration

    @property
    def scores_committed_until(self) -> int:
        """When coordinators stop to listen to commitments, where scores are committed to: two fifths of
        VERIFY, since what nobody serves is waited for during the first quarter."""
        return self.reveal_end + self.params.verify_duration * 2 // 5

    @property
    def scores_opened_from(self) -> int:
        """When a coordinator opens its scores though somebody's commitment is missing: a twentieth of VERIFY
        after all have stopped to listen, so that no clock that lags listens to who has read an opening."""
        return self.reveal_end + self.params.verify_duration * 9 // 20

    def reports_awaited_until(self, committed: bool) -> int:
        """When a sheet is built though somebody's report is missing: after a third of VERIFY, or half of it
        where scores are `committed` to first, since who waits for a commitment opens late."""
        return self.reveal_end + self.params.verify_duration // (2 if committed else 3)

    @property
    def sheets_complete_until(self) -> int:
        """Until when no sheet is signed that leaves out a report which was there to be taken: two thirds of
        VERIFY. What is left is more than builders had for the same merge."""
        return self.reveal_end + self.params.verify_duration * 2 // 3

    def phase(self, now: int, resolve_duration: int = LONGEST_DISPUTE) -> Phase:
        """The phase at timestamp `now` (seconds): the same rule as `Phases.phase` of the contracts.

        `resolve_duration` is the time of this deployment's arbiter in seconds, which no event says: who has
        not read it from the contract takes a dispute for open for as long as any deployment may grant.
        """
        if self.status is Status.SETTLED:
            return Phase.SETTLED
        if self.status is Status.CANCELLED:
            return Phase.CANCELLED
        if self.status is Status.DISPUTED:
            return Phase.DISPUTED if now < self.disputed_at + resolve_duration else Phase.SETTLEABLE
        if self.recorded is not None:
            return Phase.CHALLENGE if now < self.recorded.challenge_end else Phase.SETTLEABLE
        if now < self.commit_end:
            return Phase.COMMIT
        if not self.commits:
            return Phase.CANCELLABLE
        if now < self.reveal_start:
            return Phase.GAP
        if now < self.reveal_end:
            return Phase.REVEAL
        if self.shard is None or not self.reveals:
            return Phase.CANCELLABLE
        return Phase.VERIFY if now < self.verify_end else Phase.CANCELLABLE
