"""Of which trainings parts can be repeated alone, and of which another build may do so."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.learning.recipe import Recipe
from jepanet.tensors import MAX_TENSORS

_OTHERS = 256
"""Tensors of a state file beside weights and moments, at most."""
MOST_STEPS = 16
"""Of a part: over more nobody has measured how far builds come apart."""
MOST_PARAMETERS = 1 << 20
CALIBRATED = ("image", "language", "world")
"""Families of which honest parts were measured on several builds (`benchmarks/tolerant_audits.py`)."""


def _tensors(recipe: Recipe) -> int:
    """Of a state file, beside streams and places."""
    return 3 * len(recipe.family.parameter_shapes())


def check_auditable(recipe: Recipe) -> None:
    """Raises: Rejected (`not-auditable`): parts of a training by this recipe cannot be repeated alone."""
    for wrong, what, write in (
        (_tensors(recipe) > MAX_TENSORS - _OTHERS, "a state has too many tensors", "use fewer layers"),
        (
            not recipe.loop.deterministic,
            "it trains without a fixed order of sums",
            "leave loop.deterministic",
        ),
        (recipe.loop.compile, "its networks are compiled", "leave loop.compile out"),
        (recipe.loop.precision == "fp16", "it scales its losses by what overflowed before", "write bf16"),
        (
            recipe.guard is not None and recipe.guard.patience > 0,
            "it ends early by losses that no state holds",
            "write 0 for guard.patience",
        ),
    ):
        if wrong:
            raise Rejected(
                f"no segment of a training by this recipe can be repeated alone: {what}",
                reason="not-auditable",
                remedy=f"{write}, or open rounds without audits",
            )


def check_tolerable(recipe: Recipe, steps: int) -> None:
    """Raises: Rejected (`not-calibrated`): nobody has measured how far builds come apart over parts of so
    many `steps` of a training by this recipe."""
    name, parameters = recipe.family.name, recipe.parameters()
    for wrong, what, write in (
        (name not in CALIBRATED, f"of family {name!r}", f"use one of {', '.join(CALIBRATED)}"),
        (
            parameters > MOST_PARAMETERS,
            f"of {parameters:,} parameters",
            f"use a recipe of at most {MOST_PARAMETERS:,}",
        ),
        (recipe.loop.precision != "fp32", f"in {recipe.loop.precision}", "write fp32 for loop.precision"),
        (
            steps > MOST_STEPS,
            f"over parts of {steps} steps",
            f"ask for more segments, of at most {MOST_STEPS} steps each",
        ),
    ):
        if wrong:
            raise Rejected(
                f"how far other builds come to another end was not measured {what}: audits by distance would "
                "find honest work wrong, or wrong work right",
                reason="not-calibrated",
                remedy=f"{write}, or open rounds whose audits are exact",
            )
