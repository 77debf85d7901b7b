"""Recipes as people write them: TOML with comments, or JSON; what is left out keeps its default.

Only canonical JSON travels (`Recipe.to_bytes`), so that comments and spelling change no digest.
"""

from __future__ import annotations

from pathlib import Path

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import written_recipe
from jepanet.texts import load_json, load_toml, read_text

MAX_FILE_BYTES = 4 * MAX_RECIPE_BYTES
"""Of a recipe's file, comments and all."""
_WHAT = "recipe file"


def read_recipe_file(path: Path, *, absent: str = "correct the path") -> Recipe:
    """The recipe in a file.

    Raises:
        Fatal: no such file, neither TOML nor JSON, or a field missing, unknown or out of bounds (exit code
            `USAGE`).
    """
    tree = recipe_tree(recipe_text(path, absent=absent), path)
    try:
        return written_recipe(tree)
    except Rejected as error:
        raise Fatal(
            f"{path} is no recipe: {error.message}",
            remedy=error.remedy or "correct that field",
            code=Exit.USAGE,
        ) from error


def recipe_text(path: Path, *, absent: str = "correct the path") -> str:
    """A recipe's file as it is written.

    Raises:
        Fatal: no such file, larger than 64 KiB, or not UTF-8 (exit code `USAGE`).
    """
    return read_text(path, _WHAT, code=Exit.USAGE, max_bytes=MAX_FILE_BYTES, absent=absent)


def recipe_tree(text: str, path: Path) -> object:
    """What a recipe's text says, not yet read as a recipe: TOML, or JSON where it begins with a brace.

    Raises:
        Fatal: it is neither (exit code `USAGE`).
    """
    # No text is both: a TOML document cannot begin with a brace, and a recipe in JSON does.
    if text.lstrip().startswith("{"):
        return load_json(text, _WHAT, path, code=Exit.USAGE)
    return load_toml(text, _WHAT, path, code=Exit.USAGE)
