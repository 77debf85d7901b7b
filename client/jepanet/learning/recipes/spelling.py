"""A recipe as a TOML file to begin one's own from: every field with what it means, defaults as comments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap

from jepanet.learning.recipe import SCHEMA, Recipe
from jepanet.learning.recipes.fields import recipe_fields
from jepanet.records.reference import Holding

_WIDTH = 110


def toml_of(recipe: Recipe) -> str:
    """TOML that reads back as the same recipe. A line `# key = …` is a default; without the `#` it may be
    changed."""
    tables: dict[str, list[Holding]] = {"": []}
    for item in recipe_fields(recipe):
        tables.setdefault(item.entry.key.rpartition(".")[0], []).append(item)
    lines = [f"schema = {json.dumps(SCHEMA)}"]
    for table, items in tables.items():
        if table:
            lines += ["", f"[{table}]"]
        for item in items:
            lines += _lines(item)
    return "\n".join(lines) + "\n"


def _lines(item: Holding) -> Iterator[str]:
    key = item.entry.key.rpartition(".")[2]
    if item.value is None:
        yield from _comment(f"{key}, left out: {item.entry.meaning}")
        return
    yield from _comment(f"{item.entry.meaning} ({item.entry.allowed})")
    yield f"{'# ' if item.usual else ''}{key} = {_value(item.value)}"


def _comment(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _value(value: object) -> str:
    """Of a switch, a number, a text or a list of them, TOML and JSON have one spelling."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
