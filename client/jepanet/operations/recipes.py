"""`jepanet recipe`: the presets, one recipe field by field, a file checked, two recipes compared."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import cast

from jepanet.cid import to_cid
from jepanet.learning.computing import training_operations
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.checking import faults_of
from jepanet.learning.recipes.fields import differences, recipe_fields
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.recipes.spelling import toml_of
from jepanet.learning.recipes.text import read_recipe_file
from jepanet.learning.sources.registry import dataset_for
from jepanet.nesting import Json
from jepanet.operations.views.recipes import (
    RecipeChecked,
    RecipeDifference,
    RecipeFault,
    RecipeField,
    RecipesCompared,
    RecipeShown,
    RecipeSummary,
)

_MOST_FAULTS = 50
_A_CORE = 20e9
"""Floating-point operations a second that small networks reach on one core: 14 to 55 of 1e9 were measured."""
_CLASSES = ((30.0, "seconds"), (1800.0, "minutes"), (86400.0, "hours"))
"""Up to so many seconds of one core -> how long a round's training is called."""


def list_recipes() -> tuple[RecipeSummary, ...]:
    """Every preset."""
    return tuple(_summary(recipe) for recipe in PRESETS.values())


def show_recipe(named: str) -> RecipeShown:
    """A preset or a file, with every field. Raises: Fatal, as `recipe_named`."""
    recipe = recipe_named(named)
    return RecipeShown(
        _summary(recipe),
        recipe.total_steps,
        recipe.warm_steps,
        tuple(
            RecipeField(
                item.entry.key, cast(Json, item.value), item.usual, item.entry.allowed, item.entry.meaning
            )
            for item in recipe_fields(recipe)
        ),
        json.loads(recipe.to_bytes()),
    )


def recipe_as_toml(named: str) -> str:
    """A preset or a file as TOML to begin another from. Raises: Fatal, as `recipe_named`."""
    return toml_of(recipe_named(named))


def check_recipe(path: Path) -> RecipeChecked:
    """All that is wrong with a recipe's file, or what it is.

    Raises:
        Fatal: no such file, too large, or neither TOML nor JSON (exit code `USAGE`).
    """
    faults = faults_of(path)
    return RecipeChecked(
        path,
        tuple(
            RecipeFault(
                item.line,
                item.problem.key,
                item.problem.message.removeprefix("recipe: "),
                item.problem.remedy,
            )
            for item in islice(faults, _MOST_FAULTS)
        ),
        max(0, len(faults) - _MOST_FAULTS),
        None if faults else _summary(read_recipe_file(path)),
    )


def compare_recipes(one: str, other: str) -> RecipesCompared:
    """The fields that two recipes hold otherwise. Raises: Fatal, as `recipe_named`."""
    left, right = recipe_named(one), recipe_named(other)
    found = (
        RecipeDifference(item.key, cast(Json, item.one), cast(Json, item.other))
        for item in differences(left, right)
    )
    return RecipesCompared(_summary(left), _summary(right), tuple(found))


def _summary(recipe: Recipe) -> RecipeSummary:
    recorded = dataset_for(recipe.name)
    kind = recipe.family.schema.name
    return RecipeSummary(
        name=recipe.name,
        family=recipe.family.name,
        data=f"{kind} of {recorded[0].name}" if recorded else kind,
        parameters=recipe.parameters(),
        steps=recipe.inner_steps,
        samples=recipe.frames_of_a_step * recipe.inner_steps,
        training=_length(recipe),
        cid=to_cid(recipe.digest()),
    )


def _length(recipe: Recipe) -> str:
    seconds = training_operations(recipe, recipe.inner_steps) / _A_CORE
    return next((name for most, name in _CLASSES if seconds <= most), "days")
