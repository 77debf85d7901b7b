"""Answers of who looks at a whole network and takes no part: its projects over all their rounds.

Digests are CIDs; gains and errors are micro-nats; times are seconds of Unix.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jepanet.operations.views.json_form import MERGED, Wei
from jepanet.operations.views.projects import KnownProject
from jepanet.operations.views.rounds import HeldOut, RoundSummary
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Served:
    """Whom a dashboard is of: `serves` is `node` or `observer`."""

    serves: str


@dataclass(frozen=True, slots=True)
class EndpointStanding:
    """One endpoint of the chain, by scheme, host and port. `standing` is `well`, `behind`, `silent`,
    `other-chain` or `disagrees`: it names `block` at the height `number`, and the one that is `followed`
    names another."""

    endpoint: str
    standing: str
    head: int | None
    followed: bool
    number: int | None = None
    block: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, since when, and what to do about it."""

    what: str
    remedy: str | None
    since: int


@dataclass(frozen=True, slots=True)
class Observing:
    """How far an observer has read, and from whom. `project` is the one it was asked for, if any."""

    project: int | None
    chain_id: int
    contract: Address
    block: int
    timestamp: int
    read: bool
    """Whether the chain was read to its newest block once."""
    chain: Trouble | None
    """Why it is read no further."""
    endpoints: tuple[EndpointStanding, ...]
    peers: int | None
    """Connected ones; None while nothing had to be fetched."""
    sheets: int
    """Score sheets that were read."""
    awaited: int
    """Recorded score sheets that were not."""
    files: Trouble | None
    """Why they cannot be had."""


@dataclass(frozen=True, slots=True)
class Transacted:
    """A transaction whose log says it, 0x-hex, and its block."""

    transaction: str
    block: int
    at: int


@dataclass(frozen=True, slots=True)
class RoundOfProject:
    """A round, what its score sheet says, and where the chain says so.

    `outcome`: `merged` or `withheld` once a result is recorded, `cancelled`, else `open`. `final`: it can be
    overturned no more. `follows`: it began from the model that the recorded round before it left.
    """

    summary: RoundSummary = field(metadata=MERGED)
    spec: str
    outcome: str
    final: bool
    follows: bool
    sheet_read: bool
    stderr: int | None
    """Of the improvement; None where the sheet has none, or is not here."""
    note: str | None
    """Why a merge was withheld."""
    accepted: int | None
    """Deltas that were merged."""
    heldout: HeldOut | None
    opened: Transacted | None
    recorded: Transacted | None
    ended: Transacted | None


@dataclass(frozen=True, slots=True)
class SolverOfProject:
    """What became of an account's deltas, over the rounds whose score sheets are here. `gain` is that of its
    merged deltas together; `paid` what settled rounds pay it, `open` what may yet be overturned."""

    place: int
    solver: Address
    deltas: int
    accepted: int
    gain: int
    paid: Wei
    open: Wei
    newest: int
    """The newest round in which it revealed."""


@dataclass(frozen=True, slots=True)
class ProjectInWhole:
    """A project over all its rounds. Rounds that were cancelled count for nothing else."""

    project: KnownProject = field(metadata=MERGED)
    first_model: str | None
    created: Transacted | None
    newest: int | None
    """The round whose merge is the model now; None while that is the first one."""
    exported: int | None
    """The newest settled round with a result: what `jepanet model export` writes unless told."""
    settled: int
    merged: int
    withheld: int
    cancelled: int
    improvement: int
    """Of the merged rounds together, each measured on its own shard."""
    paid: Wei
    """By settled rounds, to solvers and coordinators."""
    open: Wei
    """By recorded rounds that may yet be overturned."""
    solvers: int
    sheets: int
    awaited: int
    unlinked: tuple[int, ...]
    """Rounds that did not begin from the model before them: none, unless something is wrong."""
    left_out: int
    """Older rounds that are not held here."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What somebody may want to do by hand, and the command that does it."""

    what: str
    command: str
    remark: str
