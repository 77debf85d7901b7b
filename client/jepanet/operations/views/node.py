"""Answers about a node: whether it could run, whether it runs, what its journal is to read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jepanet.operations.views.funds import Account
from jepanet.operations.views.json_form import MERGED, OPTIONAL, named
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check. `level` is ok, warning or failure; `code` what `node check` ends with if it is its first."""

    check: str
    level: str
    finding: str
    remedy: str | None
    code: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Every check, with what else was learnt on the way."""

    rows: tuple[CheckRow, ...]
    ready: bool
    roles: str | None = field(default=None, metadata=OPTIONAL)
    head: int | None = field(default=None, metadata=OPTIONAL)
    account: Account | None = field(default=None, metadata=MERGED)


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """How the chain looks from the node; `confirmed` is the newest block that it acts on."""

    head: int | None
    head_age: float
    head_old: bool
    stalled: bool
    incomplete: bool
    confirmed: int | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Rescan:
    """Blocks `first` to `until` that a running node reads again; those up to `at` are there."""

    first: int
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """The chain of a node, the contracts that it follows, its place, and what it reads again."""

    chain_id: int
    token: Address
    rounds: Address
    lens: Address
    first_block: int
    confirmations: int
    endpoints: tuple[str, ...]
    """Scheme, host and port alone: the rest of an address may be a key."""
    position: ChainPosition
    rescan: Rescan | None


@dataclass(frozen=True, slots=True)
class Work:
    """The running job: seconds since it began, and its last progress."""

    job: str
    seconds: int
    step: int | None = field(default=None, metadata=OPTIONAL)
    steps: int | None = field(default=None, metadata=OPTIONAL)
    loss: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True)
class Working:
    """What the node's worker does; `work` is None while it does nothing."""

    work: Work | None


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """How the node's own training ended: `ok`, `early_stop` or `aborted(REASON)`, and then why.
    `turned_degrees`: the rms angle by which it had turned the latent frame against the base's."""

    status: str
    why: str | None = field(default=None, metadata=OPTIONAL)
    turned_degrees: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True)
class RoundStatus:
    """A round as the node knows it, and what it has done for it."""

    round: int
    project: int
    phase: str
    commits: int
    reveals: int
    prepared: bool
    training: TrainingOutcome | None
    """None before it ended, and of who trains nothing."""
    sealed: bool
    scored: bool
    results: int
    failed: tuple[tuple[str, str], ...]
    committed: bool = False
    """Whether the chain has this wallet's commitment."""
    revealed: bool = False
    """Whether it has what was committed to."""


@dataclass(frozen=True, slots=True)
class OpenDuty:
    duty: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Bytes:
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class TrafficTotals:
    """Bytes since the process was started: blobs by kind, gossip, and the chain's endpoints by name."""

    blobs: Mapping[str, Bytes]
    gossip: Bytes
    endpoints: Mapping[str, Bytes]


@dataclass(frozen=True, slots=True)
class Serving:
    """The node's JSON-RPC server: its `url` while it listens, the `problem` while it cannot."""

    url: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The status a node last wrote: `age` seconds ago; `running` says whether that process still runs."""

    written: int
    moment: tuple[str, float]
    pid: int
    process: str | None
    wallet: Address
    roles: tuple[str, ...]
    peer: str
    addresses: tuple[str, ...]
    peers: int
    chain: ChainPosition
    projects: tuple[int, ...]
    work: Work | None
    rpc: Serving | None
    """None where the configuration asks for no server."""
    traffic: TrafficTotals
    log_lines_lost: int
    rounds: tuple[RoundStatus, ...]
    duties: tuple[OpenDuty, ...]
    age: int
    running: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node depends on: whether no endpoint answers, the seconds that its clock is ahead of new blocks
    (None before one was new), and the bytes that are free and in all on the disk of its data."""

    endpoints_silent: bool
    clock_ahead: int | None
    disk_free: int
    disk_total: int


@dataclass(frozen=True, slots=True)
class Health:
    """`healthy`: process, network and the reading of the chain go on. `ready`: it also acts on the newest
    blocks and has peers. `reasons`: why it is not, one word a cause. `remarks`: what to see to all the same,
    out of `surroundings`, which are None where the node cannot speak for itself."""

    healthy: bool
    ready: bool
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    surroundings: Surroundings | None = None


@dataclass(frozen=True, slots=True)
class ConnectedPeer:
    """A peer of this node: its address, whether this node dialled it, whether it gossips, and the
    milliseconds that its newest answer to a ping took, None without one. `wallet`: which one signed the
    newest message of a round that came from it, and `heard` when, seconds of Unix; None before one came.
    `parts`: what that wallet is in projects and in the rounds that the node keeps."""

    peer: str
    address: str
    outbound: bool
    gossiping: bool
    latency_ms: float | None
    wallet: Address | None = None
    parts: tuple[str, ...] = ()
    heard: int | None = None


@dataclass(frozen=True, slots=True)
class BannedPeer:
    """A peer that is refused: why, for how many seconds still, and how often it was banned so far."""

    peer: str
    reason: str
    seconds: int
    times: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that the dashboard exchanges for a token: once, within so many seconds."""

    code: str
    seconds: int


@dataclass(frozen=True, slots=True)
class RoleStanding:
    """A role of the node; of one that is paused nothing new is begun."""

    role: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """`rounds`: those that have not ended and in which the node has begun its part, at most 100 of them;
    `needed`: whether there are any: while it is needed, a node that is stopped may lose a bond."""

    roles: tuple[RoleStanding, ...]
    rounds: tuple[int, ...]
    needed: bool


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A duty of the node that is tried now, or that was done before."""

    duty: str
    state: str


@dataclass(frozen=True, slots=True)
class Rescanned:
    """Blocks and logs that were dropped, to be read again from block `first` on."""

    first: int = field(metadata=named("from"))
    blocks: int
    logs: int
