"""Where the segments of a training end: it follows from recipe and rules, so nobody chooses it."""

from __future__ import annotations

from math import ceil

from jepanet.learning.recipe import Recipe


def segment_steps(steps: int, segments: int) -> int:
    """Steps of one segment, but for the first and the last, where a training of `steps` has at most
    `segments`."""
    ends = _ends_of_one_step(steps, segments)
    return max(1, ceil((steps - ends) / (segments - ends)))


def segment_ends(recipe: Recipe, steps: int, segments: int) -> list[int]:
    """After which steps a training of `steps` has the points of its trace, ascending: at the ends of
    segments, where a guard measures, and after the last.

    Of four segments or more the first and the last have one step each: both are done again of every solver
    that is drawn, for what happens before and after all steps, and cost little so.
    """
    every = segment_steps(steps, segments)
    first, last = (1, steps - 1) if _ends_of_one_step(steps, segments) else (every, steps)
    measured = range(recipe.guard.every, steps, recipe.guard.every) if recipe.guard else ()
    return sorted({*range(first, last, every), last, *measured, steps})


def _ends_of_one_step(steps: int, segments: int) -> int:
    return 2 if segments >= 4 and steps >= 4 else 0
