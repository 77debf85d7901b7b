"""Pictures of people's own with texts, as one shard of questions: a file of JSON lines beside its pictures,
or a folder in which every picture has a text beside it.

    {"image": "beach/one.jpg", "caption": "two dogs in the surf"}
    {"image": "beach/two.jpg", "questions": [["how many dogs", "two"], ["where are they", "on the beach"]]}

    folder/one.jpg   folder/one.txt        its first line is the caption; a picture without a text is left out

A caption is the answer to `CAPTION`; all lines have as many questions. Texts become tokens of UTF-8's bytes
and of pairs that were joined (`byte_pairs.py`), learnt from the texts of one such source. Sites of one
federation name the same one for it: the shard says which, by the digest of its pairs. Lines come from
anywhere: sizes are known before anything is unpacked, no path leaves the folder, and what is odd is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.byte_pairs import FIRST_PAIR, BytePairs, learnt
from jepanet.learning.data.inside import file_inside
from jepanet.learning.data.pictures import ENDINGS, MAX_FILE_BYTES, square
from jepanet.learning.data.schemas.questions import MAX_QUESTIONS, QUESTIONS
from jepanet.learning.data.schemas.texts import PADDING
from jepanet.learning.data.shards import MAX_EPISODES, MAX_SHARD_BYTES, Shard
from jepanet.nesting import Json
from jepanet.texts import load_json, read_text

CAPTION = "what is this"
MAX_LINES_BYTES = 64 << 20
MAX_LINE_CHARACTERS = 1 << 16
_WHAT = "file of captions"


@dataclass(frozen=True, slots=True)
class Asked:
    """One line: a picture's file, and questions with their answers."""

    place: str
    """For messages."""
    image: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a recipe reads."""

    side: int
    """Of its pictures in pixels."""
    query: int
    """Tokens of the longest question."""
    answer: int
    vocabulary: int
    """Tokens in all."""


def captions_shard(source: Path, wanted: Wanted, *, vocabulary: Path | None = None, site: int = 0) -> Shard:
    """A shard of all lines in their order, or of all pictures in that of their names; `vocabulary`: the
    source whose texts tokens are learnt from, its own where None.

    Raises:
        Fatal: nothing there, too many or too long lines, a file that is no picture, or texts that the recipe
            cannot read (exit code `DATASET`).
    """
    asked, folder = read_captions(source), source if source.is_dir() else source.parent
    questions, count = len(asked[0].pairs), len(asked)
    scene = 3 * wanted.side**2 + 2 * questions * (wanted.query + wanted.answer) + 4
    most = min(MAX_EPISODES, MAX_SHARD_BYTES // scene - 1)
    if count > most:
        raise _fatal(f"{source} has {count} lines, and a shard of such sizes takes {most}", "split it")
    known = asked if vocabulary is None else read_captions(vocabulary)
    tokens = learnt_from(known, wanted.vocabulary)
    queries = np.full((count, questions, wanted.query), PADDING, np.uint16)
    answers = np.full((count, questions, wanted.answer), PADDING, np.uint16)
    images = np.zeros((count, 3, wanted.side, wanted.side), np.uint8)
    for row, line in enumerate(asked):
        for place, (query, answer) in enumerate(line.pairs):
            _write(queries[row, place], tokens, query, f"{line.place}: a question")
            _write(answers[row, place], tokens, answer, f"{line.place}: an answer")
        images[row] = square(f"{line.place}: {line.image}", _read_picture(folder, line), wanted.side)
    arrays: dict[str, np.ndarray] = {"images": images, "queries": queries, "answers": answers}
    header = {"environment": "captions", "vocabulary": tokens.digest}
    return Shard(QUESTIONS, arrays, (site,) * count, header)


def read_captions(path: Path) -> tuple[Asked, ...]:
    """The lines of a file, all with as many questions, or the pictures of a folder with theirs.

    Raises:
        Fatal: as `captions_shard`.
    """
    if path.is_dir():
        return _in_folder(path)
    found: list[Asked] = []
    text = read_text(path, _WHAT, code=Exit.DATASET, max_bytes=MAX_LINES_BYTES)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        if len(found) == MAX_EPISODES:
            raise _fatal(f"{path} has more than {MAX_EPISODES} lines", "split it")
        if len(line) > MAX_LINE_CHARACTERS:
            raise _fatal(f"{place} is longer than {MAX_LINE_CHARACTERS} characters", "make it shorter")
        asked = _asked(load_json(line, "line", place, code=Exit.DATASET), place)
        if found and len(asked.pairs) != len(found[0].pairs):
            raise _fatal(
                f"{place} has {len(asked.pairs)} questions, and the first line {len(found[0].pairs)}",
                "every line has as many as the recipe asks (`questions`)",
            )
        found.append(asked)
    if not found:
        raise _fatal(f"{path} has no line", "a line is a JSON object with image and caption")
    return tuple(found)


def _in_folder(folder: Path) -> tuple[Asked, ...]:
    found: list[Asked] = []
    for path in sorted(folder.rglob("*")):
        told = path.with_suffix(".txt")
        if path.suffix.lower() not in ENDINGS or not told.is_file():
            continue
        if len(found) == MAX_EPISODES:
            raise _fatal(f"{folder} has more than {MAX_EPISODES} pictures with texts", "split it")
        inside = file_inside(folder, str(told.relative_to(folder)), MAX_LINE_CHARACTERS)
        text = read_text(inside, "caption", code=Exit.DATASET, max_bytes=MAX_LINE_CHARACTERS)
        caption = text.partition("\n")[0].strip()
        if not caption:
            raise _fatal(f"{told} has no first line", "write what its picture shows, or remove it")
        found.append(Asked(str(told), str(path.relative_to(folder)), ((CAPTION, caption),)))
    if not found:
        raise _fatal(f"{folder} has no picture with a text beside it", "one.jpg has its caption in one.txt")
    return tuple(found)


def learnt_from(lines: tuple[Asked, ...], size: int) -> BytePairs:
    """The vocabulary of the texts of these lines, of at most so many tokens.

    Raises:
        Fatal: fewer tokens than bytes have (exit code `DATASET`).
    """
    if size < FIRST_PAIR:
        raise _fatal(
            f"a vocabulary of {size} tokens has no room for the 256 bytes that any text is made of",
            f"a recipe with model.vocabulary of {FIRST_PAIR} or more",
        )
    return learnt((text for line in lines for pair in line.pairs for text in pair), size)


def _asked(value: Json, place: str) -> Asked:
    shape = 'either {"image": PATH, "caption": TEXT} or {"image": PATH, "questions": [[QUESTION, ANSWER]]}'
    if not isinstance(value, dict) or set(value) not in ({"image", "caption"}, {"image", "questions"}):
        raise _fatal(f"{place} is no line of captions", f"write {shape}")
    image, pairs = value["image"], value.get("questions", [[CAPTION, value.get("caption")]])
    if not isinstance(image, str) or not image or not isinstance(pairs, list):
        raise _fatal(f"{place} is no line of captions", f"write {shape}")
    if not 1 <= len(pairs) <= MAX_QUESTIONS:
        raise _fatal(f"{place} has {len(pairs)} questions", f"ask 1 to {MAX_QUESTIONS}")
    return Asked(place, image, tuple(_pair(item, place, shape) for item in pairs))


def _pair(item: Json, place: str, shape: str) -> tuple[str, str]:
    if isinstance(item, list) and len(item) == 2:
        query, answer = item
        if isinstance(query, str) and isinstance(answer, str) and query.strip() and answer.strip():
            return query, answer
    raise _fatal(f"{place} has a question or an answer that is no text", f"write {shape}")


def _read_picture(folder: Path, line: Asked) -> bytes:
    """Raises: Fatal when it is not below the folder, missing, or too large (exit code `DATASET`)."""
    try:
        return file_inside(folder, line.image, MAX_FILE_BYTES).read_bytes()
    except (Fatal, OSError) as error:
        raise _fatal(
            f"{line.place} names {line.image[:200]!r}, which is not read: {error}",
            "keep pictures beside the file of captions, or below, and correct the path",
        ) from error


def _write(row: np.ndarray, tokens: BytePairs, text: str, what: str) -> None:
    found = tokens.encode(text)
    if not 1 <= len(found) <= len(row):
        raise _fatal(
            f"{what} has {len(found)} tokens, and the recipe reads 1 to {len(row)}",
            "make it shorter, or take a recipe that reads more (model.query, model.answer)",
        )
    row[: len(found)] = found


def _fatal(why: str, remedy: str) -> Fatal:
    return Fatal(why, remedy=remedy, code=Exit.DATASET)
