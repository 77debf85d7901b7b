"""A node's figures put together for Prometheus, from what it counted and holds: no chain is asked."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from jepanet import __version__
from jepanet.chain.endpoints.endpoint import Endpoint
from jepanet.metrics.chain import (
    AccountReading,
    ChainReading,
    EndpointReading,
    account_samples,
    chain_samples,
    endpoint_samples,
    transaction_samples,
)
from jepanet.metrics.exposition import page_of
from jepanet.metrics.machine import (
    DiskReading,
    JobReading,
    WorkerReading,
    disk_samples,
    network_samples,
    program_samples,
    traffic_samples,
    worker_samples,
)
from jepanet.metrics.rounds import Looking, OpenDuty, duty_samples, round_samples
from jepanet.p2p.host import P2PNode
from jepanet.protocol.state import NodeState
from jepanet.roles.solver import TRAINING_NOTE
from jepanet.roles.steps.apart import APART_NOTE, kept_apart
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.telemetry import lost_lines
from jepanet.traffic import Traffic
from jepanet.types import RoundId
from jepanet.work.worker import Worker

_NEWEST_TRANSACTIONS = 64


async def metrics_page(
    *,
    config: Config,
    paths: Paths,
    state: NodeState,
    journal: Journal,
    blobs: BlobStore,
    chain: ChainReading,
    endpoints: Sequence[Endpoint],
    account: AccountReading | None,
    network: P2PNode,
    reachable: bool | None,
    traffic: Traffic,
    workers: Sequence[tuple[str, Worker]],
) -> bytes:
    """What a scrape gets. Raises: whatever a store or the network's thread raises that does not answer."""
    now = time.time()
    newest = JournalIntents(journal).page(state.me.address, before=None, most=_NEWEST_TRANSACTIONS)
    open_duties = [
        OpenDuty(row.tag, None if row.round_id is None else RoundId(row.round_id), row.attempts)
        for row in journal.pending()
    ]
    look = Looking(
        aborted=lambda round_id: _aborted(journal, round_id),
        apart=lambda round_id: kept_apart(journal.note(round_id, APART_NOTE)),
        done=lambda key: journal.duty_state(key) == "done",
        has=blobs.has,
    )
    peers, bans = await network.peers(), network.bans()
    disk = await asyncio.to_thread(_disk, paths, blobs)
    outbound = sum(item.outbound for item in peers)
    return page_of(
        [
            *chain_samples(chain, now),
            *endpoint_samples([_endpoint(item) for item in endpoints]),
            *transaction_samples([intent for _, intent in newest], now, config.chain.stuck_seconds),
            *account_samples(account),
            *round_samples(state, look),
            *duty_samples(state, open_duties),
            *worker_samples([_worker(name, item) for name, item in workers]),
            *network_samples(
                outbound, len(peers) - outbound, sum(item.gossiping for item in peers), len(bans), reachable
            ),
            *traffic_samples(traffic),
            *disk_samples(disk),
            *program_samples(__version__, state.me.roles, lost_lines()),
        ]
    )


def _aborted(journal: Journal, round_id: RoundId) -> bool:
    note = journal.note(round_id, TRAINING_NOTE)
    return note is not None and str(json.loads(note).get("status", "ok")).startswith("aborted")


def _endpoint(endpoint: Endpoint) -> EndpointReading:
    health, counts = endpoint.health, endpoint.counts
    return EndpointReading(
        endpoint.name,
        counts.requests,
        counts.failures,
        counts.seconds,
        resting=health.rests_until > time.monotonic(),
        lagging=health.lags,
        wrong_chain=health.wrong_chain is not None,
    )


def _worker(name: str, worker: Worker) -> WorkerReading:
    running = worker.running
    job = None
    if running is not None:
        told = running.progress
        job = (
            JobReading(running.seconds)
            if told is None
            else JobReading(running.seconds, told.step, told.steps, told.loss, running.rate)
        )
    return WorkerReading(name, worker.starts, worker.deaths, job)


def _disk(paths: Paths, blobs: BlobStore) -> DiskReading:
    usage = shutil.disk_usage(paths.root)
    beside = (paths.journal, *(Path(f"{paths.journal}{end}") for end in ("-wal", "-shm")))
    return DiskReading(blobs.used(), blobs.budget, _sizes(beside), usage.free, usage.total)


def _sizes(files: Iterable[Path]) -> int:
    total = 0
    for path in files:
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # SQLite removes what it needs no longer
            continue
    return total
