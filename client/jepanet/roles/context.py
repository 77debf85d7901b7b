"""What handlers work with. Built once by `jepanet.node.app`; handlers keep no state of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.sender import Sender
from jepanet.protocol.documents.build import Build
from jepanet.protocol.documents.messages import Body
from jepanet.protocol.documents.spec_checks import Methods
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.facts import LocalFact
from jepanet.protocol.state import NodeState, OffChain, Own, Project, Round
from jepanet.roles.documents import Documents
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.traffic import BlobKind, Flow, Traffic
from jepanet.types import Address, Digest, ProjectId, RoundId
from jepanet.work.requests.machine import ONE_PROCESS, CheckpointPlace, Processes
from jepanet.work.requests.request import OnProgress, R, Request

Handler = Callable[[Any], Awaitable[Sequence[LocalFact]]]
Handlers = dict[str, Handler]


class Network(Protocol):
    """The part of the peer-to-peer room that roles use."""

    @property
    def addresses(self) -> tuple[str, ...]: ...

    async def fetch(
        self,
        digest: bytes,
        *,
        max_bytes: int,
        directory: Path,
        providers: Sequence[str] = (),
        on_progress: Callable[[int, int], None] | None = None,
        flow: Flow | None = None,
        kind: BlobKind = "other",
    ) -> Path: ...


class Jobs(Protocol):
    """The worker: heavy work in a child process."""

    async def start(self) -> None: ...

    async def run(self, request: Request[R], on_progress: OnProgress | None = None) -> R: ...


class Turns:
    """One at a time for each thing that several duties may want at once, such as a blob by its digest."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def of(self, thing: Hashable) -> asyncio.Lock:
        """The lock of a thing: the same one as long as anybody holds it or waits for it."""
        return self._locks.setdefault(thing, asyncio.Lock())


async def _no_build() -> Build:
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """Handles to every room, for handlers."""

    wallet: Wallet
    state: Callable[[], NodeState]
    journal: Journal
    blobs: BlobStore
    network: Network
    traffic: Traffic
    say: Callable[[Body], Awaitable[None]]
    """Signs, wraps and gossips one message."""
    providers: Callable[[bytes], tuple[str, ...]]
    """Addresses announced for a digest, newest first."""
    jobs: Jobs
    derivations: Jobs
    """A worker of its own for models that are derived: training may keep the other one busy for an hour."""
    documents: Documents
    contracts: Contracts
    header: Callable[[int], Awaitable[bytes]]
    """RLP of the header of the chain's block of that number; it fits the block's hash."""
    shortest_window: Callable[[], Awaitable[float]]
    """Seconds a phase must last for this node to act in it: measured."""
    deployment: Deployment
    sender: Sender
    work: Path
    """Folder for files of running jobs; emptied at start."""
    methods: Methods
    """Codecs and merge rules of the work that `jobs` does."""
    device: str = "cpu"
    """Where this node trains and measures, as torch names it."""
    memory: int | None = None
    """Bytes that a job may take there; None: of a GPU whose operator has not said,
    and the job looks by itself."""
    torch: str = ""
    """Version of torch that is installed here."""
    build: Callable[[], Awaitable[Build]] = _no_build
    """What trainings of audited rounds are computed by here."""
    operations: float | None = None
    """That a round may take there, of training or of measuring; None: any number."""
    processes: Processes = ONE_PROCESS
    """That train one delta together."""
    checkpoints: CheckpointPlace | None = None
    """Folder and budget of the checkpoints of trainings, by round; None: a training that is killed begins
    anew."""
    own_backbone: Callable[[Digest], Path | None] = lambda _: None
    """Where the operator's folder has the backbone of that digest; None where it has not."""
    max_bond: int | None = None
    """Wei a solver puts at stake in one round at most; None: whatever the round asks for."""
    terms: RoundTerms | None = None
    dataset: Path | None = None
    keep_deltas: bool = False
    """Proposer: whether to keep every delta for auditors, or only what models are derived from."""
    turns: Turns = field(default_factory=Turns)
    random_bytes: Callable[[int], bytes] = os.urandom
    """That many bytes nobody can guess."""
    trace: Callable[[str], None] = lambda _: None
    """Called with the name of every durable step that a handler takes by itself."""

    @property
    def me(self) -> Address:
        return self.wallet.address

    @property
    def chain_id(self) -> int:
        return self.deployment.chain_id

    @property
    def rounds_address(self) -> Address:
        return self.deployment.rounds

    def round(self, round_id: RoundId) -> Round:
        return self.state().rounds[round_id]

    def own(self, round_id: RoundId) -> Own:
        return self.state().own[round_id]

    def off_chain(self, round_id: RoundId) -> OffChain:
        return self.state().off_chain[round_id]

    def project(self, project_id: ProjectId) -> Project:
        return self.state().projects[project_id]
