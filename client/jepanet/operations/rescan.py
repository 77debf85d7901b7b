"""`jepanet node rescan`: repair a journal that lacks events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Exit, Fatal
from jepanet.settings.config import load_config
from jepanet.settings.paths import Paths
from jepanet.storage.journal import Journal


def rescan(config_path: Path, first: int) -> dict[str, Any]:
    """Drops the journal's blocks from `first` on; the next start reads them again.

    Returns:
        `from`: the first block to be read, `blocks` and `logs`: how many were dropped.

    Raises:
        Fatal: the node runs (`ALREADY_RUNNING`), has never run (`NOT_FOUND`), or `first` lies below the
            deployment or above what was stored (`USAGE`).
    """
    config = load_config(config_path)
    deployment = Deployment.load(config.chain.deployment)
    paths = Paths(config.node.data_dir)
    if not paths.journal.exists():
        raise Fatal(
            f"there is no journal in {config.node.data_dir}: this node has never run",
            remedy="check node.data_dir; a new node reads the whole chain anyway",
            code=Exit.NOT_FOUND,
        )
    lowest = deployment.anchor.number + 1
    with Journal.open(paths.journal) as journal:
        journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
        head = journal.head()
        if first < lowest or head is None or first > head.number:
            stored = "none" if head is None else f"{lowest} to {head.number}"
            raise Fatal(
                f"block {first} is not among the stored blocks ({stored})",
                remedy="give one of these blocks; later ones are read at the next start anyway",
                code=Exit.USAGE,
            )
        blocks, logs = journal.forget_from(first)
    return {"from": first, "blocks": blocks, "logs": logs}
