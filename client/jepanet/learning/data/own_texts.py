"""Pairs of texts of people's own: a file of JSON lines, as numbers of a tokenizer's tokens in one shard.

    {"first": "a large domesticated cat of the plains", "second": "lion"}

In shards token 0 is the border of a text and what fills texts up. A tokenizer's border is any of its tokens:
the two have each other's number, so that no other token changes. What does not fit is left out and counted: a
text that is cut off would teach that texts end anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.data.shards import MAX_EPISODES, Shard
from jepanet.texts import load_json, read_text

MAX_FILE_BYTES = 256 << 20
MAX_LINE_CHARACTERS = 1 << 17
_LINES = 1024
"""Encoded together."""
Encode = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a recipe numbers a tokenizer's tokens."""

    vocabulary: int
    border: int
    longest: int
    """Tokens of a text."""


@dataclass(frozen=True, slots=True)
class OwnPairs:
    """A shard, and how many pairs of the file are not in it."""

    shard: Shard
    left_out: int


def pairs_shard(
    source: Path, encode: Encode, numbering: Numbering, keys: tuple[str, str], *, site: int = 0
) -> OwnPairs:
    """A shard of the pairs of a file, in its order. Left out are pairs of which a text is empty, longer than
    `numbering.longest`, or has the border inside.

    Raises:
        Fatal: no such file, too many pairs, a line that is no pair, or no pair that fits (exit code
            `DATASET`); a token outside of the vocabulary: the tokenizer is another model's.
    """
    found: list[tuple[list[int], list[int]]] = []
    left_out = 0
    for texts in _parts(source, keys):
        tokens = encode([text for pair in texts for text in pair])
        for pair in zip(tokens[::2], tokens[1::2], strict=True):
            highest = max((token for item in pair for token in item), default=0)
            if highest >= numbering.vocabulary:
                raise _fatal(
                    f"the tokenizer has a token {highest}, and the recipe {numbering.vocabulary} tokens",
                    "name the tokenizer of the recipe's own model",
                )
            if all(1 <= len(item) <= numbering.longest and numbering.border not in item for item in pair):
                found.append(pair)
            else:
                left_out += 1
        if len(found) > MAX_EPISODES:
            raise _fatal(f"{source} has more than {MAX_EPISODES} pairs", "split it")
    if not found:
        raise _fatal(f"{source} has no pair that fits", "see --longest and the keys of its lines")
    first, second = (_rows([pair[place] for pair in found], numbering.border) for place in (0, 1))
    arrays = {"first": first, "second": second}
    return OwnPairs(Shard(PAIRS, arrays, (site,) * len(found), {"environment": "texts"}), left_out)


def texts_of(source: Path, keys: tuple[str, str]) -> Iterator[str]:
    """Both texts of every pair of a file. Raises: Fatal, as `pairs_shard`."""
    for pairs in _parts(source, keys):
        for pair in pairs:
            yield from pair


def _rows(texts: Sequence[Sequence[int]], border: int) -> np.ndarray:
    """uint16 [N, longest of them], filled up with padding."""
    rows = np.full((len(texts), max(map(len, texts))), PADDING, dtype=np.uint16)
    for row, tokens in enumerate(texts):
        rows[row, : len(tokens)] = [border if token == PADDING else token for token in tokens]
    return rows


def _parts(source: Path, keys: tuple[str, str]) -> Iterator[list[tuple[str, str]]]:
    """So many pairs together as are encoded at once."""
    text = read_text(source, "file of texts", code=Exit.DATASET, max_bytes=MAX_FILE_BYTES)
    numbered = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    while part := [
        _pair(line, keys, f"{source}, line {number}") for number, line in islice(numbered, _LINES)
    ]:
        yield part


def _pair(line: str, keys: tuple[str, str], place: str) -> tuple[str, str]:
    if len(line) > MAX_LINE_CHARACTERS:
        raise _fatal(f"{place} is longer than {MAX_LINE_CHARACTERS} characters", "make its texts shorter")
    said = load_json(line, "line", place, code=Exit.DATASET)
    found = [said.get(key) for key in keys] if isinstance(said, dict) else []
    first, second = found if found else (None, None)
    if not (isinstance(first, str) and isinstance(second, str)):
        raise _fatal(f"{place} has no texts {keys[0]!r} and {keys[1]!r}", "correct it, or name other keys")
    return first, second


def _fatal(why: str, remedy: str) -> Fatal:
    return Fatal(why, remedy=remedy, code=Exit.DATASET)
