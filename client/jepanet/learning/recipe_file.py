"""A recipe as a person names it: a preset, or a file of JSON written by hand."""

from __future__ import annotations

from pathlib import Path

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.tensors import canonical_json
from jepanet.texts import read_json


def recipe_named(text: str) -> Recipe:
    """The preset called `text`, or the recipe in the file of that name, in any JSON spelling.

    Raises:
        Fatal: neither, or a field is missing, unknown or out of bounds (exit code `USAGE`).
    """
    if text in PRESETS:
        return PRESETS[text]
    presets = f"presets: {', '.join(PRESETS)}"
    tree = read_json(
        Path(text), "preset or recipe file", code=Exit.USAGE, max_bytes=4 * MAX_RECIPE_BYTES, absent=presets
    )
    try:
        return read_recipe(canonical_json(tree))
    except Rejected as error:
        raise Fatal(
            f"{text} is no recipe: {error.message}",
            remedy=f"correct that field, or use one of the {presets}",
            code=Exit.USAGE,
        ) from error
