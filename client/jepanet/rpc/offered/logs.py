"""`logs`: the newest lines of the node's own log, without tracebacks."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from jepanet.cid import to_cid
from jepanet.operations.views.activity import LogLine
from jepanet.recent_lines import RecentLine
from jepanet.records.marks import SAFE_INTEGER, Form, Range
from jepanet.rpc.method import Method
from jepanet.rpc.offered.paging import Cursor, Limit, Page, page_of
from jepanet.telemetry import recent_lines


class Level(StrEnum):
    """How grave a line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


_GRAVITY = {level.value: logging.getLevelNamesMapping()[level.value.upper()] for level in Level}
_Text = Annotated[str, Form(r"[ -~]{1,128}", "1 to 128 printable ASCII characters")]
_Part = Annotated[str, Form(r"[ -~…]{1,128}", "1 to 128 printable ASCII characters, or … for any")]
_DIGEST = re.compile(r"0x[0-9a-f]{64}")
_OF_A_ROUND = re.compile(
    r"(?:commit|reveal|record|settle|cancel|claim|release|close|beacon|unseal|slash|slash-invalid|equivocation"
    r"|challenge)/([1-9][0-9]{0,15})(?:/.*)?"
)
"""Keys of transactions for a round."""


@dataclass(frozen=True, slots=True)
class LinesParams:
    limit: Limit = 20
    cursor: Cursor | None = None
    level: Annotated[Level | None, "at least this grave"] = None
    event: Annotated[_Text | None, "how the event begins: a noun, or noun.verb"] = None
    round: Annotated[Annotated[int, Range(1, SAFE_INTEGER)] | None, "of this round alone"] = None
    about: Annotated[
        _Part | None,
        "part of a field, in any case: a digest, an address, a word; … stands for what was left out",
    ] = None


def methods() -> tuple[Method, ...]:
    """Those of this namespace."""

    async def listed(given: LinesParams) -> Page[LogLine]:
        found = [item for item in recent_lines().newest() if _wanted(item, given)]
        page = page_of(found, lambda item: item.number, given.limit, given.cursor, falling=True)
        return Page(tuple(shown_line(item) for item in page.items), page.next)

    return (
        Method(
            "logs.list",
            "The newest 2,000 lines of the node's log, the newest first; without tracebacks",
            LinesParams,
            Page[LogLine],
            listed,
        ),
    )


def shown_line(line: RecentLine) -> LogLine:
    """A line as it is told."""
    return LogLine(line.number, line.at, line.level, line.event, line.room, _round(line), line.fields)


def _wanted(line: RecentLine, given: LinesParams) -> bool:
    if given.level is not None and _GRAVITY.get(line.level, 0) < _GRAVITY[given.level]:
        return False
    if given.event is not None and not line.event.startswith(given.event):
        return False
    if given.round is not None and _round(line) != given.round:
        return False
    if given.about is None:
        return True
    parts = given.about.casefold().split("…")
    return any(_holds(said, parts) for text in line.fields.values() for said in _spellings(text))


def _round(line: RecentLine) -> int | None:
    """Which one a line is about, also where only the key of its transaction says so."""
    if line.round is not None:
        return line.round
    found = _OF_A_ROUND.fullmatch(line.fields.get("key", ""))
    return None if found is None else int(found[1])


def _spellings(text: str) -> tuple[str, ...]:
    """How somebody may look for it: a digest is hex in the log, and a CID on the page."""
    said = text.casefold()
    if _DIGEST.fullmatch(said) is None:
        return (said,)
    digest = bytes.fromhex(said[2:])
    return (said, to_cid(digest), to_cid(digest, "dag-json"))


def _holds(text: str, parts: Sequence[str]) -> bool:
    """Whether it has all of them, one after the other."""
    at = 0
    for part in parts:
        place = text.find(part, at)
        if place < 0:
            return False
        at = place + len(part)
    return True
