"""A small model of `TrainingRounds`: its phase rules and events, without money and without Merkle trees.

Written from the contract, not from `protocol.state`: the two are compared. A call that the contract would
revert raises `Refused`. Every call that passes appends the contract's events, in order, to the open block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from jepanet.protocol import facts
from jepanet.types import (
    Address,
    BlockRef,
    CancelCause,
    ClaimKind,
    Digest,
    Phase,
    ProjectId,
    RoundId,
    SlashCause,
)

RESOLVE_DURATION = 90
BEACON_DELAY = 2
REACH = 12
"""Blocks for which a past block's hash can be had; far more on any real chain."""
RELEASE_DELAY = 14 * 86_400
NOBODY = Address("0x" + "0" * 40)


class Refused(Exception):
    """The contract reverts this call."""


def digest(*parts: object) -> Digest:
    return Digest(sha256(repr(parts).encode()).digest())


@dataclass
class RoundModel:
    id: RoundId
    project: ProjectId
    proposer: Address
    params: facts.RoundParams
    members: tuple[Address, ...]
    threshold: int
    commit_end: int
    reveal_end: int
    commitments: dict[Address, bytes] = field(default_factory=dict)
    order: list[Address] = field(default_factory=list)
    revealed: set[Address] = field(default_factory=set)
    slashed: set[Address] = field(default_factory=set)
    released: set[Address] = field(default_factory=set)
    beacon_block: int = 0
    index: int | None = None
    unsealed: bool = False
    sheet: Digest | None = None
    challenge_end: int = 0
    resolve_end: int = 0
    challengers: dict[Address, int] = field(default_factory=dict)
    """Challenger -> the dispute it belongs to, while its bond is there."""
    dispute: int = 0
    ended_at: int = 0
    status: str = "open"

    def phase(self, now: int) -> Phase:
        if self.status in ("settled", "cancelled"):
            return Phase.SETTLED if self.status == "settled" else Phase.CANCELLED
        if self.status == "disputed":
            return Phase.DISPUTED if now < self.resolve_end else Phase.SETTLEABLE
        if self.status == "recorded":
            return Phase.CHALLENGE if now < self.challenge_end else Phase.SETTLEABLE
        if now < self.commit_end:
            return Phase.COMMIT
        if not self.commitments:
            return Phase.CANCELLABLE
        if now < self.commit_end + self.params.gap:
            return Phase.GAP
        if now < self.reveal_end:
            return Phase.REVEAL
        if not self.unsealed or not self.revealed:
            return Phase.CANCELLABLE
        return Phase.VERIFY if now < self.reveal_end + self.params.verify_duration else Phase.CANCELLABLE


