"""What of this machine a job takes: processes, room for checkpoints, and the device that measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jepanet.records.marks import LeftOut, OneOf, Range
from jepanet.work.requests.request import Number


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


@dataclass(frozen=True, slots=True)
class MeasuredOn:
    """Where a round's models were measured."""

    device: str = "cpu"
    apart: Number = 0.0
    """How far the device that was asked for lay from the CPU: a share of the latents' root mean square."""
    refused: Annotated[str | None, LeftOut()] = None
    """The device that was asked for, where it lay too far from the CPU for others to agree."""


ON_CPU = MeasuredOn()
