"""The files of a round that jobs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """The files every job about a round reads: base model, recipe and round spec."""

    base: Path
    recipe: Path
    spec: Path


@dataclass(frozen=True, slots=True)
class EvaluationFiles:
    """An unsealed evaluation shard, and the dataset manifest that announced it."""

    shard: Path
    manifest: Path
