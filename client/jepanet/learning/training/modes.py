"""What a training by hand is for: regime, rate, warm-up and length, set together, each to be overridden."""

from __future__ import annotations

from dataclasses import replace

from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FINETUNE, FROM_SCRATCH, Guard, Regime

MODES = (FINETUNE, FROM_SCRATCH)
_EVALUATIONS = 20
"""Measurements of the validation loss, where the recipe has no guard that says how many."""


def in_mode(
    recipe: Recipe,
    mode: str,
    *,
    regime: str | None = None,
    rate: float | None = None,
    warmup: int | None = None,
    steps: int | None = None,
    every: int | None = None,
) -> Recipe:
    """The recipe as one training of its own, guarded.

    `finetune` trains as one round does: its rate, its warm-up, `inner_steps`. `from-scratch` trains as the
    public start does: `warm_rate`, a warm-up of a twentieth of the steps, `warm_steps`. The schedule is as
    long as the training.

    Raises:
        Rejected: a value out of the bounds of a recipe (`bad-recipe`).
        ValueError: an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"{mode!r} is none of {', '.join(MODES)}")
    scratch = mode == FROM_SCRATCH
    length = steps if steps is not None else max(1, recipe.warm_steps) if scratch else recipe.inner_steps
    usual = (recipe.warm_rate, max(1, length // 20)) if scratch else (
        recipe.optimiser.learning_rate, recipe.optimiser.warmup
    )  # fmt: skip
    guard = recipe.guard or Guard(every=max(1, length // _EVALUATIONS))
    return replace(
        recipe,
        optimiser=replace(
            recipe.optimiser,
            learning_rate=usual[0] if rate is None else rate,
            warmup=usual[1] if warmup is None else warmup,
        ),
        guard=replace(guard, regime=Regime(regime or mode), every=guard.every if every is None else every),
        inner_steps=length,
        total_steps=length,
    )
