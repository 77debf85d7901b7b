"""All that is wrong with a tree at once, for who corrects it by hand; reading stops at the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jepanet.errors import JepanetError
from jepanet.records.compound import Fixed, Many, Maybe, Record
from jepanet.records.kinds import Kind
from jepanet.records.refusal import Wrong

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One value that is refused. `place` leads to it by names and indices; empty: the tree as a whole."""

    place: Place
    key: str
    """The same in one word, as messages have it: `model.channels[1]`."""
    message: str
    remedy: str


def problems_of(kind: Kind, tree: object, what: str, place: Place = ()) -> Iterator[Problem]:
    """Every value of `tree` that its field does not allow, in the order of the fields.

    What concerns several fields at once is told when each by itself is allowed. `what` names the whole in
    messages; `place` is where `tree` stands in it.
    """
    while isinstance(kind, Maybe) and tree is not None:
        kind = kind.inner
    found = list(problems_inside(kind, tree, what, place))
    yield from found
    if not found:
        try:
            kind.read(tree)
        except Wrong as wrong:
            yield problem_of(wrong, what, place)
        except JepanetError as error:  # of a record that holds its fields against each other
            yield as_a_whole(error, place)


def problems_inside(kind: Kind, tree: object, what: str, place: Place = ()) -> Iterator[Problem]:
    """The same without what concerns several fields at once: nothing is built."""
    if isinstance(kind, Record) and isinstance(tree, dict):
        for wrong in kind.misnamed(tree):
            yield problem_of(wrong, what, place)
        for part in kind.parts:
            if part.name in tree:
                yield from problems_of(part.kind, tree[part.name], what, (*place, part.name))
    elif isinstance(kind, Fixed) and isinstance(tree, list) and len(tree) == len(kind.parts):
        for index, (inner, item) in enumerate(zip(kind.parts, tree, strict=True)):
            yield from problems_of(inner, item, what, (*place, index))
    elif isinstance(kind, Many) and isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from problems_of(kind.inner, item, what, (*place, index))


def problem_of(wrong: Wrong, what: str, place: Place = ()) -> Problem:
    """What was raised inside `place`."""
    for part in reversed(place):
        wrong.inside(part)
    return Problem(wrong.place, wrong.key, wrong.message(what), wrong.remedy)


def as_a_whole(error: JepanetError, place: Place = ()) -> Problem:
    """What a record said that was built from fields each of which is allowed."""
    remedy = error.remedy or "correct one of its fields"
    return Problem(place, ".".join(map(str, place)), error.message, remedy)
