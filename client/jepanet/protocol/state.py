"""What a node knows, as frozen values: a fold of `transition` over its facts, nothing else.

Of every round there are three records, apart because they are true for different reasons:

    Round     what the chain says; every honest node has the same one at the same block
    Own       what this node did: what its handlers reported, and which duties it was handed
    OffChain  scores, sheets and results that were exchanged beside the chain, as they arrived here
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from jepanet.protocol.facts import RecordedResult, RoundParams
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
    """Number of the last round this node was given the duty to open; 0 for none."""


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
"""Seconds after which a silent arbiter can surely decide no more: `TrainingRounds.MAX_DURATION`."""


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
class SignedResult:
    coordinator: Address
    sheet: Digest
    improvement: int
    """Micro-nats, as this verifier measured it."""
    signature: bytes


@dataclass(frozen=True, slots=True)
class FailedDuty:
    """A duty that was refused for good."""

    duty: str
    """Its class name."""
    reason: str


@dataclass(frozen=True, slots=True)
class Own:
    """What this node did in a round."""

    prepared: bool = False
    aggregators: tuple[Address, ...] = ()
    """Who may propose a sheet beside the verifiers, in the order of the spec; read while preparing."""
    sealed: Digest | None = None
    """The delta on disk, committed to or about to be."""
    scores: Digest | None = None
    sheet: Digest | None = None
    """The sheet this node built as an aggregator."""
    result: SignedResult | None = None
    """The one result this node signed, also if it lost its disk since and peers repeated it."""
    failed: tuple[FailedDuty, ...] = ()
    issued: frozenset[str] = frozenset()
    """Keys of duties already handed out; the outbox holds them from then on."""


@dataclass(frozen=True, slots=True)
class SignedScores:
    """A coordinator's scores of all deltas: the digest of the document that holds them."""

    coordinator: Address
    scores: Digest


@dataclass(frozen=True, slots=True)
class ProposedSheet:
    sender: Address
    sheet: Digest
    at: int
    """Timestamp of the block at which it arrived."""


@dataclass(frozen=True, slots=True)
class OffChain:
    """What was exchanged about a round beside the chain, this node's own share included.

    The first of each kind counts of every sender, so nobody can fill the memory.
    """

    scores: tuple[SignedScores, ...] = ()
    sheets: tuple[ProposedSheet, ...] = ()
    results: tuple[SignedResult, ...] = ()
    """The first result of each verifier, signatures unchecked."""
    conflicting: tuple[SignedResult, ...] = ()
    """Further, different results of the same verifiers: one truly signed costs the verifier's stake."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """Dictionaries are replaced, never changed in place."""

    me: Identity
    block: BlockRef | None = None
    """Last confirmed block; its timestamp is the clock."""
    cursor: tuple[int, int] = (-1, -1)
    """(block number, log index) of the last log that changed anything; it and older ones are ignored."""
    verifier_sets: dict[int, VerifierSet] = field(default_factory=dict)
    projects: dict[ProjectId, Project] = field(default_factory=dict)
    rounds: dict[RoundId, Round] = field(default_factory=dict)
    """Ended rounds beyond `KEPT_ROUNDS` are dropped."""
    own: dict[RoundId, Own] = field(default_factory=dict)
    """Of the same rounds as `rounds`."""
    off_chain: dict[RoundId, OffChain] = field(default_factory=dict)
    """Of the same rounds as `rounds`."""

    @property
    def now(self) -> int:
        return self.block.timestamp if self.block else 0

    def with_project(self, project: Project) -> NodeState:
        return replace(self, projects={**self.projects, project.id: project})

    def with_round(self, round_: Round) -> NodeState:
        """The same object if nothing changed, as the next two: what changes nothing need not be journaled."""
        if self.rounds.get(round_.id) is round_:
            return self
        return replace(self, rounds={**self.rounds, round_.id: round_})

    def with_own(self, round_id: RoundId, own: Own) -> NodeState:
        if self.own.get(round_id) is own:
            return self
        return replace(self, own={**self.own, round_id: own})

    def with_off_chain(self, round_id: RoundId, off_chain: OffChain) -> NodeState:
        if self.off_chain.get(round_id) is off_chain:
            return self
        return replace(self, off_chain={**self.off_chain, round_id: off_chain})

    def members(self, round_: Round) -> tuple[Address, ...]:
        known = self.verifier_sets.get(round_.verifier_set)
        return known.members if known else ()

    def threshold(self, round_: Round) -> int:
        known = self.verifier_sets.get(round_.verifier_set)
        return known.threshold if known else 1 << 30

    def may_propose(self, round_: Round, sender: Address) -> bool:
        """Whether `sender` may propose a score sheet: the spec's aggregators and the verifiers."""
        return sender in self.own[round_.id].aggregators or sender in self.members(round_)


KEPT_CONFLICTING = 4
"""Conflicting results kept of one verifier; their signatures can be checked only by who has the sheets."""
KEPT_ROUNDS = 64
"""Ended rounds kept in memory; older ones stay in the journal and on the chain."""
