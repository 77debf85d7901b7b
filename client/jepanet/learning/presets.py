"""The recipes that ship with this package, by name: each is a file of `recipes/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.text import read_recipe_file

_FOLDER = Path(__file__).parent / "recipes"


class _Presets(Mapping[str, Recipe]):
    """Name -> recipe; a file is read when somebody asks for it."""

    def __getitem__(self, name: str) -> Recipe:
        if name not in _names():
            raise KeyError(name)
        return _read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


PRESETS: Mapping[str, Recipe] = _Presets()


def preset(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        Rejected: no such preset.
    """
    if name not in PRESETS:
        raise Rejected(f"no recipe is called {name[:40]!r}; known: {', '.join(PRESETS)}", reason="bad-recipe")
    return PRESETS[name]


def preset_file(name: str) -> Path:
    """The file of a preset, for who wants its comments."""
    return _FOLDER / f"{name}.toml"


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def _read(name: str) -> Recipe:
    return read_recipe_file(preset_file(name))
