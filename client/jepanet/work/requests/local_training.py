"""Training by hand, and what it would take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jepanet.types import Digest
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.machine import ONE_PROCESS, CheckpointPlace, Processes
from jepanet.work.requests.request import Number, Request


@dataclass(frozen=True, slots=True)
class TrainedBase:
    """A model to begin with, and the recipe that it was trained by."""

    model: Path
    recipe: Path


@dataclass(frozen=True, slots=True)
class TrainedLocally:
    """A model that was trained by hand."""

    digest: Digest
    bytes: int
    steps: int
    status: str
    """`ok` or `early_stop`."""
    metrics: dict[str, Number]
    seconds: float
    """Of this call alone."""


@dataclass(frozen=True, slots=True)
class TrainLocally(Request[TrainedLocally]):
    """Train on shards of one's own by the loop that solvers train by; write a model file to `target`.

    Progress carries every measured number of a step.
    """

    job: ClassVar[str] = "train_locally"

    recipe: Path
    shards: tuple[TrainingShard, ...]
    base: TrainedBase | None
    """None: random weights."""
    seed: bytes
    target: Path
    trace_target: Path
    checkpoints: CheckpointPlace | None
    device: str = "cpu"
    processes: Processes = ONE_PROCESS


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """What a training would take, measured on a few of its steps."""

    parameters: int
    steps: int
    samples: int
    """Examples seen, repetitions included."""
    examples: int
    """Different ones there are to train on."""
    memory: int
    """Most bytes that its processes held while they did a few steps."""
    estimate: int
    """Bytes that it is taken to need, by which a machine refuses it."""
    flops: int
    """Floating-point operations of all steps, forward and backward."""
    seconds_per_step: float


@dataclass(frozen=True, slots=True)
class PlanTraining(Request[PlannedTraining]):
    """Measure a few steps of a training, and write nothing."""

    job: ClassVar[str] = "plan_training"

    recipe: Path
    shards: tuple[TrainingShard, ...]
    device: str = "cpu"
    processes: Processes = ONE_PROCESS
