"""What a node knows, as frozen values: a fold of `transition` over its facts, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from jepanet.protocol.facts import RoundParams
from jepanet.types import Address, BlockRef, CancelCause, Digest, Phase, ProjectId, Role, RoundId


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is. Comes from configuration at every start, never from the journal."""

    address: Address
    roles: frozenset[Role]
    projects: frozenset[ProjectId] = frozenset()
    """Projects to work for; empty means every project."""
    rounds_to_play: int = 0
    """Proposer: how many rounds each of its projects shall reach; 0 opens none."""


@dataclass(frozen=True, slots=True)
class VerifierSet:
    members: tuple[Address, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Project:
    id: ProjectId
    owner: Address
    recipe: Digest
    dataset: Digest
    model: Digest
    """The current global model: the base of the next round."""
    evaluation_root: bytes
    evaluation_count: int
    verifier_set: int
    metadata: Digest
    rounds: int = 0
    """Rounds opened so far."""
    active: RoundId | None = None
    asked: int = 0
    """Number of the last round this node was told to open; 0 for none."""


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


@dataclass(frozen=True, slots=True)
class SignedResult:
    coordinator: Address
    sheet: Digest
    improvement: int
    signature: bytes


LONGEST_DISPUTE = 30 * 24 * 3600
"""Seconds after which a silent arbiter has surely forfeited its say: `TrainingRounds.MAX_DURATION`."""


class Status(StrEnum):
    """The stored, terminal part of a round; phases in between derive from the clock."""

    OPEN = "open"
    DISPUTED = "disputed"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Round:
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
    beacon: int | None = None
    evaluation_index: int | None = None
    shard: Digest | None = None
    blinding: bytes = b""
    recorded: Recorded | None = None
    recorded_at: int = 0
    disputed_at: int = 0
    status: Status = Status.OPEN
    cancel_cause: CancelCause = CancelCause.NONE
    ended_at: int = 0
    # This node's own part.
    prepared: bool = False
    aggregators: tuple[Address, ...] = ()
    sealed: Digest | None = None
    own_scores: Digest | None = None
    scores: tuple[tuple[Address, Digest], ...] = ()
    own_sheet: Digest | None = None
    sheets: tuple[tuple[Address, Digest], ...] = ()
    sheets_at: tuple[int, ...] = ()
    """When each of `sheets` was heard."""
    own_result: SignedResult | None = None
    results: tuple[SignedResult, ...] = ()
    """The first result of each verifier, signatures unseen."""
    others: tuple[SignedResult, ...] = ()
    """Further, different results of verifiers already heard: one truly signed costs the verifier's stake."""
    failed: tuple[tuple[str, str], ...] = ()
    """(duty name, reason) of duties refused for good."""
    issued: frozenset[str] = frozenset()
    """Keys of duties already handed out; the outbox holds them from then on."""

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

    def phase(self, now: int) -> Phase:
        """The phase at timestamp `now` (seconds): the same rule as `TrainingRounds.phase`.

        With one difference: no event says how long this deployment's arbiter has, so a dispute counts as open
        for as long as any deployment may grant.
        """
        if self.status is Status.SETTLED:
            return Phase.SETTLED
        if self.status is Status.CANCELLED:
            return Phase.CANCELLED
        if self.status is Status.DISPUTED:
            return Phase.DISPUTED if now < self.disputed_at + LONGEST_DISPUTE else Phase.SETTLEABLE
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


@dataclass(frozen=True, slots=True)
class NodeState:
    me: Identity
    block: BlockRef | None = None
    """Last confirmed block; its timestamp is the clock."""
    cursor: tuple[int, int] = (-1, -1)
    """(block number, log index) of the last log that changed anything: none up to it is heard again."""
    verifier_sets: dict[int, VerifierSet] = field(default_factory=dict)
    projects: dict[ProjectId, Project] = field(default_factory=dict)
    rounds: dict[RoundId, Round] = field(default_factory=dict)
    """Dictionaries are replaced, never changed in place. Ended rounds beyond `KEPT_ROUNDS` are dropped."""

    @property
    def now(self) -> int:
        return self.block.timestamp if self.block else 0

    def members(self, round_: Round) -> tuple[Address, ...]:
        known = self.verifier_sets.get(round_.verifier_set)
        return known.members if known else ()

    def threshold(self, round_: Round) -> int:
        known = self.verifier_sets.get(round_.verifier_set)
        return known.threshold if known else 1 << 30

    def may_propose(self, round_: Round, sender: Address) -> bool:
        """Whether `sender` may propose a score sheet: the spec's aggregators and the verifiers."""
        return sender in round_.aggregators or sender in self.members(round_)


KEPT_OTHERS = 4
"""Further results kept of one verifier; their signatures are seen only by who has the sheets."""
KEPT_ROUNDS = 64
"""Ended rounds kept in memory; older ones stay in the journal and on the chain."""
