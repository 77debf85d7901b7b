"""Tables that fit a terminal: addresses are shortened before anything is folded, and a number never is.

Where even that is too wide, each row becomes a block of `column  value` lines. `--wide` shows all as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence

_PIPE_WIDTH = 240
_LONG_WORD = 24
"""Longer words than this may be folded; numbers and shortened addresses are shorter."""
_PADDING, _EDGE = 3, 1
_HEX = re.compile(r"\b0x([0-9a-fA-F]{4})[0-9a-fA-F]{12,}([0-9a-fA-F]{4})\b")
_CID = re.compile(r"\b(ba[a-z2-7]{8})[a-z2-7]{40,}([a-z2-7]{4})\b")
_PEER = re.compile(r"\b(16Uiu2HA)[1-9A-HJ-NP-Za-km-z]{30,}([1-9A-HJ-NP-Za-km-z]{4})\b")


def shortened(text: str) -> str:
    """Addresses, digests, CIDs and peer ids by their first and last characters: 0x1234…abcd."""
    text = _HEX.sub(r"0x\1…\2", text)
    return _PEER.sub(r"\1…\2", _CID.sub(r"\1…\2", text))


def is_number(text: str) -> bool:
    """Whether a cell is one number, with thousands separators or a sign."""
    return text.replace(",", "").replace(".", "", 1).lstrip("+-").isdigit()


def harmless(text: str) -> str:
    """Strangers' words without what a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def printable(text: str) -> str:
    """Strangers' words without what a terminal would obey, and without what standard output cannot show."""
    text = harmless(text)
    # As the stream itself would write it, so that the widths are right; one that would raise gets "?".
    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors or "strict"
    return text.encode(encoding, "replace" if errors == "strict" else errors).decode(encoding, "replace")


def width_of_output() -> int:
    """Columns there are: the terminal's or COLUMNS. A file or pipe is wide: folded words cannot be found."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return _PIPE_WIDTH


def draw(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, width: int, wide: bool = False
) -> None:
    """Prints a table of at most `width` columns; with `wide` of as many as it takes."""
    title, columns = printable(title), [printable(name) for name in columns]
    data = [[printable(str(cell)) for cell in row] for row in rows]
    if wide:
        width = max(width, _natural(columns, data), len(title))
    elif _natural(columns, data) > width:
        data = [[printable(shortened(cell)) for cell in row] for row in data]
    if _least(columns, data) > width:
        # Two columns are names and values already: one block.
        named = [list(zip(columns, row, strict=True)) for row in data]
        _blocks(title, [[(row[0], row[1]) for row in data]] if len(columns) == 2 else named, width)
    else:
        _grid(title, columns, data, width)


def _natural(columns: Sequence[str], data: Sequence[Sequence[str]]) -> int:
    """The width without any folding."""
    return _EDGE + sum(_PADDING + max(map(len, column)) for column in _by_column(columns, data))


def _least(columns: Sequence[str], data: Sequence[Sequence[str]]) -> int:
    """The width at which no word up to `_LONG_WORD` has to be cut."""
    return _EDGE + sum(_PADDING + _longest_word(column) for column in _by_column(columns, data))


def _by_column(columns: Sequence[str], data: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[name, *(row[i] for row in data)] for i, name in enumerate(columns)]


def _longest_word(cells: Sequence[str]) -> int:
    """Of the words that must stay whole; numbers must, however long."""
    words = [word for cell in cells for word in cell.split()]
    whole = [len(word) for word in words if len(word) <= _LONG_WORD or is_number(word)]
    return max([*whole, min(_LONG_WORD, max(map(len, words), default=1))])


def _grid(title: str, columns: Sequence[str], data: Sequence[Sequence[str]], width: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(title), title_justify="left", header_style="bold")
    for name, cells in zip(columns, _by_column(columns, data), strict=True):
        numeric = len(cells) > 1 and all(map(is_number, cells[1:]))
        drawn.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=_longest_word(cells),
            no_wrap=False,
        )
    for row in data:
        drawn.add_row(*map(Text, row))
    Console(soft_wrap=False, width=width).print(drawn)


def _blocks(title: str, blocks: Sequence[Sequence[tuple[str, str]]], width: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False, width=width)
    console.print(Text(title, style="italic"))
    for pairs in blocks:
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_column(style="bold", max_width=max(8, width // 3))
        block.add_column(overflow="fold")
        for name, cell in pairs:
            if cell:
                block.add_row(Text(name), Text(cell))
        console.print(block)
        console.print()
