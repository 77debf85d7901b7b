"""MiniGrid: what an agent sees of a grid world, with questions about it and their answers."""

from __future__ import annotations

from jepanet.learning.simulators.offer import UsualDataset
from jepanet.learning.sources.offer import Collection, Source

PACKAGE, VERSION = "minigrid", "3.2.0"


def _load() -> Collection:
    from jepanet.learning.sources.minigrid.dataset import COLLECTION

    return COLLECTION


MINIGRID = Source(
    name="minigrid",
    title="MiniGrid",
    summary="Draw views of MiniGrid's worlds with questions and answers, for sites that mix its tasks.",
    environment=f"{PACKAGE} {VERSION} views",
    licence="Minigrid contributors, Farama Foundation: Apache-2.0",
    datasets=(UsualDataset("vision-language-tiny"), UsualDataset("vision-language-small")),
    examples=("--out scenes --seed 7", "--recipe vision-language-small --out large --seed 7"),
    load=_load,
)
