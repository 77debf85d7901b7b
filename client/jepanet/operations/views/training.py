"""Answers about trainings by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a training would take here. Memory in bytes, times in seconds; FLOPs of all steps, both ways."""

    recipe: str
    regime: str
    parameters: int
    steps: int
    samples: int
    epochs: float
    memory: int
    """That a few steps took."""
    estimate: int
    """By which a machine refuses a training that has no room."""
    flops: int
    seconds_per_step: float
    seconds: float


@dataclass(frozen=True, slots=True)
class LocalTraining:
    """A training that has ended, and its files."""

    status: str
    regime: str
    steps: int
    model: str
    """CID of the model file."""
    files: tuple[Path, ...]
    """Model, recipe, trace, curves as JSON and as a picture, tracking."""
    metrics: Mapping[str, float]
