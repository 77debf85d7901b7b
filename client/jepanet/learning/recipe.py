"""What every solver of a project runs: a model family at its sizes, optimiser, schedule, gates and score.

A recipe comes from the network, so every number has bounds: none of them makes a node allocate without
limit or train for days. The defaults are those of the measured TwoRoom recipe. `recipe_reader.py` reads one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod

from jepanet.cid import digest_of
from jepanet.learning.family import Family
from jepanet.learning.recipe_fields import bad, check, real, tree_of, whole
from jepanet.tensors import canonical_json
from jepanet.types import Digest

SCHEMA = "jepanet.recipe.1"
TRAINING_VERSION = 2
"""Raised whenever the same weights, shard, recipe and seed would give another model."""
MAX_RECIPE_BYTES = 16 * 1024
MAX_PARAMETERS = 32_000_000
MAX_FRAMES_PER_ROUND = 4_000_000
"""Cap on frames encoded in one round of training: steps x frames of a batch."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW with decoupled weight decay (Loshchilov & Hutter 2019), warm-up and cosine by global step."""

    learning_rate: float = real(2e-3, 1e-7, 0.1)
    beta1: float = real(0.9, 0.0, 0.9999)
    beta2: float = real(0.95, 0.0, 0.99999)
    weight_decay: float = real(1e-4, 0.0, 1.0)
    clip: float = real(1.0, 1e-4, 1e4)
    """Cap on the global L2 norm of the gradient."""
    warmup: int = whole(5, 0, 10_000)
    """Steps of linear warm-up at the start of every round: each round starts with a fresh optimiser."""
    cooldown: float = real(0.0, 0.0, 1.0)
    """Share of a round's steps, at its end, over which the rate falls linearly towards zero: a delta then
    carries less of the noise of its last batches."""
    final: float = real(0.1, 0.0, 1.0)
    """Learning rate at the end of the schedule, as a share of the peak."""

    def __post_init__(self) -> None:
        check(self, "recipe.optimiser")


@dataclass(frozen=True, slots=True)
class Gates:
    """Thresholds of the state guards (`evaluation/guards.py`) and of significant harm."""

    variance_floor: float = real(0.9, 0.0, 1.0)
    """Least latent variance, relative to the base."""
    variance_ceiling: float = real(1.15, 1.0, 100.0)
    """Most latent variance, relative to the base ..."""
    variance_cap: float = real(1.2, 0.0, 100.0)
    """... or this much, whichever is more: a young model's variance still grows towards 1."""
    sigreg_log: float = real(0.12, 0.0, 10.0)
    """Most growth of log SIGReg."""
    rank_ratio: float = real(0.93, 0.0, 1.0)
    """Least effective rank, relative to the base."""
    healthy_variance: float = real(0.8, 0.0, 10.0)
    """Once a base has this latent variance, no merge may fall below it."""
    harm_sigmas: float = real(3.0, 0.0, 100.0)
    """Harm is significant when gain + this many standard errors is below zero."""

    def __post_init__(self) -> None:
        check(self, "recipe.gates")


@dataclass(frozen=True, slots=True)
class Score:
    """Parameters of the grounded score (`evaluation/grounded.py`)."""

    eigenvalue_floor: float = real(0.01, 1e-6, 1.0)
    """Target directions kept: eigenvalues above this share of the largest."""
    ridge: float = real(1e-3, 1e-8, 10.0)
    """Ridge penalty relative to the mean eigenvalue of the features."""
    minimum_episodes: int = whole(4, 4, 10_000)
    """Fewest episodes of an evaluation shard."""

    def __post_init__(self) -> None:
        check(self, "recipe.score")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    family: Family
    """The model family with all that it alone reads of a recipe: widths, objective, augmentation, batch."""
    name: str
    optimiser: Optimiser = Optimiser()
    gates: Gates = Gates()
    score: Score = Score()
    inner_steps: int = whole(40, 1, 20_000)
    """H: local steps of one round."""
    total_steps: int = whole(640, 1, 10_000_000)
    """Length of the learning-rate schedule in local steps; the last rate holds afterwards."""
    warm_steps: int = whole(150, 0, 20_000)
    """Steps of the public warm start that makes the model of round 0."""
    warm_rate: float = real(2e-3, 1e-7, 0.1)
    """Peak learning rate of the warm start; that of a round may be lower, for deltas that still help when
    averaged."""
    align_above: float = real(0.0, 0.0, 180.0)
    """A solver whose latent frame has turned by more than this against the base's (rms principal angle on the
    public probe frames, degrees) turns it back before it forms its delta. 0: always; 180: never."""
    explode: float = real(20.0, 2.0, 1e6)
    """Training stops when the loss exceeds this multiple of its running median."""

    def __post_init__(self) -> None:
        check(self, "recipe")
        if type(self.name) is not str:
            raise bad(f"recipe.name must be a str, not {type(self.name).__name__}")
        if not 1 <= len(self.name) <= 64 or not self.name.isprintable():
            raise bad("name must have 1 to 64 printable characters")
        if self.family.sizes.frames * max(self.inner_steps, self.warm_steps) > MAX_FRAMES_PER_ROUND:
            raise bad(f"more than {MAX_FRAMES_PER_ROUND} frames in one round of training")
        if self.parameters() > MAX_PARAMETERS:
            raise bad(f"model has more than {MAX_PARAMETERS} parameters")

    @property
    def aligns(self) -> bool:
        """Whether solvers need the public probe frames."""
        return self.align_above < 180.0

    def parameters(self) -> int:
        """Number of the model's parameters."""
        return sum(prod(shape) for shape in self.family.parameter_shapes().values())

    def to_bytes(self) -> bytes:
        """Canonical JSON; its SHA-256 is the recipe's digest. The family's fields stand beside the others."""
        ours = {
            item.name: tree_of(getattr(self, item.name)) for item in fields(self) if item.name != "family"
        }
        return canonical_json({"schema": SCHEMA, "family": self.family.name, **ours, **self.family.fields()})

    def digest(self) -> Digest:
        return digest_of(self.to_bytes())
