"""Where the segments of a training by a recipe end."""

from __future__ import annotations

from jepanet.division import segment_points
from jepanet.learning.recipe import Recipe


def measured_every(recipe: Recipe) -> int:
    """Steps between two measurements of the recipe's guard, each of which ends a segment; 0: it has none."""
    return recipe.guard.every if recipe.guard else 0


def segment_ends(recipe: Recipe, steps: int, segments: int) -> list[int]:
    """After which steps a training of `steps` has the points of its trace, as `segment_points`."""
    return segment_points(steps, segments, measured_every(recipe))
