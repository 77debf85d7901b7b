"""Parts of a node as its configuration says: how it sends, follows the chain, and meets its network."""

from __future__ import annotations

from typing import Final

from jepanet.chain.contracts.all import Deployment, error_decoder
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.follower import Follower
from jepanet.chain.following.logs_to_facts import decode
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.sender import Sender
from jepanet.learning.machine.installed import installed_memory
from jepanet.node.blob_kinds import kind_of
from jepanet.node.engine import Trace
from jepanet.node.gossip_gate import Gate
from jepanet.node.tracing import TracedIntents
from jepanet.p2p.host import P2PConfig, P2PNode
from jepanet.p2p.identity import load_or_create_node_key
from jepanet.protocol.documents.messages import MAX_MESSAGE_BYTES
from jepanet.protocol.facts import ChainEvent
from jepanet.settings.config import Config, WorkerSection
from jepanet.settings.fees import fee_policy
from jepanet.settings.network import topic_of
from jepanet.settings.paths import Paths, make_private
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.traffic import Traffic
from jepanet.types import BlockRef
from jepanet.work.requests.machine import CheckpointPlace

_GIB: Final = 1 << 30


def sender_of(
    config: Config,
    rpc: Rpc,
    wallet: Wallet,
    journal: Journal,
    confirmations: int,
    trace: Trace | None,
) -> Sender:
    """Sends by the node's journal."""
    return Sender(
        rpc,
        wallet,
        TracedIntents(JournalIntents(journal), trace),
        fee_policy(config.chain),
        confirmations=1,
        decoder=error_decoder(),
        burial=confirmations + 1,
        poll=min(0.5, config.chain.poll_seconds),
    )


def job_memory(worker: WorkerSection) -> int | None:
    """Bytes that a job may take where it computes: what the operator says, else what the machine has, so that
    nothing is fetched for what has no room; None on a GPU, of which the job alone knows."""
    said = int(worker.memory_gb * _GIB)
    return said or (installed_memory() if worker.device.startswith("cpu") else None)


def checkpoints_of(config: Config, paths: Paths) -> CheckpointPlace | None:
    """Where trainings leave checkpoints; None where the operator gives them no room."""
    budget = int(config.worker.checkpoint_gb * _GIB)
    if not budget:
        return None
    make_private(paths.checkpoints)
    return CheckpointPlace(paths.checkpoints, budget)


def network_of(
    config: Config, paths: Paths, deployment: Deployment, blobs: BlobStore, gate: Gate, traffic: Traffic
) -> P2PNode:
    """Its libp2p host, not started."""
    make_private(paths.network)
    settings = P2PConfig(
        listen=config.p2p.listen,
        bootstrap=config.p2p.bootstrap,
        announce_addresses=config.p2p.announce,
        node_key=load_or_create_node_key(paths.network / "node.key"),
        directory=paths.network,
        topic=topic_of(deployment),
        max_message_bytes=MAX_MESSAGE_BYTES,
    )
    return P2PNode(settings, blobs, gate.validate, traffic, kind_of)


def follower_of(config: Config, rpc: Rpc, deployment: Deployment, journal: Journal) -> Follower[ChainEvent]:
    """Follows the chain from where the journal is."""
    return Follower(
        rpc,
        deployment.followed,
        deployment.anchor,
        decode,
        [BlockRef(item.number, item.hash, item.timestamp) for item in journal.trail()],
        hint=config.chain.websocket,
        poll=config.chain.poll_seconds,
        range_from=config.chain.log_queries_above,
        proven_until=journal.proven_until(),
    )
