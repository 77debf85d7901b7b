"""Build, supervise, stop: the one place where the rooms of a node are joined."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol, TypeVar

from jepanet.chain.contracts.all import Contracts, Deployment
from jepanet.chain.endpoints.beacon_headers import read_header
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.chain.following.follower import Follower
from jepanet.chain.following.pace import measure_pace
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.fees import Fees, quote
from jepanet.chain.sending.sender import Sender
from jepanet.errors import JepanetError
from jepanet.learning.backbone_file import place_of
from jepanet.learning.computing import most_operations
from jepanet.lifetime import heeded
from jepanet.metrics.chain import ChainReading
from jepanet.node.account_watch import AccountWatch
from jepanet.node.confirmed_facts import ConfirmedFacts
from jepanet.node.conversation import Conversation
from jepanet.node.documents import LearningDocuments
from jepanet.node.engine import Engine, Trace
from jepanet.node.gossip_gate import Gate
from jepanet.node.heard import Heard
from jepanet.node.missing_events import MissingEvents
from jepanet.node.observing import metrics_page
from jepanet.node.opening import checkpoints_of, follower_of, job_memory, network_of, sender_of
from jepanet.node.pausing import Pauses
from jepanet.node.reachable import Reachable
from jepanet.node.rereading import Rereading
from jepanet.node.status import ChainHealth, Surroundings, status_of
from jepanet.node.upkeep import keep_house, keep_status, watch_network
from jepanet.node.wallet_lock import wallet_lock
from jepanet.p2p.host import P2PNode
from jepanet.protocol.facts import ChainEvent
from jepanet.protocol.state import Identity, NodeState
from jepanet.roles.aggregator import Aggregator
from jepanet.roles.context import Context, Handlers
from jepanet.roles.coordinator import Coordinator
from jepanet.roles.proposer import Proposer
from jepanet.roles.solver import TRAINING_NOTE, Solver
from jepanet.roles.steps.models import way_pin
from jepanet.roles.steps.preparation import Preparation
from jepanet.roles.steps.settlement import Settlement
from jepanet.settings.config import Config
from jepanet.settings.fees import fee_policy
from jepanet.settings.paths import Paths, make_private
from jepanet.settings.terms import round_terms, wei
from jepanet.settings.unlock import unlock
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.telemetry import get_logger, tell_repeated
from jepanet.traffic import Traffic
from jepanet.types import Address, ProjectId, Role
from jepanet.work.log_form import LogForm
from jepanet.work.methods import METHODS
from jepanet.work.own_build import OwnBuildAsked
from jepanet.work.requests.machine import Processes
from jepanet.work.worker import DERIVATIONS, Worker

log = get_logger("node")

_GIB = 1 << 30
T = TypeVar("T")

Advise = Callable[[Config, Rpc, Deployment, Address], Coroutine[None, None, None]]
"""Looks at chain and wallet of a node that has started, and logs what its operator should see to."""


class Service(Protocol):
    """Answers others for as long as a node runs. Nothing that happens to it ends the node."""

    async def run(self, node: Node) -> None: ...

    def standing(self) -> Mapping[str, object] | None: ...

    async def farewell(self, why: JepanetError | None) -> None:
        """Tells who listens that the node ends now, and why: None where it was told to."""


async def run_node(config: Config, *, advise: Advise, service: Service, trace: Trace | None = None) -> None:
    """Runs a node until a signal or a fatal error; leaves everything on disk for the next start.

    `advise` is called once, when the node has started, and `service` runs beside it until it ends. `trace` is
    called with the name of every step, for tests that kill it.

    Raises:
        Fatal: the operator must act; the message names the remedy, the code becomes the exit code.
    """
    deployment = Deployment.load(config.chain.deployment)
    wallet = unlock(config.wallet)
    with wallet_lock(config.wallet.directory, wallet.address, deployment.chain_id):
        stop = asyncio.Event()
        _stop_on_signals(stop)  # first: process 1 of a container has no default action
        async with AsyncExitStack() as opened:
            node = await _unless_stopped(
                stop, build(config, wallet, deployment, opened, service, trace=trace)
            )
            if node is None:
                log.info("node.stopped", before="it had started")
                return
            await node.run(stop, advise(config, node.rpc, deployment, wallet.address))


@dataclass(frozen=True, slots=True)
class Node:
    """One node with any set of roles, complete: everything is open, and nothing is added later."""

    config: Config
    paths: Paths
    deployment: Deployment
    service: Service
    journal: Journal
    blobs: BlobStore
    rpc: Rpc
    traffic: Traffic
    sender: Sender
    worker: Worker
    derivations: Worker
    engine: Engine
    pauses: Pauses
    network: P2PNode
    heard: Heard
    conversation: Conversation
    follower: Follower[ChainEvent]
    feed: ConfirmedFacts
    rereading: Rereading
    missing_events: MissingEvents
    account: AccountWatch
    reachable: Reachable
    excluded_bps: int

    async def run(self, stop: asyncio.Event, advice: Coroutine[None, None, None]) -> None:
        """Until `stop` is set. `advice` is awaited beside it.

        Raises:
            Fatal: the operator must act; the message names the remedy.
        """
        state = self.engine.state
        tasks = [
            asyncio.create_task(
                self.feed.follow(self.follower, self.missing_events.look_soon), name="follower"
            ),
            asyncio.create_task(self.missing_events.watch(), name="completeness"),
            asyncio.create_task(keep_status(self.paths.status, self.status), name="status"),
            asyncio.create_task(self.engine.run(), name="engine"),
            asyncio.create_task(self.conversation.listen(self.engine.feed), name="gossip"),
            asyncio.create_task(watch_network(self.network, self.config.p2p.bootstrap), name="network"),
            asyncio.create_task(keep_house(self.engine, self.blobs, self.journal), name="house"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        log.info("node.started", wallet=state.me.address, peer=self.network.peer_id,
                 roles=sorted(map(str, state.me.roles)),
                 addresses=list(self.network.addresses))  # fmt: skip
        beside = [
            asyncio.create_task(advice, name="advice"),
            asyncio.create_task(self.service.run(self), name="service"),
        ]
        if self.config.metrics.enabled:
            every = self.config.metrics.account_seconds
            beside.append(asyncio.create_task(self.account.watch(every), name="account"))
            beside.append(asyncio.create_task(self.reachable.watch(), name="reachable"))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self.service.farewell(None)
        except JepanetError as error:
            await self.service.farewell(error)
            raise
        finally:
            for task in (*tasks, *beside):
                task.cancel()
            await asyncio.gather(*tasks, *beside, return_exceptions=True)
            self.engine.snapshot()
            tell_repeated(everything=True)
            log.info("node.stopped")

    @property
    def state(self) -> NodeState:
        """What it knows, at the newest confirmed block."""
        return self.engine.state

    @property
    def caught_up(self) -> bool:
        """Whether that is the newest block there is to act on."""
        return self.engine.caught_up

    async def surroundings(self) -> Surroundings:
        """How its endpoints, its clock and its disk stand."""
        silent, disk = await asyncio.gather(
            self.rpc.is_silent(), asyncio.to_thread(shutil.disk_usage, self.paths.root)
        )
        ahead = self.follower.clock_ahead
        return Surroundings(silent, None if ahead is None else round(ahead), disk.free, disk.total)

    async def fees(self) -> Fees:
        """What its next transaction would offer.

        Raises: Transient: no endpoint tells, or it is above the cap.
        """
        return await quote(self.rpc, fee_policy(self.config.chain))

    async def status(self) -> dict[str, object]:
        """What `jepanet status` shows."""
        follower = self.follower
        return status_of(
            self.engine.state,
            self.journal.pending(),
            chain=ChainHealth(
                head=follower.head.number if follower.head else None,
                head_age=round(follower.head_age, 1),
                head_old=follower.head_old,
                stalled=follower.stalled,
                incomplete=self.missing_events.missing,
            ),
            cursor=self.journal.cursor(),
            peers=len(await self.network.peers()),
            peer_id=self.network.peer_id,
            addresses=self.network.addresses,
            running=self.worker.running or self.derivations.running,
            rpc=self.service.standing(),
            traffic=self.traffic,
            training_note=lambda round_id: self.journal.notes(round_id).get(TRAINING_NOTE),
        )

    async def metrics(self) -> bytes:
        """What Prometheus is answered."""
        follower = self.follower
        return await metrics_page(
            config=self.config,
            paths=self.paths,
            state=self.engine.state,
            journal=self.journal,
            blobs=self.blobs,
            chain=ChainReading(
                head=follower.head,
                head_age=follower.head_age,
                head_old=follower.head_old,
                stalled=follower.stalled,
                incomplete=self.missing_events.missing,
                confirmed=self.journal.cursor(),
                caught_up=self.caught_up,
            ),
            endpoints=self.rpc.endpoints,
            account=self.account.seen,
            network=self.network,
            reachable=self.reachable.found,
            traffic=self.traffic,
            workers=[("jobs", self.worker), ("derivations", self.derivations)],
        )


async def build(
    config: Config,
    wallet: Wallet,
    deployment: Deployment,
    opened: AsyncExitStack,
    service: Service,
    *,
    trace: Trace | None = None,
) -> Node:
    """Opens and joins everything a node consists of; the network, last, starts to listen.

    How to close each is left in `opened` as soon as it is open: its owner closes in reverse order, also when
    building fails or is given up halfway.

    Raises:
        Fatal: as each room says, for example a journal in use, a wrong chain or a port that is taken.
        Transient: no endpoint of the chain answers.
    """
    paths = Paths(config.node.data_dir)
    make_private(paths.root)
    journal = Journal.open(paths.journal, read_earlier_log)
    opened.callback(journal.close)
    journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
    journal.expect_released()
    blobs = BlobStore(paths.blobs, int(config.node.storage_gb * _GIB))
    opened.callback(blobs.close)
    shutil.rmtree(paths.work, ignore_errors=True)
    paths.work.mkdir(parents=True)

    traffic = Traffic()
    rpc = Rpc(config.chain.endpoints, deployment.chain_id, config.chain.timeout_seconds, traffic=traffic)
    opened.push_async_callback(rpc.close)
    await rpc.check()
    await deployment.validate(rpc)
    contracts = Contracts.of(rpc, deployment)
    configured = config.chain.confirmations
    confirmations = deployment.confirmations if configured is None else configured
    lasts, log_form = config.worker.job_timeout_seconds, LogForm(config.log.level, config.log.json)
    backbones = config.worker.backbones
    worker = Worker(
        threads=config.worker.threads, job_timeout=lasts, log_form=log_form,
        backbones=[*([] if backbones is None else [backbones]), paths.blobs],
    )  # fmt: skip
    opened.push_async_callback(worker.stop)
    derivations = Worker(job_timeout=lasts, module=DERIVATIONS, log_form=log_form)
    opened.push_async_callback(derivations.stop)

    def state() -> NodeState:
        return engine.state  # made below, before the network listens and before a duty is handed out

    async def shortest_window() -> float:
        pace = await measure_pace(rpc)
        return pace.shortest_window(confirmations, config.chain.poll_seconds)

    gate = Gate(state, chain_id=deployment.chain_id, contract=deployment.rounds)
    network = network_of(config, paths, deployment, blobs, gate, traffic)
    conversation = Conversation(network, gate, blobs, wallet, deployment)
    sender = sender_of(config, rpc, wallet, journal, confirmations, trace)
    context = Context(
        wallet=wallet,
        state=state,
        journal=journal,
        blobs=blobs,
        network=network,
        traffic=traffic,
        say=conversation.say,
        providers=gate.providers,
        jobs=worker,
        derivations=derivations,
        documents=LearningDocuments(config.worker.device, config.worker.processes),
        contracts=contracts,
        header=lambda number: read_header(rpc, number),
        shortest_window=shortest_window,
        deployment=deployment,
        sender=sender,
        work=paths.work,
        methods=METHODS,
        device=config.worker.device,
        memory=job_memory(config.worker),
        torch=version("torch"),
        build=OwnBuildAsked(),
        operations=most_operations(config.worker.device, config.worker.round_tflop),
        processes=Processes(config.worker.processes, config.worker.parallel),
        checkpoints=checkpoints_of(config, paths),
        own_backbone=lambda digest: None if backbones is None else place_of(backbones, digest.hex()),
        max_bond=wei(config.solver.max_bond, "solver.max_bond"),
        terms=round_terms(config.proposer, METHODS) if Role.PROPOSER in config.node.roles else None,
        dataset=config.proposer.dataset,
        keep_deltas=config.proposer.keep_deltas,
        trace=trace or (lambda _: None),
    )
    fixed = await contracts.rounds.configuration("latest")
    engine = Engine(journal, _identity(config, wallet, fixed.resolve_duration), _handlers(context), trace)
    verifies = Role.COORDINATOR in config.node.roles
    account = AccountWatch(rpc, contracts, wallet.address, fixed.minimum_verifier_stake if verifies else 0)
    pauses = Pauses(paths.paused, frozenset(config.node.roles), engine.hold)
    feed = ConfirmedFacts(journal, engine, confirmations)
    engine.restore()
    for project in engine.state.projects:
        blobs.unpin_owner(way_pin(project))  # of a derivation that a crash ended: it begins anew
    feed.settle_rewind()
    follower = follower_of(config, rpc, deployment, journal)
    lowest = deployment.anchor.number + 1
    rereading = Rereading(journal, follower, lambda: feed.caught_up, lowest)
    missing_events = MissingEvents(contracts, feed, journal, rereading)
    await network.start()
    opened.push_async_callback(network.stop)
    return Node(
        config=config,
        paths=paths,
        deployment=deployment,
        service=service,
        journal=journal,
        blobs=blobs,
        rpc=rpc,
        traffic=traffic,
        sender=sender,
        worker=worker,
        derivations=derivations,
        engine=engine,
        pauses=pauses,
        network=network,
        heard=gate.heard,
        conversation=conversation,
        follower=follower,
        feed=feed,
        rereading=rereading,
        missing_events=missing_events,
        account=account,
        reachable=Reachable(network),
        excluded_bps=fixed.excluded_bps,
    )


def _identity(config: Config, wallet: Wallet, resolve_duration: int) -> Identity:
    return Identity(
        address=wallet.address,
        roles=frozenset(config.node.roles),
        projects=frozenset(ProjectId(item) for item in config.projects.follow),
        rounds_to_play=config.proposer.rounds,
        resolve_duration=resolve_duration,
    )


def _handlers(context: Context) -> Handlers:
    """The handlers of every duty. A proposer's dataset is served from here on."""
    handlers: Handlers = {}
    for room in (Preparation, Solver, Coordinator, Aggregator, Proposer, Settlement):
        handlers.update(room(context).handlers())
    if context.terms is not None and context.dataset is not None:
        Proposer(context).serve_dataset(context.dataset)
    return handlers


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in heeded():
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[object, None, T]) -> T | None:
    """The result of `work`; None if it is given up because the node is to stop before it is done."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for item in (task, stopped):
            item.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
