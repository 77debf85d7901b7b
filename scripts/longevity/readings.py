"""What a node holds at one moment: memory, descriptors, threads, children, and bytes on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one node. Memory is proportional (PSS): what processes share is counted once in all of them."""

    memory: int
    """Bytes, of the node's own process."""
    workers_memory: int
    """Bytes, of its children."""
    descriptors: int
    threads: int
    children: int
    journal: int
    """Bytes of `journal.sqlite`."""
    wal: int
    """Bytes of its write-ahead log."""
    blobs: int
    """Bytes of the blob store, index included."""
    log: int
    """Bytes of the log file with those put aside."""
    output: int
    """Bytes written to standard output so far."""
    files: int
    """Files below the node's folder."""

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def read(pid: int, folder: Path, output: Path) -> Reading:
    """Raises: psutil.Error when the process ends meanwhile."""
    process = psutil.Process(pid)
    children = process.children(recursive=True)
    journal = folder / "data" / "journal.sqlite"
    return Reading(
        memory=process.memory_full_info().pss,
        workers_memory=sum(map(_memory, children)),
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        children=len(children),
        journal=_size(journal),
        wal=_size(journal.with_name("journal.sqlite-wal")),
        blobs=sum(map(_size, _files(folder / "data" / "blobs"))),
        log=sum(map(_size, folder.glob("log.jsonl*"))),
        output=_size(output),
        files=sum(1 for _ in _files(folder)),
    )


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place) / name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
