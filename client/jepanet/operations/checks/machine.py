"""Checks of this machine and the configuration alone: no chain, no peer."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.learning.machine.installed import installed_memory
from jepanet.learning.memory import most_parameters
from jepanet.operations.checks.findings import (
    Finding,
    failed,
    fine,
    from_error,
    judged,
    judged_later,
    warned,
)
from jepanet.operations.datasets import open_dataset
from jepanet.p2p.host import probe_listen
from jepanet.protocol.documents.build import Build, build_text
from jepanet.settings.config import Config, ProposerSection, WorkerSection
from jepanet.settings.network import check_network
from jepanet.settings.paths import Paths
from jepanet.settings.terms import round_terms, wei
from jepanet.storage.journal import Journal
from jepanet.types import Role
from jepanet.work.methods import METHODS
from jepanet.work.requests.machine import ON_CPU
from jepanet.work.requests.measuring import ProbeDevice
from jepanet.work.worker import Worker

_GIB = 1 << 30
_LEAST_DISK = 1 * _GIB
_FEW_FILES, _ENOUGH_FILES = 256, 1024
_PROBE_SECONDS = 120.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def check_settings(config: Config) -> Iterator[Finding]:
    """What the file alone shows: addresses, amounts, terms of a proposer."""
    section = config.p2p
    yield judged("p2p addresses", lambda: _addresses(config))
    if not section.bootstrap and not section.allow_isolated:
        yield failed(
            "bootstrap",
            "p2p.bootstrap names no peer, so this node would never meet another",
            "add a peer's multiaddress, or set p2p.allow_isolated = true on the first node",
            Exit.NO_PEERS,
            final=True,
        )
    if Role.SOLVER in config.node.roles:
        yield judged("solver.max_bond", lambda: _bond(config))
    if Role.PROPOSER in config.node.roles:
        yield from _proposer(config)
    elif config.proposer != ProposerSection():
        yield warned(
            "proposer",
            "[proposer] is filled in and node.roles lacks it: this node opens no round",
            'add "proposer" to node.roles; keep it as it is if only commands are to read it',
        )


def check_machine(config: Config, *, running: bool = False) -> Iterator[Finding]:
    """Folder, disk, open files, memory, threads; the listening port unless a node already holds it."""
    yield judged("data directory", lambda: writable_folder(config.node.data_dir))
    yield _disk(config)
    yield _files()
    if running:
        yield fine("listen", f"{config.p2p.listen} is held by the node that runs here")
    else:
        yield judged("listen", lambda: _bindable(config.p2p.listen))
    yield _memory(config)
    free = psutil.virtual_memory().available
    if free < (1 + config.worker.processes) * _GIB:
        yield warned(
            "memory",
            f"{free / _GIB:.1f} GiB are free",
            "every training process takes about 1 GiB or more: stop other programs, or write fewer processes",
        )
    cores = os.cpu_count() or 1
    if config.worker.processes > cores and config.worker.device == "cpu":
        yield warned(
            "processes",
            f"worker.processes is {config.worker.processes} and the machine has {cores} cores",
            f"write at most {cores}: each has one thread",
        )
    if config.worker.threads > cores:
        yield warned(
            "threads",
            f"worker.threads is {config.worker.threads} and the machine has {cores} cores",
            f"write at most {cores}; one thread repeats a training run bit by bit",
        )


async def check_device(section: WorkerSection) -> tuple[list[Finding], Build | None]:
    """Whether the worker's process can be started and computes on `worker.device`; and what trainings of
    audited rounds are computed by here, None where that could not be found out."""
    build: Build | None = None

    async def look() -> str:
        nonlocal build
        worker = Worker(threads=section.threads, job_timeout=_PROBE_SECONDS)
        try:
            made = await worker.run(ProbeDevice(section.device, section.processes))
        finally:
            await worker.stop()
        build = made.build
        text = f"{section.device}: torch {made.torch}, {made.instructions}, {made.threads} threads"
        if section.device == ON_CPU.device:
            return f"{text}; not used: {', '.join(made.gpus)}" if made.gpus else text
        return f"{text}; {made.apart:.1g} from what the CPU computes"

    rows = [await judged_later("device", look)]
    if build is not None:
        rows.append(fine("build", build_text(build)))
    return rows, build


def check_journal(data_dir: Path, deployment: Deployment) -> Iterator[Finding]:
    """Whether the folder's journal, if there is one, is of the network the configuration names."""
    bound = Journal.deployment_of(Paths(data_dir).journal)
    wanted = f"{deployment.chain_id}/{deployment.rounds}"
    if bound is not None and bound != wanted:
        yield failed(
            "journal",
            f"{data_dir} belongs to deployment {bound}, not to {wanted}",
            "give each deployment its own node.data_dir",
            Exit.WRONG_CHAIN,
            final=True,
        )
    if Journal.is_held(Paths(data_dir).journal):
        yield failed(
            "journal",
            f"{data_dir} was restored from a backup and waits for its operator",
            "once the other copy cannot run again: jepanet node release --config FILE",
            Exit.HELD,
            final=True,
        )


