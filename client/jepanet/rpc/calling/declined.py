"""What a caller is told when a node declines a call: its code in the table, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jepanet.errors import Exit, JepanetError
from jepanet.rpc.codes import MEANINGS, Code

_EXITS: Final[Mapping[Code, Exit]] = {
    Code.INVALID_PARAMS: Exit.USAGE,
    Code.METHOD_NOT_FOUND: Exit.INCOMPATIBLE,
    Code.UNAUTHORIZED: Exit.CONFIG,
    Code.OUT_OF_SCOPE: Exit.CONFIG,
    Code.STRANGER: Exit.CONFIG,
    Code.TIMED_OUT: Exit.TRY_AGAIN,
    Code.NOT_FOUND: Exit.NOT_FOUND,
    Code.UNAVAILABLE: Exit.TRY_AGAIN,
    Code.NOT_ALLOWED: Exit.REJECTED,
    Code.UNDER_WAY: Exit.TRY_AGAIN,
}
"""What a command ends with; of the others `FAILURE`."""


class Declined(JepanetError):
    """A node answered with an error. `number` is its code, `known` that code where this version knows it;
    `detail` the sentence that came with it, `incident` what to look for in the node's log."""

    def __init__(self, number: int, detail: str | None = None, incident: str | None = None) -> None:
        self.number = number
        self.known = Code(number) if number in _NUMBERS else None
        self.detail = detail
        self.incident = incident
        meaning = None if self.known is None else MEANINGS[self.known]
        what = f"error {number}" if meaning is None else meaning.message
        told = [f"the node answered: {what}", *filter(None, (detail, incident and f"incident {incident}"))]
        super().__init__(
            ": ".join(told),
            remedy="is this client of the node's version?" if meaning is None else meaning.remedy,
            code=Exit.FAILURE if self.known is None else _EXITS.get(self.known, Exit.FAILURE),
        )


_NUMBERS: Final = frozenset(map(int, Code))


def declined_by(error: object) -> Declined | None:
    """From the error object of an answer; None where it is none."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return None
    data = error.get("data")
    said = data if isinstance(data, dict) else {}
    return Declined(error["code"], _line(said.get("detail")), _line(said.get("incident")))


def _line(value: object) -> str | None:
    """Text of others for a terminal: printable, and no longer than a few lines."""
    if not isinstance(value, str):
        return None
    return "".join(item if item.isprintable() else "?" for item in value[:500])
