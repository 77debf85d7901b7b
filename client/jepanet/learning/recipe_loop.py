"""The part of a recipe that says how the training loop goes about its steps, and when it has to stop.

All of it is left out of recipes that say nothing of it: those train as they always did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.records.codec import check, rejected
from jepanet.records.marks import LeftOut, OneOf, Range

_BAD_RECIPE = rejected("bad-recipe")
MAX_STEPS = 20_000
FINETUNE, FROM_SCRATCH = "finetune", "from-scratch"


@dataclass(frozen=True, slots=True)
class Loop:
    """How the training loop goes about its steps (`training/loop.py`)."""

    trace: Annotated[
        int,
        LeftOut(),
        Range(0, MAX_STEPS),
        "steps between two points of the trace of a training's state, at which checkpoints can be written; "
        "0: so many that it costs about 1 % of a step (`training/trace.py`)",
    ] = 0

    def __post_init__(self) -> None:
        check(self, "recipe.loop", _BAD_RECIPE)


USUAL_LOOP = Loop()


@dataclass(frozen=True, slots=True)
class Regime:
    """What a training begins with, on which depends how high its first loss may be (`training/regime.py`)."""

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