class ChainModel:
    """Blocks of facts. Calls join the open block; `mine` closes it and opens the next one `seconds` later.

    `phases` holds the phase of every round at the end of each closed block.
    """

    def __init__(self) -> None:
        self.blocks: list[tuple[BlockRef, tuple[facts.ChainFact, ...]]] = []
        self.phases: list[dict[RoundId, Phase]] = []
        self.rounds: dict[RoundId, RoundModel] = {}
        self.active: dict[ProjectId, RoundId | None] = {}
        self.owners: dict[ProjectId, Address] = {}
        self.sets: dict[int, tuple[tuple[Address, ...], int]] = {}
        self.project_set: dict[ProjectId, int] = {}
        self._pending: list[facts.ChainFact] = []
        self._open = self._ref(1, 1_000)

    @property
    def now(self) -> int:
        return self._open.timestamp

    def mine(self, seconds: int) -> None:
        self.blocks.append((self._open, tuple(self._pending)))
        self.phases.append({key: item.phase(self.now) for key, item in self.rounds.items()})
        self._pending = []
        self._open = self._ref(self._open.number + 1, self._open.timestamp + seconds)

    @staticmethod
    def _ref(number: int, timestamp: int) -> BlockRef:
        return BlockRef(number, bytes(digest("block", number)), timestamp)

    def _emit(self, kind: type, /, **arguments: object) -> None:
        self._pending.append(kind(**arguments, block=self._open, log_index=len(self._pending)))

    def _at(self, round_id: RoundId, *phases: Phase) -> RoundModel:
        round_ = self.rounds[round_id]
        if round_.phase(self.now) not in phases:
            raise Refused("WrongPhase")
        return round_

    # ---------------------------------------------------------------- calls

    def create_set(self, set_id: int, members: tuple[Address, ...], threshold: int) -> None:
        self.sets[set_id] = (members, threshold)
        self._emit(
            facts.ChainVerifierSetCreated,
            set_id=set_id,
            creator=members[0],
            members=members,
            threshold=threshold,
            cap=10**24,
            max_hold=10**6,
        )

    def create_project(self, project: ProjectId, owner: Address, set_id: int) -> None:
        self.owners[project], self.active[project], self.project_set[project] = owner, None, set_id
        self._emit(
            facts.ChainProjectCreated, project_id=project, owner=owner, recipe=digest("recipe"),
            dataset=digest("dataset"), model=digest("model", project), evaluation_root=bytes(32),
            evaluation_count=256, verifier_set=set_id, metadata=digest("metadata"),
        )  # fmt: skip

    def open_round(self, project: ProjectId, sender: Address, max_solvers: int) -> RoundId:
        if self.owners[project] != sender or self.active[project] is not None:
            raise Refused("NotProjectOwner or RoundActive")
        round_id = RoundId(len(self.rounds) + 1)
        params = facts.RoundParams(
            project,
            digest("spec", round_id),
            10**21,
            10**20,
            10**18,
            10**18,
            60,
            10,
            90,
            300,  # of which a half is over before a sheet is built without somebody's committed scores
            60,
            max_solvers,
            bytes(32),
            bytes(32),
        )
        members, threshold = self.sets[self.project_set[project]]
        commit_end = self.now + params.commit_duration
        self.rounds[round_id] = RoundModel(
            round_id, project, sender, params, members, threshold, commit_end,
            commit_end + params.gap + params.reveal_duration,
        )  # fmt: skip
        self.active[project] = round_id
        self._emit(
            facts.ChainRoundOpened, round_id=round_id, project_id=project, proposer=sender, params=params,
            base=digest("model", project), verifier_set=self.project_set[project],
            seed=bytes(digest("seed", round_id)), commit_end=commit_end,
        )  # fmt: skip
        return round_id

    def commit(self, round_id: RoundId, sender: Address, commitment: bytes) -> None:
        round_ = self._at(round_id, Phase.COMMIT)
        if sender in round_.members or sender in round_.commitments:
            raise Refused("VerifierCannotCommit or AlreadyCommitted")
        if len(round_.order) == round_.params.max_solvers > 0:
            raise Refused("RoundFull")
        self._emit(facts.ChainCommitted, round_id=round_id, solver=sender, commitment=commitment,
                   index=len(round_.order), bond=10**18)  # fmt: skip
        round_.commitments[sender] = commitment
        round_.order.append(sender)
        if len(round_.order) == round_.params.max_solvers:
            # Not before half of COMMIT.
            round_.commit_end = max(self.now, round_.commit_end - round_.params.commit_duration // 2)
            round_.reveal_end = round_.commit_end + round_.params.gap + round_.params.reveal_duration
            self._emit(facts.ChainCommitsClosed, round_id=round_id, at=round_.commit_end)

    def close_commits(self, round_id: RoundId, sender: Address) -> None:
        round_ = self._at(round_id, Phase.GAP, Phase.REVEAL)
        if round_.beacon_block:
            raise Refused("BeaconAlreadyFixed")
        self._fix(round_, sender, 10**17)

    def draw_beacon(self, round_id: RoundId, sender: Address) -> None:
        round_ = self._at(round_id, Phase.GAP, Phase.REVEAL)
        if round_.index is not None or not round_.beacon_block:
            raise Refused("BeaconAlreadyDrawn or BeaconNotFixed")
        if self._open.number <= round_.beacon_block:
            raise Refused("BeaconTooEarly")
        if self._open.number > round_.beacon_block + REACH:
            self._fix(round_, sender, 0)
            return
        round_.index = int(round_id) % 256
        beacon = int.from_bytes(digest("beacon", round_id))
        self._emit(facts.ChainBeaconDrawn, round_id=round_id, beacon=beacon, index=round_.index,
                   keeper=sender, reward=10**17)  # fmt: skip

    def _fix(self, round_: RoundModel, keeper: Address, reward: int) -> None:
        round_.beacon_block = self._open.number + BEACON_DELAY
        self._emit(facts.ChainBeaconFixed, round_id=round_.id, block_number=round_.beacon_block,
                   keeper=keeper, reward=reward)  # fmt: skip

    def unseal(self, round_id: RoundId, sender: Address) -> None:
        round_ = self.rounds[round_id]
        if sender != round_.proposer or round_.index is None or round_.unsealed:
            raise Refused("NotProposer, BeaconNotDrawn or AlreadyUnsealed")
        if self.now >= round_.reveal_end:
            raise Refused("WrongPhase")
        round_.unsealed = True
        self._emit(facts.ChainShardUnsealed, round_id=round_id, index=round_.index,
                   shard=digest("shard", round_id), blinding=bytes(digest("blinding", round_id)))  # fmt: skip
        self._close_reveals(round_)

    def reveal(self, round_id: RoundId, sender: Address, delta: Digest) -> None:
        round_ = self._at(round_id, Phase.REVEAL)
        if sender in round_.revealed or round_.commitments.get(sender) != commitment_of(sender, delta):
            raise Refused("CommitmentMismatch")
        round_.revealed.add(sender)
        self._emit(facts.ChainRevealed, round_id=round_id, solver=sender, digest=delta,
                   salt=bytes(digest("salt", sender)))  # fmt: skip
        self._close_reveals(round_)

    def _close_reveals(self, round_: RoundModel) -> None:
        if round_.unsealed and len(round_.revealed) == len(round_.commitments):
            round_.reveal_end = self.now
            self._emit(facts.ChainRevealsClosed, round_id=round_.id, at=self.now)

    def record(self, round_id: RoundId, sheet: Digest, signers: set[Address]) -> None:
        round_ = self._at(round_id, Phase.VERIFY)
        if len(signers) < round_.threshold or not signers <= set(round_.members) - round_.slashed:
            raise Refused("NotEnoughAttestations, NotVerifier or SignerSlashed")
        round_.status, round_.sheet = "recorded", sheet
        round_.challenge_end = self.now + round_.params.challenge_duration
        self._emit(facts.ChainTrainingRecorded, round_id=round_id, root=bytes(digest("root", sheet)),
                   model=digest("merged", sheet), sheet=sheet, payout=10**20, improvement=1_234,
                   challenge_end=round_.challenge_end, extension=bytes(32), signers=3)  # fmt: skip

    def challenge(self, round_id: RoundId, sender: Address) -> None:
        round_ = self._at(round_id, Phase.CHALLENGE, Phase.DISPUTED)
        if self.now >= round_.challenge_end:
            raise Refused("WrongPhase")
        if sender in round_.challengers:
            raise Refused("AlreadyChallenged")
        round_.challengers[sender] = round_.dispute
        round_.status, round_.resolve_end = "disputed", self.now + RESOLVE_DURATION
        self._emit(facts.ChainChallenged, round_id=round_id, challenger=sender, evidence=bytes(32),
                   bond=10**18)  # fmt: skip

    def overturn(self, round_id: RoundId, winner: Address) -> None:
        round_ = self._at(round_id, Phase.DISPUTED)
        if round_.challengers.get(winner) != round_.dispute:
            raise Refused("NotChallenger")
        self._emit(facts.ChainResolved, round_id=round_id, overturned=True, winner=winner, reward=10**17)
        self._end(round_, "cancelled", CancelCause.OVERTURNED)

    def uphold(self, round_id: RoundId) -> None:
        round_ = self._at(round_id, Phase.DISPUTED)
        round_.status, round_.dispute = "recorded", round_.dispute + 1
        self._emit(facts.ChainResolved, round_id=round_id, overturned=False, winner=NOBODY, reward=0)

    def close_challenge(self, round_id: RoundId, challenger: Address) -> None:
        round_ = self.rounds[round_id]
        if challenger not in round_.challengers:
            raise Refused("NotChallenger")
        lost = round_.challengers[challenger] != round_.dispute
        if not lost and round_.status not in ("settled", "cancelled"):
            raise Refused("ChallengeOpen")
        del round_.challengers[challenger]
        if lost:
            self._slash(round_id, challenger, SlashCause.CHALLENGE_REJECTED)

    def settle(self, round_id: RoundId) -> None:
        self._end(self._at(round_id, Phase.SETTLEABLE), "settled", CancelCause.NONE)

    def cancel(self, round_id: RoundId) -> None:
        round_ = self._at(round_id, Phase.CANCELLABLE)
        cause = CancelCause.EXPIRED if round_.unsealed else CancelCause.NOT_UNSEALED
        if not round_.commitments:
            cause = CancelCause.NO_COMMITS
        elif not round_.revealed:
            cause = CancelCause.NO_REVEALS
        if cause is CancelCause.NOT_UNSEALED:
            self._slash(round_id, round_.proposer, SlashCause.NOT_UNSEALED)
        self._end(round_, "cancelled", cause)

    def _end(self, round_: RoundModel, status: str, cause: CancelCause) -> None:
        round_.status, round_.ended_at = status, self.now
        self.active[round_.project] = None
        if status == "cancelled":
            self._emit(facts.ChainRoundCancelled, round_id=round_.id, cause=cause, returned=7)
            return
        model = digest("merged", round_.sheet)
        self._emit(facts.ChainRoundSettled, round_id=round_.id, model=model, returned=7)
        self._emit(facts.ChainModelAdvanced, project_id=round_.project, round_id=round_.id, model=model)

    def slash_non_reveal(self, round_id: RoundId, solver: Address) -> None:
        round_ = self.rounds[round_id]
        gone = solver in round_.revealed | round_.slashed or solver not in round_.commitments
        if self.now < round_.reveal_end or gone:
            raise Refused("WrongPhase or NotUnrevealed")
        round_.slashed.add(solver)
        self._slash(round_id, solver, SlashCause.NOT_REVEALED)

    def slash_equivocation(self, round_id: RoundId, member: Address) -> None:
        round_ = self.rounds[round_id]
        if member in round_.slashed:
            raise Refused("AlreadySlashed")
        round_.slashed.add(member)
        self._slash(round_id, member, SlashCause.EQUIVOCATION)

    def _slash(self, round_id: RoundId, account: Address, cause: SlashCause) -> None:
        self._emit(facts.ChainBondSlashed, round_id=round_id, account=account, amount=10**18, cause=cause)

    def claim(self, round_id: RoundId, account: Address) -> None:
        round_ = self._at(round_id, Phase.SETTLED)
        if account in round_.released or account not in round_.revealed | set(round_.members):
            raise Refused("NothingToClaim")
        if account in round_.members and account in round_.slashed:
            raise Refused("NothingToClaim")
        round_.released.add(account)
        kind = ClaimKind.FEE if account in round_.members else ClaimKind.REWARD
        self._emit(facts.ChainClaimed, round_id=round_id, account=account, amount=10**17, kind=kind)

    def release(self, round_id: RoundId, account: Address) -> None:
        round_ = self._at(round_id, Phase.CANCELLED, Phase.SETTLED)
        if round_.status == "settled" and self.now < round_.ended_at + RELEASE_DELAY:
            raise Refused("ClaimsOpen")
        if account in round_.released or account not in round_.revealed:
            raise Refused("NotRevealed")
        round_.released.add(account)
        self._emit(facts.ChainBondReleased, round_id=round_id, solver=account, amount=10**18)


def commitment_of(solver: Address, delta: Digest) -> bytes:
    """Bound to its sender, like the real one: a copy opens nothing."""
    return bytes(digest("commitment", solver, delta))
