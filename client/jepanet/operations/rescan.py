"""`jepanet node rescan`: repair a journal that lacks events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.following.earlier_logs import read_earlier_log
from jepanet.errors import Exit, Fatal
from jepanet.operations.views.node import Rescanned
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.storage.journal import Journal


@dataclass(frozen=True, slots=True)
class JournalAccess:
    """The journal of a node that does not run. `lowest` is the first block it may hold."""

    journal: Journal
    lowest: int


@contextmanager
def open_journal(config: Config) -> Iterator[JournalAccess]:
    """Raises: Fatal: the node runs (exit code `ALREADY_RUNNING`) or has never run (`NOT_FOUND`)."""
    deployment = Deployment.load(config.chain.deployment)
    paths = Paths(config.node.data_dir)
    if not paths.journal.exists():
        raise Fatal(
            f"there is no journal in {config.node.data_dir}: this node has never run",
            remedy="check node.data_dir; a new node reads the whole chain anyway",
            code=Exit.NOT_FOUND,
        )
    with Journal.open(paths.journal, read_earlier_log) as journal:
        journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
        yield JournalAccess(journal, deployment.anchor.number + 1)


def rescan(access: JournalAccess, first: int) -> Rescanned:
    """Drops the journal's blocks from `first` on; the next start reads them again.

    Raises:
        Fatal: `first` lies below the deployment or above what was stored (exit code `USAGE`).
    """
    head = access.journal.head()
    if first < access.lowest or head is None or first > head.number:
        stored = "none" if head is None else f"{access.lowest} to {head.number}"
        raise Fatal(
            f"block {first} is not among the stored blocks ({stored})",
            remedy="give one of these blocks; later ones are read at the next start anyway",
            code=Exit.USAGE,
        )
    blocks, logs = access.journal.forget_from(first)
    return Rescanned(first, blocks, logs)
