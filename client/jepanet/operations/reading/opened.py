"""What looking at rounds and recomputing them takes, open."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.operations.access import ChainAccess
from jepanet.operations.reading.history import History
from jepanet.operations.reading.library import Library
from jepanet.work.worker import Worker


@dataclass(frozen=True, slots=True)
class Opened:
    """`worker` starts its process with its first job, `library` dials peers for the first file it lacks."""

    chain: ChainAccess
    history: History
    library: Library
    worker: Worker
