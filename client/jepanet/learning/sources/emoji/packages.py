"""Finds and reads the packages of drawings. What is read is known by its digest, wherever it lies."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import TypedDict, cast

from jepanet.errors import Exit, Fatal
from jepanet.learning.sources.emoji.sets import (
    CATEGORIES,
    REMEDY,
    RENDERER,
    RENDERER_VERSION,
    SETS,
    EmojiSet,
)

_MAX_BYTES = 64 << 20
_ALIASES = 4
"""Names that may stand for each other before the one with a drawing."""


class _Icon(TypedDict, total=False):
    body: str
    width: float
    height: float
    hidden: bool


class _Icons(TypedDict):
    icons: dict[str, _Icon]
    aliases: dict[str, dict[str, object]]
    width: float
    height: float


class Drawings:
    """The drawings of one set, and who is drawn."""

    def __init__(self, icons: _Icons) -> None:
        self._icons = icons

    def find(self, symbol: str) -> tuple[str, float, float] | None:
        """SVG elements of a symbol, with width and height of their view; None where the set has none."""
        for _ in range(_ALIASES):
            icon = self._icons["icons"].get(symbol)
            if icon is not None:
                sizes = (icon.get("width", self._icons["width"]), icon.get("height", self._icons["height"]))
                return None if icon.get("hidden") else (icon["body"], *sizes)
            alias = self._icons["aliases"].get(symbol)
            if alias is None or set(alias) != {"parent"}:  # others turn or mirror what they stand for
                return None
            symbol = str(alias["parent"])
        return None


def require_packages() -> None:
    """Checks that renderer and packages are there, without reading them.

    Raises:
        Fatal: one is missing, or the renderer has another version (`DATASET`, with the remedy).
    """
    try:
        found = importlib.metadata.version(RENDERER)
        importlib.metadata.version("pillow")
    except importlib.metadata.PackageNotFoundError as error:
        raise Fatal(f"{error.name} is not installed", remedy=REMEDY, code=Exit.DATASET) from None
    if found != RENDERER_VERSION:
        raise Fatal(f"{RENDERER} is {found}, not {RENDERER_VERSION}", remedy=REMEDY, code=Exit.DATASET)
    for item in SETS:
        _folder(item)


def read_drawings(item: EmojiSet) -> Drawings:
    """Raises: Fatal (`DATASET`) when the package is missing or holds other bytes."""
    return Drawings(cast(_Icons, json.loads(_read(item, "icons.json", item.digest))))


def read_categories() -> dict[str, list[str]]:
    """Names of symbols by category. Raises: Fatal as `read_drawings`."""
    tree = json.loads(_read(SETS[0], "metadata.json", CATEGORIES))
    return cast(dict[str, list[str]], tree["categories"])


def _read(item: EmojiSet, name: str, digest: str) -> bytes:
    path = _folder(item) / name
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Fatal(f"{path} cannot be read: {error.strerror}", remedy=REMEDY, code=Exit.DATASET) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise Fatal(f"{path} is not that of {item.package}", remedy=REMEDY, code=Exit.DATASET)
    return data


def _folder(item: EmojiSet) -> Path:
    """Where npm installed it: `node_modules` here or above, or above this file (a checkout).

    Raises:
        Fatal: it is nowhere there (`DATASET`).
    """
    for start in (Path.cwd(), Path(__file__).resolve()):
        for above in (start, *start.parents):
            folder = above / "node_modules" / "@iconify-json" / item.name
            if folder.is_dir():
                return folder
    raise Fatal(f"{item.package} is not installed", remedy=REMEDY, code=Exit.DATASET)
