"""Tables of documents: a row with a cell too few shifts what it says into the wrong column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_documents import documents

pytestmark = pytest.mark.unit

_CODE = re.compile(r"`[^`]*`")


def cells(row: str) -> int:
    """Of one row of a table; bars that are escaped or stand in code divide nothing."""
    plain = _CODE.sub("", row.strip()).replace(r"\|", "")
    return plain.count("|") - plain.startswith("|") - plain.endswith("|") + 1


def uneven(text: str) -> list[str]:
    """Rows that have another number of cells than the first of their table; what is fenced is no table."""
    found, wanted, fenced = [], 0, False
    for number, line in enumerate(text.splitlines(), 1):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|"):
            wanted = 0
            continue
        wanted = wanted or cells(line)
        if cells(line) != wanted:
            found.append(f"line {number}: {cells(line)} of {wanted} cells: {line[:60]}")
    return found


@pytest.mark.parametrize("path", list(documents()), ids=lambda path: path.name)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(path: Path) -> None:
    assert uneven(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("row", "wrong"), [("| a | b |", 0), ("| a |", 1), (r"| `x | y` | a \| b |", 0), ("| a | b | c |", 1)]
)
def test_a_planted_row_is_counted(row: str, wrong: int) -> None:
    assert len(uneven(f"| one | two |\n|---|---|\n{row}\n")) == wrong
