"""What every solver of a project runs: a model family at its sizes, optimiser, schedule, gates and score.

A recipe comes from the network, so every number has bounds: none of them makes a node allocate without
limit or train for days. The defaults are those of the measured TwoRoom recipe. `recipe_reader.py` reads one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar

from jepanet.cid import digest_of
from jepanet.errors import JepanetError
from jepanet.learning.family import Family, frozen_file
from jepanet.learning.recipe_loop import USUAL_LOOP, Guard, Loop
from jepanet.records.codec import Codec, check, rejected
from jepanet.records.marks import Elsewhere, LeftOut, OneOf, Range, Size
from jepanet.tensors import canonical_json
from jepanet.types import Digest

SCHEMA = "jepanet.recipe.1"
BAD_RECIPE = rejected("bad-recipe")
GROUNDED, NEXT_TOKEN_LOSS = "grounded", "next-token"
WEAK_BASE = "weak-base"
"""Reason of a refusal: a base that is not above `Score.least`."""
TRAINING_VERSION = 2
"""Raised whenever the same weights, shard, recipe and seed would give another model."""
MAX_RECIPE_BYTES = 16 * 1024
MAX_PARAMETERS = 1_000_000_000
"""What no node reads a recipe beyond. Which of the smaller ones a machine takes follows from its memory
(`memory.py`)."""
MAX_FRAMES_PER_ROUND = 4_000_000
"""Cap on frames encoded in one round of training: steps x frames of a batch."""
MAX_PIXELS_PER_ROUND = MAX_FRAMES_PER_ROUND * 224**2
"""The same in pixels, so that large frames are no way around it."""


def bad(message: str) -> JepanetError:
    """A recipe that nobody may train by."""
    return BAD_RECIPE(f"recipe: {message}", "correct the recipe")


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW with decoupled weight decay (Loshchilov & Hutter 2019), warm-up and cosine by global step."""

    learning_rate: Annotated[float, Range(1e-7, 0.1), "the peak, in rounds"] = 2e-3
    beta1: Annotated[float, Range(0.0, 0.9999), "decay of the mean of gradients"] = 0.9
    beta2: Annotated[float, Range(0.0, 0.99999), "decay of the mean of their squares"] = 0.95
    weight_decay: Annotated[
        float, Range(0.0, 1.0), "share of a weight taken off in a step, times the learning rate"
    ] = 1e-4
    clip: Annotated[float, Range(1e-4, 1e4), "cap on the global L2 norm of the gradient"] = 1.0
    warmup: Annotated[
        int,
        Range(0, 10_000),
        "steps of linear warm-up at the start of every round: each round starts with a fresh optimiser",
    ] = 5
    cooldown: Annotated[
        float,
        Range(0.0, 1.0),
        "share of a round's steps, at its end, over which the rate falls linearly towards zero: a delta then "
        "carries less of the noise of its last batches",
    ] = 0.0
    final: Annotated[
        float, Range(0.0, 1.0), "learning rate at the end of the schedule, as a share of the peak"
    ] = 0.1

    def __post_init__(self) -> None:
        check(self, "recipe.optimiser", BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class Gates:
    """Thresholds of the state guards (`evaluation/guards.py`) and of significant harm; the longest delta."""

    variance_floor: Annotated[float, Range(0.0, 1.0), "least latent variance, relative to the base"] = 0.9
    variance_ceiling: Annotated[
        float, Range(1.0, 100.0), "most latent variance, relative to the base; `variance_cap` is also allowed"
    ] = 1.15
    variance_cap: Annotated[
        float,
        Range(0.0, 100.0),
        "latent variance that is always allowed: a young model's variance still grows towards 1",
    ] = 1.2
    sigreg_log: Annotated[float, Range(0.0, 10.0), "most growth of log SIGReg"] = 0.12
    rank_ratio: Annotated[float, Range(0.0, 1.0), "least effective rank, relative to the base"] = 0.93
    healthy_variance: Annotated[
        float,
        Range(0.0, 10.0),
        "once a base has this latent variance, no merge may fall below it",
    ] = 0.8
    harm_sigmas: Annotated[
        float,
        Range(0.0, 100.0),
        "a delta is out for harm when gain + this many standard errors is below zero: late honest work lies "
        "down to six below it alone, and helps in the mean",
    ] = 8.0
    longest: Annotated[
        float,
        LeftOut(),
        Range(0.0, 100.0),
        "where it is set, a delta longer than so many times the round's median norm is measured and merged "
        "at that length: a longer step is then paid no more",
    ] = 0.0

    variance_per_length: Annotated[
        float,
        LeftOut(),
        Range(0.0, 1000.0),
        "where it is set, most latent variance (its logarithm) that a whole delta may cost, for the root of "
        "its length (over the base's norm): what honest steps cost falls as they grow shorter",
    ] = 0.0
    sigreg_per_length: Annotated[
        float, LeftOut(), Range(0.0, 1000.0), "the same of how much log SIGReg may grow"
    ] = 0.0
    rank_per_length: Annotated[
        float, LeftOut(), Range(0.0, 1000.0), "the same of effective rank (its logarithm)"
    ] = 0.0

    def __post_init__(self) -> None:
        check(self, "recipe.gates", BAD_RECIPE)
        if 0 < self.longest < 1:
            raise BAD_RECIPE(
                "recipe: gates.longest must be 0 or at least 1: usual lengths are not shortened",
                "correct gates.longest",
            )


@dataclass(frozen=True, slots=True)
class Score:
    """What is paid for (`evaluation/scorer.py`), and parameters of the grounded score."""

    kind: Annotated[
        str,
        LeftOut(),
        OneOf((GROUNDED, NEXT_TOKEN_LOSS)),
        "`grounded`: how much better a candidate predicts what the base encodes; `next-token`: how much less "
        "the next token of a text surprises it",
    ] = GROUNDED
    centre: Annotated[
        str,
        LeftOut(),
        OneOf(("episode", "slot", "slot-and-episode")),
        "what the grounded score takes off targets and predictions: the mean of each episode (what is static "
        "in it), of each slot over the other half's episodes (what its place alone tells), or both",
    ] = "episode"
    least: Annotated[
        float,
        LeftOut(),
        Range(0.0, 10.0),
        "where it is set, a base whose own score is not above it is too weak to be improved on: nothing is "
        "scored, nobody is paid",
    ] = 0.0
    match: Annotated[
        float,
        LeftOut(),
        Range(0.0, 10.0),
        "of the score `next-token`: what a nat counts by which parts of an episode are told to belong "
        "together; without it whoever drops that part of the objective earns more",
    ] = 0.0
    eigenvalue_floor: Annotated[
        float,
        Range(1e-6, 1.0),
        "target directions are kept whose eigenvalues are above this share of the largest",
    ] = 0.01
    ridge: Annotated[
        float, Range(1e-8, 10.0), "ridge penalty relative to the mean eigenvalue of the features"
    ] = 1e-3
    minimum_episodes: Annotated[int, Range(4, 10_000), "fewest episodes of an evaluation shard"] = 4

    def __post_init__(self) -> None:
        check(self, "recipe.score", BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training recipe. Construction checks every bound.

    Raises:
        Rejected: reason `bad-recipe`, naming the field.
    """

    HEAD: ClassVar = {"schema": SCHEMA}

    family: Annotated[
        Family,
        Elsewhere(),
        "the model family with all that it alone reads of a recipe: widths, objective, augmentation, batch",
    ]
    name: Annotated[str, Size(1, 64), "printable; a preset's is that of its file"]
    optimiser: Optimiser = Optimiser()
    gates: Gates = Gates()
    score: Score = Score()
    inner_steps: Annotated[int, Range(1, 20_000), "H: local steps of one round"] = 40
    total_steps: Annotated[
        int,
        Range(1, 10_000_000),
        "length of the learning-rate schedule in local steps; the last rate holds afterwards",
    ] = 640
    warm_steps: Annotated[
        int, Range(0, 20_000), "steps of the public warm start that makes the model of round 0"
    ] = 150
    warm_rate: Annotated[
        float,
        Range(1e-7, 0.1),
        "peak learning rate of the warm start; that of a round may be lower, for deltas that still help when "
        "averaged",
    ] = 2e-3
    align_above: Annotated[
        float,
        Range(0.0, 180.0),
        "a solver whose latent frame has turned by more than this against the base's (rms principal angle on "
        "the public probe frames, degrees) turns it back before it forms its delta; 0: always, 180: never",
    ] = 0.0
    explode: Annotated[
        float,
        Range(2.0, 1e6),
        "training without a guard stops when the loss exceeds this multiple of its running median",
    ] = 20.0
    loop: Annotated[Loop, LeftOut()] = USUAL_LOOP
    guard: Annotated[
        Guard | None,
        LeftOut(),
        "holds a training to its loss on a fifth of its shard; without one it trains on the whole shard, and "
        "its training loss is what `explode` is about",
    ] = None

    def __post_init__(self) -> None:
        check(self, "recipe", BAD_RECIPE)
        if not self.name.isprintable():
            raise bad("name must have 1 to 64 printable characters")
        frames = self.frames_of_a_step * max(self.inner_steps, self.warm_steps)
        if frames > MAX_FRAMES_PER_ROUND:
            raise bad(f"more than {MAX_FRAMES_PER_ROUND} frames in one round of training")
        if frames * self.family.sizes.image**2 > MAX_PIXELS_PER_ROUND:
            raise bad(f"more than {MAX_PIXELS_PER_ROUND} pixels in one round of training")
        frozen = frozen_file(self.family)
        if self.parameters() + (0 if frozen is None else frozen.numbers) > MAX_PARAMETERS:
            raise bad(f"the model has more than {MAX_PARAMETERS} parameters")
        if self.aligns and self.family.frozen:
            raise bad(f"align_above must be 180: turning would change frozen weights of {self.family.name}")
        if self.aligns and not self.family.turns:
            raise bad(f"align_above must be 180: latents of family {self.family.name} cannot be turned")
        if self.loop.compile and self.family.sizes.varying:
            raise bad(f"loop.compile needs batches of one shape, and those of {self.family.name} vary")
        if self.score.match and self.score.kind != NEXT_TOKEN_LOSS:
            raise bad(f"score.match is a part of the score {NEXT_TOKEN_LOSS!r} alone")
        if self.score.kind == NEXT_TOKEN_LOSS and self.family.sizes.vocabulary is None:
            raise bad(f"score.kind is {NEXT_TOKEN_LOSS!r}, and family {self.family.name} predicts no tokens")

    @property
    def aligns(self) -> bool:
        """Whether solvers need the public probe frames."""
        return self.align_above < 180.0

    @property
    def frames_of_a_step(self) -> int:
        """Frames (or texts) encoded in one step of training, over all of its batches."""
        return self.family.sizes.frames * self.loop.accumulate

    def parameters(self) -> int:
        """Number of the model's parameters."""
        return sum(prod(shape) for shape in self.family.parameter_shapes().values())

    def to_bytes(self) -> bytes:
        """Canonical JSON; its SHA-256 is the recipe's digest. The family's fields stand beside the others."""
        return canonical_json({"family": self.family.name, **COMMON.tree(self), **self.family.fields()})

    def digest(self) -> Digest:
        return digest_of(self.to_bytes())


COMMON = Codec(Recipe, "recipe", max_bytes=MAX_RECIPE_BYTES, refuse=BAD_RECIPE)
"""The fields that recipes of every family have."""
