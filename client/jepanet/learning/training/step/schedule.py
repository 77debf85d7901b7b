"""The learning rate of every step: a function of the recipe and of where the step is, and of nothing else."""

from __future__ import annotations

from math import cos, pi, sqrt

from jepanet.learning.recipe import Optimiser
from jepanet.learning.recipe_loop import Schedule


def learning_rate(
    rules: Optimiser, local: int, count: int, globally: int, total: int, schedule: Schedule | None = None
) -> float:
    """Peak rate, times linear warm-up and cool-down over `count` local steps, times the schedule.

    Without a schedule that is a cosine over `total` global steps, from 1 to `rules.final`.
    """
    warm = min(1.0, (local + 1) / rules.warmup) if rules.warmup else 1.0
    cool = min(1.0, (count - local) / (rules.cooldown * count)) if rules.cooldown else 1.0
    if schedule is None:
        return rules.learning_rate * warm * cool * _cosine(rules.final, min(1.0, globally / max(1, total)))
    step, length = (local, count) if schedule.span == "round" else (globally, total)
    return rules.learning_rate * warm * cool * share(schedule, step, length)


def share(schedule: Schedule, step: int, length: int) -> float:
    """Share of the peak rate at `step`, from 0, of a span of `length`; the last one holds afterwards."""
    warm = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    # The warm-up is no part of what falls: a cosine begins where it ends.
    done = min(1.0, max(0, step - schedule.warmup) / max(1, length - schedule.warmup))
    match schedule.kind:
        case "cosine":
            return warm * _cosine(schedule.final, done)
        case "wsd":
            return warm * _plateau(schedule.final, schedule.decay, done)
        case _:
            return warm


def _cosine(final: float, done: float) -> float:
    return final + (1.0 - final) * 0.5 * (1.0 + cos(pi * done))


def _plateau(final: float, decay: float, done: float) -> float:
    """1, then 1 - sqrt over the last `decay` of the way (Haegele et al. 2024, arXiv:2405.18392)."""
    falling = (done - (1.0 - decay)) / decay if decay else 0.0
    return 1.0 - (1.0 - final) * sqrt(min(1.0, falling)) if falling > 0.0 else 1.0
