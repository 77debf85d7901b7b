"""What a node knows, as frozen values: a fold of `transition` over its facts, nothing else.

Of every round there are three records, apart because they are true for different reasons:

    Round     what the chain says; every honest node has the same one at the same block (`protocol.rounds`)
    Own       what this node did: what its handlers reported, and which duties it was handed
    OffChain  scores, sheets and results that were exchanged beside the chain (`protocol.off_chain`)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from jepanet.protocol.off_chain import (
    KEPT_CONFLICTING,
    OffChain,
    ProposedSheet,
    SignedResult,
    SignedScores,
)
from jepanet.protocol.rounds import (
    LONGEST_DISPUTE,
    Commit,
    Recorded,
    Reveal,
    Round,
    Status,
)
from jepanet.records.marks import LeftOut
from jepanet.types import Address, BlockRef, Digest, ProjectId, Role, RoundId

__all__ = [
    "KEPT_CONFLICTING",
    "KEPT_OF_PROJECT",
    "KEPT_ROUNDS",
    "LONGEST_DISPUTE",
    "CheckedSheet",
    "Commit",
    "FailedDuty",
    "Identity",
    "NodeState",
    "OffChain",
    "Own",
    "Project",
    "ProposedSheet",
    "Recorded",
    "Reveal",
    "Round",
    "SignedResult",
    "SignedScores",
    "Status",
    "VerifierSet",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is. Comes from configuration at every start, never from the journal."""

    address: Address
    roles: frozenset[Role]
    projects: frozenset[ProjectId] = frozenset()
    """Projects to work for; empty means every project."""
    rounds_to_play: int = 0
    """Proposer: how many rounds each of its projects shall reach; 0 opens none."""
    resolve_duration: int = LONGEST_DISPUTE
    """Seconds of the deployment's arbiter after the newest challenge; the longest where nobody read it."""


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
class FailedDuty:
    """A duty that was refused for good."""

    duty: str
    """Its class name."""
    reason: str


@dataclass(frozen=True, slots=True)
class CheckedSheet:
    """A sheet to which this node came by itself."""

    sheet: Digest
    improvement: int
    """Micro-nats, as measured here."""
    at: int
    """Timestamp of the block at which that was done."""


@dataclass(frozen=True, slots=True)
class Own:
    """What this node did in a round."""

    prepared: bool = False
    aggregators: tuple[Address, ...] = ()
    """Who may propose a sheet beside the verifiers, in the order of the spec; read while preparing."""
    sealed: Digest | None = None
    """The delta on disk, committed to or about to be."""
    scores: Digest | None = None
    """What it measured, signed if it is a verifier."""
    committed: Annotated[bool, LeftOut()] = False
    """Whether those scores are committed to first: they leave this machine once they are opened."""
    opened: Annotated[Digest | None, LeftOut()] = None
    """Its scores with their opening."""
    sheet: Digest | None = None
    """The sheet this node built as an aggregator."""
    checked: Annotated[tuple[CheckedSheet, ...], LeftOut()] = ()
    """Sheets whose result it may sign: one of them."""
    refused: Annotated[tuple[Digest, ...], LeftOut()] = ()
    """Sheets to which it did not come by itself."""
    result: SignedResult | None = None
    """The one result this node signed, also if it lost its disk since and peers repeated it."""
    failed: tuple[FailedDuty, ...] = ()
    issued: frozenset[str] = frozenset()
    """Keys of duties already handed out; the outbox holds them from then on."""


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
    """Ended rounds beyond `KEPT_ROUNDS` (of all, and of older ones that this account has a part in) and
    `KEPT_OF_PROJECT` are dropped."""
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

    def has_part_in(self, round_: Round) -> bool:
        """Whether this account proposed a round, committed in it or is one of its verifiers: something of it
        is due to this account, or from it, also once the round has ended."""
        me = self.me.address
        return me == round_.proposer or me in self.members(round_) or round_.committed(me)


KEPT_ROUNDS = 64
"""Ended rounds kept in memory, and as many older ones that this account has a part in, however many rounds of
strangers end meanwhile: claims and slashes are due after the end. The others stay in the journal and on the
chain."""
KEPT_OF_PROJECT = 16
"""But the last ended ones of a project are kept as long as a round of it is under way: an auditor holds a
training against the delta that its solver revealed before, however many rounds of others end meanwhile."""
