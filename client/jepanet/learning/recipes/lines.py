"""In which line of a TOML text each key stands: the parser does not tell.

A statement of TOML is a header, or a key and its value, and begins in a line of its own. Each is parsed by
itself, with as many lines as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.errors import Fatal
from jepanet.records.problems import Place
from jepanet.texts import load_toml

_MOST_LINES = 32
"""Of one value; where one has more, what follows it has no lines."""


def lines_of(text: str) -> dict[Place, int]:
    """Names that lead to a key or table -> its line, counted from 1. Empty for a text that is no TOML."""
    found: dict[Place, int] = {}
    table: Place = ()
    for line, tree, header in _statements(text):
        if header:
            table = max(_places(tree), key=len, default=())
        for place in _places(tree):
            found.setdefault(place if header else (*table, *place), line)
    return found


def _statements(text: str) -> Iterator[tuple[int, dict[str, object], bool]]:
    """Line, what it says, and whether it is the header of a table."""
    gathered, first = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not gathered:
            first = number
        gathered += line + "\n"
        try:
            tree = load_toml(gathered, "", "")
        except Fatal:
            if number - first >= _MOST_LINES:
                return
            continue
        yield first, tree, gathered.lstrip().startswith("[")
        gathered = ""


def _places(tree: object) -> Iterator[Place]:
    """Of all names in a tree, outer ones first."""
    if isinstance(tree, dict):
        for name, inner in tree.items():
            yield (name,)
            yield from ((name, *rest) for rest in _places(inner))
