"""The newest lines of this process's log, for whoever asks the running process for them.

Bounded in every direction: lines, fields of a line, characters of a field. Tracebacks are left out: the log
itself has them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

MOST_LINES = 2000
_MOST_FIELDS = 24
_LONGEST = 400
_OWN = frozenset(("event", "level", "timestamp", "room", "round", "exception", "exc_info", "stack"))


@dataclass(frozen=True, slots=True)
class RecentLine:
    """A line: its number within the process, when (seconds of Unix), and its fields as texts."""

    number: int
    at: float
    level: str
    event: str
    room: str
    round: int | None
    fields: Mapping[str, str]


class RecentLines:
    """A structlog processor that keeps what passes through it. Thread-safe. `clock` gives seconds of Unix."""

    def __init__(self, most: int = MOST_LINES, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lines: deque[RecentLine] = deque(maxlen=most)
        self._count = 0
        # Reentrant: a destructor that logs may run in the middle of another line.
        self._lock = threading.RLock()

    def __call__(
        self, _: object, method: str, fields: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """The line, unchanged."""
        about = fields.get("round")
        told = [(_short(name), _short(item)) for name, item in fields.items() if name not in _OWN]
        with self._lock:
            self._count += 1
            self._lines.append(
                RecentLine(
                    number=self._count,
                    at=round(self._clock(), 3),
                    level=_short(fields.get("level", method)),
                    event=_short(fields.get("event", "")),
                    room=_short(fields.get("room", "")),
                    round=about if isinstance(about, int) and not isinstance(about, bool) else None,
                    fields=dict(told[:_MOST_FIELDS]),
                )
            )
        return fields

    def newest(self) -> tuple[RecentLine, ...]:
        """What is kept, the newest first."""
        with self._lock:
            return tuple(reversed(self._lines))

    def after(self, number: int) -> tuple[RecentLine, ...]:
        """What is kept of the lines after one, the oldest first."""
        with self._lock:
            if number >= self._count:
                return ()
            missing = min(self._count - number, len(self._lines))
            return tuple(self._lines[place] for place in range(-missing, 0))

    @property
    def count(self) -> int:
        """How many lines there were so far."""
        return self._count


def _short(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
