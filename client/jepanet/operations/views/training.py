"""Answers about trainings by hand, and about models on recorded episodes."""

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
    counted: int
    """FLOPs by the recipe's sizes, as a node counts them before it takes a round upon itself."""
    allowed: int
    """Of those, as many as a node takes there (`worker.round_tflop`; where no configuration says it, the
    device's usual)."""
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


@dataclass(frozen=True, slots=True)
class ModelOnEpisodes:
    """What a model foresees in one shard of recorded episodes, and whether its plans could be acted upon.

    Distances to the goal are squared, as shares of that from the start, as the model imagines them.
    """

    shard: Path
    nmse: tuple[float, ...]
    """Error 1, 2, ... frames ahead, over the variance of latents."""
    skill: tuple[float, ...]
    """1 - error / that of a guess that nothing changes."""
    left_planned: float
    left_recorded: float
    left_others: float
    """After actions of other moments."""
    action_error: float
    """Of the planned actions; 1: as far from the recorded ones as those of other moments."""
    told: int
    """Problems in which the recorded actions are told from those of other moments."""
    problems: int
    choices: int
    """Of them one is right."""
