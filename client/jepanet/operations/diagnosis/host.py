"""Findings about this machine alone: what is installed, memory, and how the disk answers."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from jepanet.errors import JepanetError
from jepanet.learning.machine.installed import installed_memory
from jepanet.operations.checks.findings import Finding, fine, from_error, warned
from jepanet.operations.installation import installation
from jepanet.operations.status import read_status

_GIB = 1 << 30
_PACKAGES = ("numpy", "libp2p", "eth-account", "aiohttp")
"""Beside the program's own, whose versions explain most of what differs between two machines."""
_SYNCS = 5
_SLOW_SYNC = 0.25
_SWAPPED = 0.5
_FEW_INODES = 10_000


def check_versions() -> Iterator[Finding]:
    """What is installed, for whoever reads a report."""
    try:
        made = installation()
    except JepanetError as error:
        yield from_error("versions", error)
        return
    text = f"jepanet {made.client}, python {made.python}, torch {made.torch or 'missing'}"
    others = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    if made.torch is None:
        yield warned(
            "versions", f"{text}, {others}", "pip install torch: without it nothing is trained or measured"
        )
    else:
        yield fine("versions", f"{text}, {others}; contracts {made.abi[:12]}")
    yield fine(
        "system", f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    )


def check_memory() -> Finding:
    """Memory and swap: a machine that swaps trains for hours what it trains in minutes."""
    there, free, swap = installed_memory(), psutil.virtual_memory().available, psutil.swap_memory()
    text = f"{free / _GIB:.1f} of {there / _GIB:.1f} GiB free, {swap.used / _GIB:.1f} GiB swapped out"
    if swap.total and swap.used > _SWAPPED * swap.total:
        return warned(
            "memory", text, "stop other programs, or add memory: a training that swaps misses its phase"
        )
    return fine("memory", text)


def check_disk(folder: Path) -> Iterator[Finding]:
    """How long a write takes to reach the disk, for which the journal waits at every step; room for names."""
    place = folder
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        took = statistics.median(_sync_times(place))
        names = os.statvfs(place).f_favail
    except OSError as error:
        yield warned(
            "disk speed", f"{place} cannot be tried: {error.strerror}", "check the folder and its mount"
        )
        return
    text = f"{took * 1000:.1f} ms to sync a write below {place}"
    if took > _SLOW_SYNC:
        remedy = "move node.data_dir to a local disk: the journal waits so long at every step"
        yield warned("disk speed", text, remedy)
    else:
        yield fine("disk speed", text)
    if 0 < names < _FEW_INODES:
        yield warned(
            "disk names", f"room for {names} more files below {place}", "delete files, or use another disk"
        )


def _sync_times(folder: Path) -> list[float]:
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            began = time.monotonic()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return took


def check_process(data_dir: Path) -> Finding:
    """What the node of this folder last wrote of itself."""
    try:
        status = read_status(data_dir)
    except JepanetError:
        return fine("node", "has never run here")
    if not status.running:
        remedy = "if it should run, look at the end of its log: jepanet node run --config FILE"
        return warned("node", f"does not run; its last status is {status.age} s old", remedy)
    text = f"runs, {status.peers} peers, confirmed block {status.chain.confirmed}"
    if status.chain.stalled or status.chain.head_old or not status.peers:
        return warned("node", text, "it is cut off: see the rows on endpoints and peers")
    if status.log_lines_lost:
        return warned(
            "node", f"{text}; {status.log_lines_lost} log lines were lost", "look at what reads its log"
        )
    return fine("node", f"{text}, status {status.age} s old")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
