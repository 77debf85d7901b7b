"""The model families this node knows, one line each. A family is imported when a recipe names it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from jepanet.errors import Rejected
from jepanet.learning.family import FamilyKind

FAMILIES: Mapping[str, str] = {
    "image": "jepanet.learning.families.image.family:Image",
    "world": "jepanet.learning.families.world.family:World",
    "language": "jepanet.learning.families.language.family:Language",
    "vision_language": "jepanet.learning.families.vision_language.family:VisionLanguage",
    "backbone": "jepanet.learning.families.backbone.family:Backbone",
}
"""Name in a recipe -> module and class, which follow `learning/family.py` and import no torch at once."""


def family_kind(name: str) -> FamilyKind:
    """A family by its name in a recipe.

    Raises:
        Rejected: this node knows no such family (`bad-recipe`).
    """
    if name not in FAMILIES:
        raise Rejected(
            f"model family {name[:40]!r} is not one of: {', '.join(FAMILIES)}",
            reason="bad-recipe",
            remedy="a newer jepanet may know it",
        )
    module, _, kind = FAMILIES[name].partition(":")
    return cast(FamilyKind, getattr(import_module(module), kind))
