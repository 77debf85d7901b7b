"""Recipes from trees: which family reads its fields is looked up here and nowhere else.

What comes from the network has every field (`read_recipe`); what a person writes may leave defaults out
(`written_recipe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from jepanet.learning.families.registry import family_kind
from jepanet.learning.family import Family, FamilyKind
from jepanet.learning.recipe import BAD_RECIPE, COMMON, MAX_RECIPE_BYTES, Recipe, bad
from jepanet.records.codec import Codec
from jepanet.records.kinds import Spelling
from jepanet.records.refusal import Wrong, shown
from jepanet.tensors import parse_json

WRITTEN = Spelling(defaults=True)
"""How people write recipes."""
COMMON_WRITTEN = Codec(Recipe, "recipe", max_bytes=MAX_RECIPE_BYTES, spelling=WRITTEN, refuse=BAD_RECIPE)


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
    parts = parted(tree).all_known()
    return COMMON.read(parts.common, family=parts.kind.read(parts.own))


def written_recipe(tree: object) -> Recipe:
    """A recipe from what a person wrote: fields that hold their defaults may be missing, or stand there.

    Raises:
        Rejected: reason `bad-recipe`.
    """
    parts = parted(tree).all_known()
    return COMMON_WRITTEN.read(parts.common, family=family_codec(parts.kind).read(parts.own))


def family_codec(kind: FamilyKind) -> Codec[Family]:
    """Reads a family's fields as people write them."""
    return Codec(cast(type, kind), "recipe", spelling=WRITTEN, refuse=BAD_RECIPE)


@dataclass(frozen=True, slots=True)
class Parted:
    """A recipe's object: its family, the fields that are the family's own, and those of every recipe."""

    kind: FamilyKind
    own: dict[str, object]
    common: dict[str, object]
    unknown: tuple[Wrong, ...]

    def all_known(self) -> Parted:
        """Itself. Raises: Rejected (`bad-recipe`) when there is a name that no field has."""
        for wrong in self.unknown:
            raise BAD_RECIPE(wrong.message("recipe"), wrong.remedy)
        return self


def parted(tree: object) -> Parted:
    """Raises: Rejected (`bad-recipe`): no object, or no family that this node knows."""
    if not isinstance(tree, dict) or "family" not in tree:
        raise bad("it must be an object that names its family")
    name = tree["family"]
    if type(name) is not str:
        raise bad(f"family must be text, not {shown(name)}")
    kind = family_kind(name)
    own = [part.name for part in family_codec(kind).record.parts]
    common = [*Recipe.HEAD, *(part.name for part in COMMON.record.parts)]
    known = f"remove {{key}}; known: {', '.join([*common, 'family', *own])}"
    return Parted(
        kind,
        {key: value for key, value in tree.items() if key in own},
        {key: value for key, value in tree.items() if key in common},
        tuple(
            Wrong(" is unknown", known).inside(str(key))
            for key in tree
            if key not in own and key not in common and key != "family"
        ),
    )


def changed(recipe: Recipe, path: str, value: object) -> Recipe:
    """The recipe with another value in one field, for example `changed(recipe, "objective.weight", 0.0)`.

    Also in one that recipes leave out where it holds its default, such as `loop.accumulate` or `guard.every`.

    Raises:
        Rejected: no such field, a value out of its bounds, or another field of the same part is missing that
            has no default (`bad-recipe`).
    """
    tree = parse_json(recipe.to_bytes(), max_bytes=MAX_RECIPE_BYTES, what="recipe")
    *parts, last = path.split(".")
    place = tree
    for name in parts:
        if isinstance(place, dict):
            place = place.setdefault(name, {})
    if not isinstance(place, dict):
        raise bad(f"there is no field {path!r}")
    cast(dict[str, object], place)[last] = list(value) if isinstance(value, tuple) else value
    return written_recipe(tree)  # it refuses what is no field by its name
