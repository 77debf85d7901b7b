"""A recipe as a person names it: a preset, or a file written by hand."""

from __future__ import annotations

from pathlib import Path

from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.text import read_recipe_file


def recipe_named(text: str) -> Recipe:
    """The preset called `text`, or the recipe in the file of that name, in TOML or JSON.

    Raises:
        Fatal: neither, or a field is missing, unknown or out of bounds (exit code `USAGE`).
    """
    if text in PRESETS:
        return PRESETS[text]
    return read_recipe_file(
        Path(text), absent=f"name a file in TOML or JSON, or one of the presets: {', '.join(PRESETS)}"
    )
