"""Answers about recipes. Digests are CIDs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.nesting import Json


@dataclass(frozen=True, slots=True)
class RecipeSummary:
    """A recipe in one line."""

    name: str
    family: str
    data: str
    """The kind of data it trains on; for a preset of a simulator, which one."""
    parameters: int
    steps: int
    """Of one round."""
    samples: int
    """Frames (or texts) that one round encodes."""
    training: str | None
    """How long a round's training takes on one core: seconds, minutes, hours or days, by what the network
    multiplies. None: its family does not say."""
    cid: str


@dataclass(frozen=True, slots=True)
class RecipeField:
    key: str
    value: Json
    """None: left out whole."""
    default: bool
    """Whether it holds its default."""
    allowed: str
    meaning: str


@dataclass(frozen=True, slots=True)
class RecipeShown:
    """A recipe with every field, and as the JSON that travels."""

    summary: RecipeSummary
    project_steps: int
    warm_steps: int
    fields: Sequence[RecipeField]
    recipe: Json


@dataclass(frozen=True, slots=True)
class RecipeFault:
    line: int | None
    key: str
    """Dotted; empty: the recipe as a whole."""
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class RecipeChecked:
    """What is wrong with a recipe's file; nothing: `summary` says what it is."""

    file: Path
    faults: Sequence[RecipeFault]
    more: int
    """Faults that are not listed."""
    summary: RecipeSummary | None


@dataclass(frozen=True, slots=True)
class RecipeDifference:
    """A field that two recipes hold otherwise; None: one has no such field."""

    key: str
    one: Json
    other: Json


@dataclass(frozen=True, slots=True)
class RecipesCompared:
    one: RecipeSummary
    other: RecipeSummary
    differences: Sequence[RecipeDifference]


@dataclass(frozen=True, slots=True)
class BackboneWritten:
    """A recipe made of somebody's model, and the model that it begins with."""

    recipe: Path
    recipe_cid: str
    model: Path
    model_cid: str
    parameters: int
    """Those that are trained and travel."""
    backbone: Path | None
    """File of the weights beside which adapters stand: every node needs it. None where all are trained."""
    backbone_cid: str | None


@dataclass(frozen=True, slots=True)
class PairsWritten:
    """A shard made of a file of texts."""

    shard: Path
    pairs: int
    left_out: int
    """Pairs of the file that are not in it: empty, too long, or with a border inside."""
    bytes: int
    cid: str


@dataclass(frozen=True, slots=True)
class TokenizerWritten:
    """A tokenizer learnt from a file of texts."""

    file: Path
    tokens: int
