"""What every field of a recipe holds, what it may hold and what it means: for people, and for differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from jepanet.learning.family import FamilyKind
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import COMMON_WRITTEN, family_codec
from jepanet.records.reference import Entry, Holding, holdings


def recipe_fields(recipe: Recipe) -> tuple[Holding, ...]:
    """Every field: those that name the recipe, the family's own, those of every recipe; `schema` excepted.

    A part that is left out whole (a guard, a schedule) is one field that holds None.
    """
    named = Entry("family", "a family of this release", None, "what kind of model it trains")
    own = holdings(family_codec(cast(FamilyKind, type(recipe.family))), recipe.family)
    common = holdings(COMMON_WRITTEN, recipe)
    name = [item for item in common if item.entry.key == "name"]
    rest = [item for item in common if item.entry.key != "name"]
    return (Holding(named, recipe.family.name, False), *name, *own, *rest)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two recipes hold otherwise; None: that one has no such field, or nothing in it."""

    key: str
    one: object
    other: object


def differences(one: Recipe, other: Recipe) -> Iterator[Difference]:
    """Field by field, in the order of the first."""
    left, right = ({item.entry.key: item.value for item in recipe_fields(recipe)} for recipe in (one, other))
    for key in (*left, *(key for key in right if key not in left)):
        if left.get(key) != right.get(key):
            yield Difference(key, left.get(key), right.get(key))
