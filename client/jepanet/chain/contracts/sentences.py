"""What each refusal of a contract means, and what to do about it: in words, tokens and dates.

One entry for every custom error of the ABIs and of `reverts.STANDARD`.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jepanet.chain.contracts import foreign_sentences, round_sentences, setup_sentences
from jepanet.chain.contracts.sentence import REPORT, Sentence
from jepanet.tokens import exact
from jepanet.types import Phase, Verdict

_LONGEST = 200
"""Characters of one argument that are shown: a contract may say anything."""

SENTENCES: Mapping[str, Sentence] = {
    **setup_sentences.SENTENCES,
    **round_sentences.SENTENCES,
    **foreign_sentences.SENTENCES,
}


class _Units(string.Formatter):
    """The formats that sentences use."""

    def format_field(self, value: Any, format_spec: str) -> str:
        match format_spec:
            case "tokens":
                return exact(value)
            case "time":
                return moment(value)
            case "phase":
                return _named(Phase, value)
            case "verdict":
                return _named(Verdict, value)
        text = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])


def sentence(name: str, arguments: Mapping[str, object]) -> Sentence:
    """The words for an error; an unknown one, or arguments that do not fit, are shown as they are."""
    known = SENTENCES.get(name)
    if known is not None:
        try:
            return Sentence(_Units().vformat(known.says, (), arguments), known.remedy)
        except (KeyError, ValueError, TypeError):
            pass  # decoded in part only: say what there is
    shown = ", ".join(f"{key} {_Units().format_field(value, '')}" for key, value in arguments.items())
    return Sentence(f"{name} {shown}".rstrip(), known.remedy if known else REPORT)


def moment(seconds: int) -> str:
    """Unix seconds as a date in UTC; a number that no calendar holds stays a number."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"


def _named(kind: type[Phase] | type[Verdict], value: int) -> str:
    try:
        return kind(value).name.lower()
    except ValueError:
        return str(value)
