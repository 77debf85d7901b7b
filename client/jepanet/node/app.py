"""Build, supervise, stop: the one place where the rooms of a node are joined."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine
from typing import Any

from jepanet.chain.contracts.all import Contracts, Deployment, error_decoder
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.intents import Intent
from jepanet.chain.sending.sender import Sender
from jepanet.lifetime import heeded
from jepanet.node.chain_feed import ChainFeed
from jepanet.node.chain_watch import Following
from jepanet.node.completeness import Completeness
from jepanet.node.conversation import Conversation
from jepanet.node.engine import Engine, Trace
from jepanet.node.gate import Gate
from jepanet.node.status import ChainHealth, status_of, write_status
from jepanet.node.tracing import TracedIntents
from jepanet.p2p.host import P2PConfig, P2PNode
from jepanet.p2p.identity import load_or_create_node_key
from jepanet.protocol.documents.messages import MAX_MESSAGE_BYTES
from jepanet.protocol.state import Identity
from jepanet.roles.aggregator import Aggregator
from jepanet.roles.context import Context, Handlers
from jepanet.roles.coordinator import Coordinator
from jepanet.roles.proposer import Proposer
from jepanet.roles.solver import Solver
from jepanet.roles.steps.preparation import Preparation
from jepanet.roles.steps.settlement import Settlement
from jepanet.settings.config import Config
from jepanet.settings.fees import fee_policy
from jepanet.settings.network import topic_of
from jepanet.settings.paths import Paths, make_private
from jepanet.settings.terms import round_terms, wei
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.telemetry import get_logger, tell_repeated
from jepanet.types import Address, BlockRef, ProjectId, Role
from jepanet.work.worker import Worker

log = get_logger("node")

_GIB = 1 << 30
_STATUS_EVERY = 2.0
_NO_PEERS_PATIENCE = 30.0
_HOUSE_EVERY = 60.0
_ROUNDS_PINNED = 8
_BLOCKS_KEPT = 512

Advise = Callable[[Config, Rpc, Deployment, Address], Coroutine[None, None, None]]
"""Looks at chain and wallet of a node that has started, and logs what its operator should see to."""


class App:
    """One node with any set of roles."""

    def __init__(
        self,
        config: Config,
        wallet: Wallet,
        deployment: Deployment,
        *,
        advise: Advise,
        trace: Trace | None = None,
    ) -> None:
        self._config = config
        self._wallet = wallet
        self._deployment = deployment
        self._advise = advise
        self._trace = trace
        self._paths = Paths(config.node.data_dir)
        self._stop = asyncio.Event()
        self._exits = contextlib.AsyncExitStack()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Runs until a signal, `stop()` or a fatal error; leaves everything on disk for the next start.

        Raises:
            Fatal: the operator must act; the message names the remedy.
        """
        self._handle_signals()  # first: process 1 of a container has no default action
        async with self._exits:
            if not await self._unless_stopped(self._build()):
                log.info("node.stopped", before="it had started")
                return
            tasks = [
                asyncio.create_task(self.following.run(), name="follower"),
                asyncio.create_task(self.following.look_for_gaps(), name="completeness"),
                asyncio.create_task(self._keep_status(), name="status"),
                asyncio.create_task(self.engine.run(), name="engine"),
                asyncio.create_task(self.conversation.listen(self.engine.feed), name="gossip"),
                asyncio.create_task(self._watch_network(), name="network"),
                asyncio.create_task(self._keep_house(), name="house"),
                asyncio.create_task(self._stop.wait(), name="stop"),
            ]
            self.ready.set()
            log.info("node.started", wallet=self._wallet.address, peer=self.network.peer_id,
                     roles=sorted(map(str, self._config.node.roles)),
                     addresses=list(self.network.addresses))  # fmt: skip
            advice = asyncio.create_task(
                self._advise(self._config, self.rpc, self._deployment, self._wallet.address), name="advice"
            )
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (*tasks, advice):
                    task.cancel()
                await asyncio.gather(*tasks, advice, return_exceptions=True)
                self.engine.snapshot()
                tell_repeated(everything=True)
                log.info("node.stopped")

    def stop(self) -> None:
        """Asks a running node to end gracefully."""
        self._stop.set()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Does `work`, or gives it up when the node is to stop before it is done: False."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
                return True
            return False
        finally:
            for item in (task, stop):
                item.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    # -------------------------------------------------------------- building

    async def _build(self) -> None:
        config, paths = self._config, self._paths
        make_private(paths.root)
        self.journal = Journal.open(paths.journal)
        self._exits.callback(self.journal.close)
        deployment = self._deployment
        self.journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
        self.blobs = BlobStore(paths.blobs, int(config.node.storage_gb * _GIB))
        self._exits.callback(self.blobs.close)
        shutil.rmtree(paths.work, ignore_errors=True)
        paths.work.mkdir(parents=True)

        self.rpc = Rpc(config.chain.endpoints, deployment.chain_id, config.chain.timeout_seconds)
        self._exits.push_async_callback(self.rpc.close)
        await self.rpc.check()
        await deployment.validate(self.rpc)
        confirmations = config.chain.confirmations
        self.confirmations = deployment.confirmations if confirmations is None else confirmations
        intents = TracedIntents(JournalIntents(self.journal, Intent), self._trace)
        fees = fee_policy(config.chain)
        sender = Sender(
            self.rpc,
            self._wallet,
            intents,
            fees,
            confirmations=1,
            decoder=error_decoder(),
            burial=self.confirmations + 1,
            poll=min(0.5, config.chain.poll_seconds),
        )
        self.worker = Worker(
            threads=config.worker.threads,
            job_timeout=config.worker.job_timeout_seconds,
        )
        self._exits.push_async_callback(self.worker.stop)

        identity = Identity(
            address=self._wallet.address,
            roles=frozenset(config.node.roles),
            projects=frozenset(ProjectId(item) for item in config.projects.follow),
            rounds_to_play=config.proposer.rounds,
        )
        handlers: Handlers = {}
        self.engine = Engine(self.journal, identity, handlers, self._trace)
        self.gate = Gate(lambda: self.engine.state, chain_id=deployment.chain_id, contract=deployment.rounds)
        self.network = await self._start_network()
        self.conversation = Conversation(self.network, self.gate, self.blobs, self._wallet, deployment)
        context = Context(
            wallet=self._wallet,
            state=lambda: self.engine.state,
            journal=self.journal,
            blobs=self.blobs,
            network=self.network,
            say=self.conversation.say,
            providers=self.gate.providers,
            jobs=self.worker,
            contracts=Contracts.of(self.rpc, deployment),
            deployment=deployment,
            sender=sender,
            work=paths.work,
            device=config.worker.device,
            max_bond=wei(config.solver.max_bond, "solver.max_bond"),
            terms=round_terms(config.proposer) if Role.PROPOSER in config.node.roles else None,
            dataset=config.proposer.dataset,
            trace=self._trace or (lambda _: None),
        )
        for room in (Preparation, Solver, Coordinator, Aggregator, Proposer, Settlement):
            handlers.update(room(context).handlers())
        if Role.PROPOSER in config.node.roles and config.proposer.dataset is not None:
            Proposer(context).serve_dataset(config.proposer.dataset)
        self.feed = ChainFeed(self.journal, self.engine, self.confirmations)
        self.engine.restore()
        self.feed.settle_rewind()
        self.following = Following(
            self._follower(),
            self.feed,
            self.journal,
            Completeness(context.contracts, self.feed, self.journal),
        )

    async def _start_network(self) -> P2PNode:
        config, paths = self._config, self._paths
        make_private(paths.network)
        network = P2PNode(
            P2PConfig(
                listen=config.p2p.listen,
                bootstrap=config.p2p.bootstrap,
                announce_addresses=config.p2p.announce,
                node_key=load_or_create_node_key(paths.network / "node.key"),
                directory=paths.network,
                topic=topic_of(self._deployment),
                max_message_bytes=MAX_MESSAGE_BYTES,
            ),
            self.blobs,
            self.gate.validate,
        )
        await network.start()
        self._exits.push_async_callback(network.stop)
        return network

    # -------------------------------------------------------------- running

    def _follower(self) -> Follower:
        trail = [BlockRef(item.number, item.hash, item.timestamp) for item in self.journal.trail()]
        return Follower(
            self.rpc,
            self._deployment.followed,
            self._deployment.anchor,
            trail,
            hint=self._config.chain.websocket,
            poll=self._config.chain.poll_seconds,
            proven_until=self.journal.proven_until(),
        )

    async def _keep_status(self) -> None:
        """By time, not by blocks: a node whose chain stands still must say so."""
        while True:
            try:
                await self._write_status()
            except OSError as error:
                log.warning("status.unsaved", path=str(self._paths.status), why=error.strerror,
                            remedy="make room or mend the folder's permissions")  # fmt: skip
            await asyncio.sleep(_STATUS_EVERY)

    async def _keep_house(self) -> None:
        """Forgets what ended rounds no longer need: their pins, old empty blocks, blobs over the budget."""
        while True:
            await asyncio.sleep(_HOUSE_EVERY)
            tell_repeated()
            ended = [key for key, item in sorted(self.engine.state.rounds.items()) if item.ended_at]
            for key in ended[:-_ROUNDS_PINNED]:
                self.blobs.unpin_owner(f"round/{key}")
            self.journal.prune_blocks(_BLOCKS_KEPT)
            await asyncio.to_thread(self.blobs.collect)

    async def _watch_network(self) -> None:
        """Ends the node if the network thread dies; warns as long as nobody is connected."""
        failure = asyncio.ensure_future(asyncio.shield(self.network.failure))
        lonely_since: float | None = time.monotonic()
        while True:
            done, _ = await asyncio.wait({failure}, timeout=5.0)
            if done:
                failure.result()
            if await self.network.peers():
                lonely_since = None
            elif lonely_since is None:
                lonely_since = time.monotonic()
            elif time.monotonic() - lonely_since > _NO_PEERS_PATIENCE and self._config.p2p.bootstrap:
                log.warning("network.isolated", tried=list(self._config.p2p.bootstrap),
                            remedy="check the addresses in p2p.bootstrap and the firewall")  # fmt: skip
                lonely_since = time.monotonic()

    async def _write_status(self) -> None:
        follower = self.following.follower
        status = status_of(
            self.engine.state,
            self.journal.pending(),
            chain=ChainHealth(
                head=follower.head.number if follower.head else None,
                head_age=round(follower.head_age, 1),
                head_old=follower.head_old,
                stalled=follower.stalled,
                incomplete=self.following.completeness.missing,
            ),
            cursor=self.journal.cursor(),
            peers=len(await self.network.peers()),
            peer_id=self.network.peer_id,
            addresses=self.network.addresses,
            running=self.worker.running,
        )
        write_status(self._paths.status, status)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in heeded():
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.stop)
