"""What of this machine a training may take: processes, and room for checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jepanet.records.marks import OneOf, Range


@dataclass(frozen=True, slots=True)
class CheckpointPlace:
    """Where one training keeps its checkpoints: a folder of its own, and the bytes that they may take."""

    folder: Path
    budget: int
    pause: float = 50.0
    """Times as long as writing one took until the next is written."""


DDP, FSDP2 = "ddp", "fsdp2"


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes of this machine do one training together, and how they hold its model. Each has one
    thread, and on CUDA a GPU of its own; their number changes rounding and nothing else."""

    count: Annotated[int, Range(1, 1024)] = 1
    way: Annotated[str, OneOf((DDP, FSDP2))] = DDP
    """`ddp`: whole on each. `fsdp2`: each has a part of weights, gradients and moments."""


ONE_PROCESS = Processes()
