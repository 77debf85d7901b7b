"""A model on recorded episodes: what it foresees, and whether it could be acted upon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jepanet.work.requests.request import Number, Request


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """As `learning/planning/rollout.py` and `learning/planning/recorded.py` say; a shard each, in order."""

    nmse: tuple[tuple[Number, ...], ...]
    """1, 2, ... frames ahead."""
    skill: tuple[tuple[Number, ...], ...]
    planned: tuple[Number, ...]
    recorded: tuple[Number, ...]
    others: tuple[Number, ...]
    action_error: tuple[Number, ...]
    told: tuple[int, ...]
    problems: tuple[int, ...]
    choices: int


@dataclass(frozen=True, slots=True)
class EvaluateModel(Request[EvaluatedModel]):
    """Look `steps` frames ahead, and plan towards frames `ahead` of `goals` moments, in recorded episodes."""

    job: ClassVar[str] = "evaluate_model"

    recipe: Path
    model: Path
    shards: tuple[Path, ...]
    seed: bytes
    steps: int
    ahead: int
    goals: int
    device: str
