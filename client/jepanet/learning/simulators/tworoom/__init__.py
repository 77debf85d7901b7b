"""TwoRoom: a disc walks between two rooms."""

from __future__ import annotations

from jepanet.learning.simulators.offer import Simulator, Task, UsualDataset
from jepanet.learning.simulators.packages import PINNED, SIMULATOR


def _load() -> Task:
    from jepanet.learning.simulators.tworoom.dataset import TASK

    return TASK


TWOROOM = Simulator(
    name="tworoom",
    title="TwoRoom",
    library="stable-worldmodel",
    environment=f"stable-worldmodel {PINNED[SIMULATOR]} swm/TwoRoom-v1",
    datasets=(
        UsualDataset("tworoom-small", ("tworoom-tiny", "world-tiny")),
        UsualDataset("tworoom", ("tworoom-anneal",)),
        UsualDataset("world-lewm", ("world-large",)),
    ),
    examples=("--out data --seed 7 --size episodes=64", "--recipe tworoom --out data --seed 7"),
    load=_load,
)
