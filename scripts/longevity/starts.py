"""How long nodes take to start after a long run, beside fresh ones that start on the same machine in turns.

In turns, since a machine has more to do at one time than at another: what both have in common is the minute.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scripts.longevity.processes import Kept

_ROLES = ("aggregator", "coordinator", "solver", "proposer")


def measure_starts(nodes: Sequence[Kept], folder: Path, count: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by `kept` and `fresh`, then by node, one of each role. No node may run; none does afterwards.

    A fresh one has the wallet and the configuration of the other and an empty data folder, below `folder`.
    """
    found: dict[str, dict[str, list[float]]] = {"kept": {}, "fresh": {}}
    for role in _ROLES:
        node = next((item for item in nodes if item.role == role), None)
        if node is None:
            continue
        twin = replace(node, folder=folder / node.name)
        for _ in range(count):
            _make_fresh(node, twin)
            for kind, which in (("kept", node), ("fresh", twin)):
                found[kind].setdefault(node.name, []).append(round(which.start_timed(), 3))
                which.stop()
    return found


def _make_fresh(node: Kept, twin: Kept) -> None:
    shutil.rmtree(twin.folder, ignore_errors=True)
    twin.folder.mkdir(parents=True)
    shutil.copytree(node.folder / "wallet", twin.folder / "wallet")
    for name in ("node.toml", "password"):
        shutil.copy(node.folder / name, twin.folder / name)  # with its mode
