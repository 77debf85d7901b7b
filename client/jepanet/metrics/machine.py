"""Work, network, disk and program of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jepanet.metrics.metric import Metric, Samples, whether
from jepanet.traffic import BLOB_KINDS, Traffic
from jepanet.types import Role

BUSY = Metric("jepanet_worker_busy", "1 where the worker does a job", ("worker",))
STARTS = Metric("jepanet_worker_starts_total", "Child processes started", ("worker",), "counter")
DEATHS = Metric(
    "jepanet_worker_deaths_total", "Child processes that ended in a job or overran it", ("worker",), "counter"
)
ELAPSED = Metric(
    "jepanet_job_elapsed_seconds", "Since the running job began; absent without one", ("worker",)
)
STEP = Metric("jepanet_job_step", "Step of the running job", ("worker",))
STEPS = Metric("jepanet_job_steps", "Steps that the running job has", ("worker",))
LOSS = Metric("jepanet_job_loss", "Loss of the last step that was told", ("worker",))
REMAINING = Metric("jepanet_job_remaining_seconds", "Until it is done at the pace it had so far", ("worker",))

PEERS = Metric("jepanet_peers", "Connected peers, by who dialled", ("direction",))
MESH = Metric("jepanet_peers_gossiping", "Connected peers that exchange messages")
REACHABLE = Metric(
    "jepanet_port_reachable", "1 where others can dial this node, 0 where not; absent where nobody could tell"
)
BANNED = Metric("jepanet_peers_banned", "Bans in force")
RECEIVED = Metric(
    "jepanet_network_received_bytes_total", "Bytes that came, by what they were", ("kind",), "counter"
)
SENT = Metric(
    "jepanet_network_sent_bytes_total", "Bytes that went out, by what they were", ("kind",), "counter"
)

BLOBS = Metric("jepanet_blob_store_bytes", "Blobs on disk")
BLOB_LIMIT = Metric("jepanet_blob_store_limit_bytes", "node.storage_gb")
JOURNAL = Metric("jepanet_journal_bytes", "Journal on disk, with what SQLite writes beside it")
DISK_FREE = Metric("jepanet_disk_free_bytes", "Room that is left on the disk of node.data_dir")
DISK_SIZE = Metric("jepanet_disk_size_bytes", "Size of that disk")
LOST = Metric("jepanet_log_lines_lost_total", "Log lines that could not be written", (), "counter")
ROLE = Metric("jepanet_node_role", "1 for each role of the node", ("role",))
BUILD = Metric("jepanet_build_info", "The program's version", ("version",), "info")
VERSION = Metric("jepanet_build_version_number", "The same as 1000000 x major + 1000 x minor + patch")

METRICS: Final = (
    BUSY, STARTS, DEATHS, ELAPSED, STEP, STEPS, LOSS, REMAINING, PEERS, MESH, REACHABLE, BANNED, RECEIVED,
    SENT, BLOBS, BLOB_LIMIT, JOURNAL, DISK_FREE, DISK_SIZE, LOST, ROLE, BUILD, VERSION,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobReading:
    """A running job: `seconds` since it began, its last progress if any, `rate` in steps a second."""

    seconds: float
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """`name`: `jobs` or `derivations`."""

    name: str
    starts: int
    deaths: int
    job: JobReading | None


@dataclass(frozen=True, slots=True)
class DiskReading:
    """In bytes."""

    blobs: int
    blob_limit: int
    journal: int
    free: int
    size: int


def worker_samples(readings: Sequence[WorkerReading]) -> Samples:
    for worker in readings:
        yield whether(BUSY, worker.job is not None, worker.name)
        yield STARTS.at(worker.starts, worker.name)
        yield DEATHS.at(worker.deaths, worker.name)
        job = worker.job
        if job is None:
            continue
        yield ELAPSED.at(job.seconds, worker.name)
        if job.step is not None and job.steps is not None:
            yield STEP.at(job.step, worker.name)
            yield STEPS.at(job.steps, worker.name)
            if job.rate:
                yield REMAINING.at(max(0, job.steps - job.step) / job.rate, worker.name)
        if job.loss is not None:
            yield LOSS.at(job.loss, worker.name)


def network_samples(
    outbound: int, inbound: int, gossiping: int, banned: int, reachable: bool | None
) -> Samples:
    yield PEERS.at(outbound, "outbound")
    yield PEERS.at(inbound, "inbound")
    yield MESH.at(gossiping)
    if reachable is not None:
        yield whether(REACHABLE, reachable)
    yield BANNED.at(banned)


def traffic_samples(traffic: Traffic) -> Samples:
    totals = traffic.totals()
    flows = {f"blob_{kind}": traffic.blobs(kind) for kind in BLOB_KINDS} | {"gossip": traffic.gossip}
    for kind, flow in flows.items():
        yield RECEIVED.at(flow.received, kind)
        yield SENT.at(flow.sent, kind)
    endpoints = totals["endpoints"]
    assert isinstance(endpoints, Mapping)
    yield RECEIVED.at(sum(item["received"] for item in endpoints.values()), "chain")
    yield SENT.at(sum(item["sent"] for item in endpoints.values()), "chain")


def disk_samples(reading: DiskReading) -> Samples:
    yield BLOBS.at(reading.blobs)
    yield BLOB_LIMIT.at(reading.blob_limit)
    yield JOURNAL.at(reading.journal)
    yield DISK_FREE.at(reading.free)
    yield DISK_SIZE.at(reading.size)


def program_samples(version: str, roles: Iterable[Role], lost_lines: int) -> Samples:
    yield BUILD.at(1, version)
    yield VERSION.at(version_number(version))
    yield LOST.at(lost_lines)
    for role in sorted(roles):
        yield ROLE.at(1, role)


def version_number(version: str) -> int:
    """A number that is larger for a later release; 0 for what is no version."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None:
        return 0
    major, minor, patch = map(int, found.groups())
    return 1_000_000 * major + 1000 * minor + patch
