"""Models side by side, and what a device computes with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from jepanet.work.requests.request import Number, Request


@dataclass(frozen=True, slots=True)
class MeasuredModels:
    """Held-out metrics by name, each the mean over the shards; one dictionary a model, in the order given.
    `score` is that of the recipe, with the first model as the base."""

    metrics: tuple[dict[str, Number], ...]


@dataclass(frozen=True, slots=True)
class MeasureModels(Request[MeasuredModels]):
    """Measure several models on the same shards, so that they can be compared."""

    job: ClassVar[str] = "measure_models"

    recipe: Path
    models: tuple[Path, ...]
    shards: tuple[Path, ...]
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class ProbedDevice:
    """What a device was found to compute with: the build of torch, its threads, and what else is there."""

    torch: str
    threads: int
    apart: Number = 0.0
    """How far what it computes lies from what the CPU does, as a share of the root mean square."""
    instructions: str = ""
    """Of the processor, that torch uses."""
    gpus: tuple[str, ...] = ()
    """That torch could use, by name."""
    build: dict[str, str] = field(default_factory=dict)
    """What trainings of audited rounds are computed by here."""


@dataclass(frozen=True, slots=True)
class ProbeDevice(Request[ProbedDevice]):
    """Find out whether the worker computes on a device, for `jepanet node check`."""

    job: ClassVar[str] = "probe_device"

    device: str
    processes: int = 1
    """That are to train there together."""
