"""Five questions about a view, and their answers, word by word.

Slot n of every scene is the same question; what the last two ask after is drawn, so that their answers
follow from the question as well as from the picture.
"""

from __future__ import annotations

import numpy as np

from jepanet.learning.sources.minigrid.worlds import Thing, View

COLOURS = ("blue", "green", "grey", "purple", "red", "yellow")
KINDS = ("ball", "box", "door", "key")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ASKED = "what is straight ahead nearest to you how many things do see where the which colour has"
_TOLD = ("nothing", "nowhere", "none", "left", "right")
WORDS = ("", *_ASKED.split(), *_TOLD, *_NUMBERS, *COLOURS, *KINDS)
"""By their tokens; 0 is padding."""
QUESTIONS = 5
QUERY, ANSWER = 6, 2
"""Words of the longest."""
_TOKENS = {word: token for token, word in enumerate(WORDS)}


def asked(view: View, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of queries uint16 [QUESTIONS, QUERY] and of answers uint16 [QUESTIONS, ANSWER] on a view where
    something is seen."""
    things, nearest = view.things, view.things[0]
    front = next((thing for thing in things if thing.right == 0), None)
    colour, kind = _wanted(things, generator)
    there = next((thing for thing in things if (thing.colour, thing.kind) == (colour, kind)), None)
    sort = _sort(things, generator)
    first = next((thing for thing in things if thing.kind == sort), None)
    pairs = (
        ("what is straight ahead", _named(front) if front else "nothing"),
        ("what is nearest to you", _named(nearest)),
        ("how many things do you see", _counted(len(things))),
        (f"where is the {colour} {kind}", _where(there) if there else "nowhere"),
        (f"which colour has the {sort}", first.colour if first else "none"),
    )
    return _rows([query for query, _ in pairs], QUERY), _rows([answer for _, answer in pairs], ANSWER)


def told(tokens: np.ndarray) -> str:
    """The text of tokens uint16 [L]."""
    return " ".join(WORDS[token] for token in tokens.tolist() if token)


def _wanted(things: tuple[Thing, ...], generator: np.random.Generator) -> tuple[str, str]:
    """Colour and kind: half of the time of something that is seen, else of what is not, if drawn so."""
    drawn = generator.random(4)
    if drawn[0] < 0.5:
        thing = things[int(drawn[1] * len(things))]
        return thing.colour, thing.kind
    return COLOURS[int(drawn[2] * len(COLOURS))], KINDS[int(drawn[3] * len(KINDS))]


def _sort(things: tuple[Thing, ...], generator: np.random.Generator) -> str:
    """A kind: most of the time of something that is seen."""
    drawn = generator.random(3)
    return things[int(drawn[1] * len(things))].kind if drawn[0] < 0.75 else KINDS[int(drawn[2] * len(KINDS))]


def _named(thing: Thing) -> str:
    return f"{thing.colour} {thing.kind}"


def _counted(things: int) -> str:
    return _NUMBERS[things - 1] if things <= len(_NUMBERS) else "many"


def _where(thing: Thing) -> str:
    aside = "left" if thing.right < 0 else "right" if thing.right > 0 else ""
    return " ".join(filter(None, ("ahead" if thing.ahead else "", aside)))


def _rows(texts: list[str], longest: int) -> np.ndarray:
    rows = np.zeros((len(texts), longest), np.uint16)
    for row, text in enumerate(texts):
        tokens = [_TOKENS[word] for word in text.split()]
        rows[row, : len(tokens)] = tokens
    return rows
