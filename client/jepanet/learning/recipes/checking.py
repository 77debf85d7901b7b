"""Everything that is wrong with a recipe somebody wrote, each with its key, what it takes, and its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.learning.recipe_reader import COMMON_WRITTEN, family_codec, parted, written_recipe
from jepanet.learning.recipes.lines import lines_of
from jepanet.learning.recipes.text import recipe_text, recipe_tree
from jepanet.records.problems import Place, Problem, as_a_whole, problem_of, problems_inside, problems_of


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct. `line` counts from 1; None where the file is JSON or the place is the whole."""

    line: int | None
    problem: Problem


def faults_of(path: Path) -> tuple[Fault, ...]:
    """What is wrong with the recipe in a file, in the order of its lines; none: it can be used.

    Raises:
        Fatal: no such file, too large, or neither TOML nor JSON (exit code `USAGE`).
    """
    text = recipe_text(path)
    found = tuple(recipe_problems(recipe_tree(text, path)))
    if not found:
        return ()
    lines = lines_of(text)
    faults = [Fault(_line(problem.place, lines), problem) for problem in found]
    return tuple(sorted(faults, key=lambda fault: (fault.line is None, fault.line or 0)))


def recipe_problems(tree: object) -> Iterator[Problem]:
    """All that is wrong with a recipe's tree: of its fields, else of what they come to together."""
    try:
        parts = parted(tree)
    except Rejected as error:
        place = ("family",) if isinstance(tree, dict) and "family" in tree else ()
        yield as_a_whole(error, place)
        return
    found = [
        *(problem_of(wrong, "recipe") for wrong in parts.unknown),
        *problems_inside(COMMON_WRITTEN.record, parts.common, "recipe"),
        *problems_of(family_codec(parts.kind).record, parts.own, "recipe"),
    ]
    yield from found
    if not found:
        try:
            written_recipe(tree)
        except Rejected as error:
            yield as_a_whole(error)


def _line(place: Place, lines: dict[Place, int]) -> int | None:
    """Of a key, or else of the table it should stand in."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return None
