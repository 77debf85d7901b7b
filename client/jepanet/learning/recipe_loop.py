"""The part of a recipe that says how the training loop goes about its steps, and when it has to stop.

All of it is left out of recipes that say nothing of it: those train as they always did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import Form, LeftOut, OneOf, Range

_BAD_RECIPE = rejected("bad-recipe")
MAX_STEPS = 20_000
FINETUNE, FROM_SCRATCH = "finetune", "from-scratch"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate over a span of steps, as a share of its peak (`training/step/schedule.py`).

    `optimiser.warmup` and `optimiser.cooldown` apply in every round beside it.
    """

    kind: Annotated[
        str,
        OneOf(("constant", "cosine", "wsd")),
        "`wsd`: a plateau, then a decay (warm-up, stable, decay)",
    ]
    span: Annotated[
        str, LeftOut(), OneOf(("project", "round")), "steps of all rounds, or of each by itself"
    ] = "project"
    warmup: Annotated[int, LeftOut(), Range(0, 1_000_000), "steps of linear warm-up of the span"] = 0
    decay: Annotated[
        float, LeftOut(), Range(0.0, 1.0), "share of the span, at its end, in which `wsd` falls"
    ] = 0.2
    final: Annotated[float, LeftOut(), Range(0.0, 1.0), "share of the peak at the end; not of `constant`"] = (
        0.1
    )

    def __post_init__(self) -> None:
        check(self, "recipe.loop.schedule", _BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class Loop:
    """How the training loop goes about its steps (`training/loop.py`)."""

    torch: Annotated[
        str,
        LeftOut(),
        Form(r"|[0-9]{1,3}(\.[0-9]{1,3}){1,2}", "empty, or a version as 2.13 or 2.13.0"),
        "torch that whoever trains or measures must have, to as many parts as are written; empty: any that "
        "this program admits",
    ] = ""
    trace: Annotated[
        int,
        LeftOut(),
        Range(0, MAX_STEPS),
        "steps between two points of the trace of a training's state, at which checkpoints can be written; "
        "0: so many that it costs about 1 % of a step (`training/resuming/trace.py`)",
    ] = 0

    shards: Annotated[
        int, LeftOut(), Range(1, 256), "training shards of the dataset that a round assigns to each solver"
    ] = 1
    mix: Annotated[
        int,
        LeftOut(),
        Range(1, 16),
        "shards that are in memory and drawn from at a time; with more, the next one is read meanwhile "
        "(`data/streaming/batches.py`)",
    ] = 4
    accumulate: Annotated[
        int,
        LeftOut(),
        Range(1, 1024),
        "batches whose mean gradient makes one step; a regulariser sees each batch by itself",
    ] = 1
    precision: Annotated[
        str,
        LeftOut(),
        OneOf(("fp32", "bf16", "fp16")),
        "in which networks multiply; weights, moments, statistics and losses are float32 in any case, and "
        "fp16 scales its losses (`training/step/precision.py`)",
    ] = "fp32"
    compile: Annotated[
        bool,
        LeftOut(),
        "networks are compiled where it pays: on a GPU, and on a CPU in trainings of 5,000 steps or more; "
        "for families whose batches have one shape, as `world` (`training/step/compiled.py`)",
    ] = False
    deterministic: Annotated[
        bool,
        LeftOut(),
        "one thread, and sums in a fixed order: the same inputs give the same bytes on one machine. Rounds "
        "need it, since others repeat their trainings",
    ] = True
    schedule: Annotated[
        Schedule | None,
        LeftOut(),
        "of the learning rate; without one, a cosine over the project's steps down to `optimiser.final`",
    ] = None

    def __post_init__(self) -> None:
        check(self, "recipe.loop", _BAD_RECIPE)


USUAL_LOOP = Loop()


@dataclass(frozen=True, slots=True)
class Regime:
    """What a training begins with, on which depends how high its first loss may be.

    The bounds are in `training/guarding/regime.py`.
    """

    kind: Annotated[
        str,
        OneOf((FINETUNE, FROM_SCRATCH)),
        "`finetune`: weights that were trained before; `from-scratch`: random ones",
    ] = FINETUNE


@dataclass(frozen=True, slots=True)
class Guard:
    """Holds a training to its loss on a fifth of the shard that it does not train on."""

    every: Annotated[int, Range(1, MAX_STEPS), "steps between two measurements of that loss"]
    regime: Annotated[Regime, LeftOut()] = Regime()
    patience: Annotated[
        int,
        LeftOut(),
        Range(0, 1000),
        "training stops when so many measurements in a row were no better than the best before; 0: never",
    ] = 0
    minimum_epochs: Annotated[
        int, LeftOut(), Range(0, 1000), "epochs that are trained in any case before it may stop so"
    ] = 0

    def __post_init__(self) -> None:
        check(self, "recipe.guard", _BAD_RECIPE)
