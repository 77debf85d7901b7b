"""PushT: a disc pushes a T."""

from __future__ import annotations

from jepanet.learning.simulators.offer import Simulator, Task, UsualDataset
from jepanet.learning.simulators.packages import PINNED, SIMULATOR


def _load() -> Task:
    from jepanet.learning.simulators.pusht.dataset import TASK

    return TASK


PUSHT = Simulator(
    name="pusht",
    title="PushT",
    library="stable-worldmodel",
    environment=f"stable-worldmodel {PINNED[SIMULATOR]} swm/PushT-v1",
    datasets=(UsualDataset("pusht", ("pusht-anneal",)),),
    examples=("--out data --seed 7",),
    load=_load,
)