def writable_folder(path: Path) -> str:
    """Tries it: rights, read-only mounts, quotas and links that lead nowhere all show only so.

    Raises:
        Fatal: it is no folder, cannot be made or written into (exit code `CONFIG`).
    """
    remedy = "name a folder of this user's own in node.data_dir"
    try:
        place = path
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if not place.is_dir():
            what = "leads nowhere" if place.is_symlink() else "is a file"
            raise Fatal(f"{place} {what}, not a folder", remedy=remedy, code=Exit.CONFIG)
        with tempfile.TemporaryFile(dir=place) as trial:
            trial.write(b"\0")
    except OSError as error:
        code = Exit.DISK_FULL if error.errno in _NO_ROOM else Exit.CONFIG
        raise Fatal(f"{path} cannot be used: {error.strerror or error}", remedy=remedy, code=code) from error
    return str(path) if place == path else f"{path} (will be made)"


def _addresses(config: Config) -> str:
    section = config.p2p
    check_network(section)
    return f"listens on {section.listen}, announces {', '.join(section.announce) or 'what it listens on'}"


def _bond(config: Config) -> str:
    wei(config.solver.max_bond, "solver.max_bond")
    return f"at most {config.solver.max_bond} tokens in a round"


def _proposer(config: Config) -> Iterator[Finding]:
    section = config.proposer
    try:
        round_terms(section, METHODS)
        if section.dataset is None:
            yield failed(
                "proposer",
                "node.roles names proposer and there is no [proposer] with a dataset",
                "add [proposer] with dataset and rounds, or drop the role",
                Exit.CONFIG,
                final=True,
            )
            return
        open_dataset(section.dataset)
    except JepanetError as error:
        yield from_error("proposer", error)
        return
    if section.rounds == 0:
        yield warned("proposer", "proposer.rounds is 0: no round will be opened", "set proposer.rounds")
    else:
        yield fine("proposer", f"up to {section.rounds} rounds with the dataset in {section.dataset}")


def _disk(config: Config) -> Finding:
    place = config.node.data_dir
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return failed("disk", f"{place}: {error.strerror}", "choose another node.data_dir", Exit.CONFIG)
    text = f"{free / _GIB:.1f} GiB free below {place}"
    if free < _LEAST_DISK:
        return failed("disk", text, "free space, or move node.data_dir to another disk", Exit.DISK_FULL)
    if free < config.node.storage_gb * _GIB:
        return warned(
            "disk", f"{text}, node.storage_gb is {config.node.storage_gb:g}", "lower node.storage_gb"
        )
    return fine("disk", text)


def _memory(config: Config) -> Finding:
    """How large a model this node trains, in words: a recipe that needs more is refused round by round."""
    section, there = config.worker, installed_memory()
    on_cpu = section.device == ON_CPU.device
    if not section.memory_gb and not on_cpu:
        return fine("model size", f"whatever fits into the memory of {section.device}")
    room = int(section.memory_gb * _GIB) or there
    if on_cpu and room > there:
        return warned(
            "model size",
            f"worker.memory_gb is {section.memory_gb:g}, the machine has {there / _GIB:.1f} GiB",
            "write at most what the machine has: a job that takes more is killed",
        )
    most = most_parameters(section.device, room, section.processes)
    if most <= 0:
        return warned(
            "model size",
            f"no model can be trained in {room / _GIB:.1f} GiB",
            "raise worker.memory_gb, or write fewer processes",
        )
    return fine(
        "model size", f"trains up to about {most / 1e6:.3g} million parameters in {room / _GIB:.1f} GiB"
    )


def _files() -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    remedy = "ulimit -n 4096 (systemd: LimitNOFILE=4096)"
    if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_FILES:
        return fine("open files", "unlimited" if limit == resource.RLIM_INFINITY else str(limit))
    if limit < _FEW_FILES:
        return failed("open files", f"at most {limit} for this process", remedy, Exit.CONFIG)
    return warned("open files", f"at most {limit} for this process", remedy)


def _bindable(listen: str) -> str:
    probe_listen(listen)
    return f"{listen} is free"
