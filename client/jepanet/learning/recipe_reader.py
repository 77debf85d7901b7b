"""Recipes from untrusted bytes: which family reads its fields is looked up here and nowhere else."""

from __future__ import annotations

from typing import cast

from jepanet.learning.families.registry import family_kind
from jepanet.learning.recipe import COMMON, MAX_RECIPE_BYTES, Recipe, bad
from jepanet.records.refusal import shown
from jepanet.tensors import parse_json


def read_recipe(data: bytes) -> Recipe:
    """Parses a recipe from the network.

    Raises:
        Rejected: over 16 KiB, not canonical JSON, a field missing, unknown, mistyped or out of bounds, or a
            family that this node does not know.
    """
    recipe = recipe_of(parse_json(data, max_bytes=MAX_RECIPE_BYTES, what="recipe"))
    # 1 and 1.0 are one number in canonical JSON, so equal recipes have equal bytes.
    if recipe.to_bytes() != data:
        raise bad("it is not in its own canonical form")
    return recipe


def recipe_of(tree: object) -> Recipe:
    """A recipe from its JSON object.

    Raises:
        Rejected: reason `bad-recipe`.
    """
    if not isinstance(tree, dict) or "family" not in tree:
        raise bad("it must be an object that names its family")
    name = tree["family"]
    if type(name) is not str:
        raise bad(f"family must be text, not {shown(name)}")
    kind = family_kind(name)
    own = set(kind().fields())
    family = kind.read({key: value for key, value in tree.items() if key in own})
    common = {key: value for key, value in tree.items() if key not in own and key != "family"}
    return COMMON.read(common, family=family)


def changed(recipe: Recipe, path: str, value: object) -> Recipe:
    """The recipe with another value in one field, for example `changed(recipe, "objective.weight", 0.0)`.

    Raises:
        Rejected: no such field, or a value out of its bounds (`bad-recipe`).
    """
    tree = parse_json(recipe.to_bytes(), max_bytes=MAX_RECIPE_BYTES, what="recipe")
    names = path.split(".")
    place = tree
    for depth, name in enumerate(names, start=1):
        if not isinstance(place, dict) or name not in place:
            raise bad(f"there is no field {name!r}")
        if depth < len(names):
            place = place[name]
    # The loop found the last name in it.
    cast(dict[str, object], place)[names[-1]] = list(value) if isinstance(value, tuple) else value
    return recipe_of(tree)
