"""What the methods need of a running node. `node` has it; neither room imports the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from jepanet.chain.contracts.deployment import Deployment
from jepanet.operations.access import OverEndpoints
from jepanet.protocol.duties import Duty
from jepanet.protocol.state import NodeState
from jepanet.settings.config import Config
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.traffic import Traffic
from jepanet.types import Address, Role


class Peer(Protocol):
    """A connected peer."""

    @property
    def peer_id(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def outbound(self) -> bool: ...

    @property
    def gossiping(self) -> bool: ...

    @property
    def latency(self) -> float | None: ...


class Ban(Protocol):
    """`until` is on the clock of `time.monotonic`."""

    @property
    def until(self) -> float: ...

    @property
    def reason(self) -> str: ...

    @property
    def times(self) -> int: ...


class Download(Protocol):
    """A download; `begun`, and `ended` if it has, are on the clock of `time.monotonic`. `sources`: bytes by
    peer."""

    @property
    def digest(self) -> bytes: ...

    @property
    def begun(self) -> float: ...

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def sources(self) -> Mapping[str, int]: ...

    @property
    def ended(self) -> float | None: ...

    @property
    def failure(self) -> str | None: ...


class Peers(Protocol):
    """A node's network."""

    async def peers(self) -> Sequence[Peer]: ...

    def transfers(self) -> Sequence[Download]: ...

    def fetched(self) -> Sequence[Download]:
        """Those that have ended, the newest first."""

    def bans(self) -> Mapping[str, Ban]: ...

    async def connect(self, address: str) -> None:
        """Raises: Rejected: malformed, banned or this node itself. Transient: nobody of that id answers."""

    async def ban(self, peer_id: str, reason: str) -> None:
        """Raises: Rejected: not a peer id."""


class Word(Protocol):
    """The newest message of a wallet: the peer that it came from, and when, seconds of Unix."""

    @property
    def peer(self) -> str: ...

    @property
    def at(self) -> int: ...


class Words(Protocol):
    """Who of those with a part in a round was heard."""

    def words(self) -> Mapping[Address, Word]:
        """By wallet, whoever was heard last comes last."""


class Offer(Protocol):
    """What a transaction offers: the most that it pays, in wei a unit of gas."""

    @property
    def max_fee(self) -> int: ...


class Step(Protocol):
    """How far a running job is, and the loss of that step where it trains."""

    @property
    def step(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def loss(self) -> float | None: ...


class Job(Protocol):
    """A running job, its seconds so far, the last progress it reported, steps a second, and steps with their
    loss, thinned out."""

    @property
    def job(self) -> str: ...

    @property
    def seconds(self) -> int: ...

    @property
    def progress(self) -> Step | None: ...

    @property
    def rate(self) -> float | None: ...

    @property
    def curve(self) -> tuple[tuple[int, float], ...]: ...


class Jobs(Protocol):
    """What does a node's heavy work."""

    @property
    def running(self) -> Job | None: ...


class Duties(Protocol):
    """What a node does by its journal."""

    def take_up(self, duty: Duty) -> str | None:
        """How far a duty is that is tried now; None where it is not due."""

    def under_way(self) -> tuple[str, ...]:
        """Keys of the duties that are being carried out."""


class Around(Protocol):
    """What a node depends on, as `operations.views.node.Surroundings` says it."""

    @property
    def endpoints_silent(self) -> bool: ...

    @property
    def clock_ahead(self) -> int | None: ...

    @property
    def disk_free(self) -> int: ...

    @property
    def disk_total(self) -> int: ...


class Paused(Protocol):
    """Roles of a node, and those of them for which it begins nothing new."""

    @property
    def roles(self) -> frozenset[Role]: ...

    @property
    def paused(self) -> frozenset[Role]: ...

    def pause(self, roles: frozenset[Role]) -> None:
        """Raises: Rejected."""

    def resume(self, roles: frozenset[Role]) -> None:
        """Raises: Rejected."""


class Stretch(Protocol):
    """Blocks that are being read again: the first, the last that is there again, and the last of all."""

    @property
    def first(self) -> int: ...

    @property
    def at(self) -> int: ...

    @property
    def until(self) -> int: ...


class Rereading(Protocol):
    """What a node reads from the chain again, one stretch at a time."""

    @property
    def progress(self) -> Stretch | None: ...

    @property
    def stored(self) -> tuple[int, int] | None:
        """The first and the last block that can be read again."""

    def begin(self, first: int) -> Stretch:
        """Raises: Rejected: another stretch is being read again, or `first` is not among those stored."""


class RunningNode(OverEndpoints, Protocol):
    """Open handles of a node; everything is read on its event loop."""

    @property
    def config(self) -> Config: ...

    @property
    def deployment(self) -> Deployment: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def state(self) -> NodeState: ...

    @property
    def excluded_bps(self) -> int: ...

    @property
    def network(self) -> Peers: ...

    @property
    def heard(self) -> Words: ...

    @property
    def traffic(self) -> Traffic: ...

    @property
    def engine(self) -> Duties: ...

    @property
    def worker(self) -> Jobs: ...

    @property
    def pauses(self) -> Paused: ...

    @property
    def rereading(self) -> Rereading: ...

    @property
    def caught_up(self) -> bool:
        """Whether its state is that of the newest confirmed block."""

    async def surroundings(self) -> Around:
        """How its endpoints, its clock and its disk stand. Endpoints of which nothing was heard for a second
        are asked."""

    async def fees(self) -> Offer:
        """What its next transaction would offer.

        Raises: Transient: no endpoint tells, or it is above the cap.
        """

    async def status(self) -> dict[str, object]:
        """What it writes for `jepanet status`."""

    async def metrics(self) -> bytes:
        """Its figures as Prometheus reads them."""
