"""`logs`: the newest lines of the node's own log, without tracebacks."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

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


@dataclass(frozen=True, slots=True)
class LinesParams:
    limit: Limit = 20
    cursor: Cursor | None = None
    level: Annotated[Level | None, "at least this grave"] = None
    event: Annotated[_Text | None, "how the event begins: a noun, or noun.verb"] = None
    round: Annotated[Annotated[int, Range(1, SAFE_INTEGER)] | None, "of this round alone"] = None
    about: Annotated[_Text | None, "part of a field: a digest, an address, a word"] = None


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
    return LogLine(line.number, line.at, line.level, line.event, line.room, line.round, line.fields)


def _wanted(line: RecentLine, given: LinesParams) -> bool:
    if given.level is not None and _GRAVITY.get(line.level, 0) < _GRAVITY[given.level]:
        return False
    if given.event is not None and not line.event.startswith(given.event):
        return False
    if given.round is not None and line.round != given.round:
        return False
    return given.about is None or any(given.about in text for text in line.fields.values())
