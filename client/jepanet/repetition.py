"""A log that can be read: a line for one cause comes once in a few minutes, with how often it came meanwhile.

A cause is the event, its room, and what tells one subject from another: names, digests, round and project
numbers, and the words of `why` and `error` without their figures. Counters and measured values are no part of
it, so a retry with a higher attempt number is the same line again.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, MutableMapping
from dataclasses import dataclass

from jepanet.plain_structlog import structlog

EVERY = 300.0
"""Seconds between two lines for one cause."""
MOST_OF_ONE_EVENT = 1024
"""Lines of one event within `EVERY`: what strangers word differently each time is one flood all the same."""
_MOST_CAUSES = 4096
_SUBJECTS = frozenset(("round", "project", "number", "nonce", "blocks"))
_WORDS = frozenset(("why", "error"))
_FIGURES = re.compile(r"0x[0-9a-fA-F]+|'[^']*'|\"[^\"]*\"|\d[\d.,:]*")
_LONGEST = 200


@dataclass(slots=True)
class _Told:
    """When a line was last written, what it was about, and how many were held back or written since."""

    since: float
    about: Mapping[str, str | None]
    held: int = 0
    written: int = 1


class Repetition:
    """A structlog processor. Thread-safe; remembers at most a few thousand causes.

    Debug lines pass: whoever asks for them wants them all. `clock` gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, every: float = EVERY) -> None:
        self._clock = clock
        self._every = every
        self._causes: OrderedDict[Hashable, _Told] = OrderedDict()
        self._events: dict[Hashable, _Told] = {}
        # Reentrant: a destructor that logs may run in the middle of another line.
        self._lock = threading.RLock()

    def __call__(
        self, _: object, method: str, fields: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """The line, with `repeated` where lines for its cause were held back since the one before.

        Raises:
            DropEvent: structlog's way of keeping a line back.
        """
        if method == "debug":
            return fields
        about = _subject(fields)
        cause, kind = tuple(sorted(about.items())), (about.get("room"), about.get("event"))
        with self._lock:
            now = self._clock()
            told = self._causes.get(cause)
            if told is not None and now - told.since < self._every:
                told.held += 1
                raise structlog.DropEvent
            flood = self._events.get(kind)
            if flood is None or now - flood.since >= self._every:
                held = flood.held if flood is not None else 0
                self._events[kind] = _Told(now, {"room": kind[0], "event": kind[1]}, held)
            elif flood.written >= MOST_OF_ONE_EVENT:
                flood.held += 1
                raise structlog.DropEvent
            else:
                flood.written += 1
            self._causes[cause] = _Told(now, about)
            self._causes.move_to_end(cause)
            if len(self._causes) > _MOST_CAUSES:
                _, oldest = self._causes.popitem(last=False)
                self._events[kind].held += oldest.held
        if told is not None and told.held:
            fields["repeated"] = told.held
        return fields

    def overdue(self, *, everything: bool = False) -> list[dict[str, str | int | None]]:
        """What was held back and not logged for `EVERY` seconds (or at all): fields of one line each.

        It is forgotten here, so each repetition is counted in one line.
        """
        lines: list[dict[str, str | int | None]] = []
        with self._lock:
            now = self._clock()
            for known in (self._causes, self._events):
                for key, told in list(known.items()):
                    if everything or now - told.since >= self._every:
                        del known[key]
                        if told.held:
                            about = {**told.about, "of": told.about.get("event"), "repeated": told.held}
                            lines.append(
                                {name: about[name] for name in about if name not in ("event", "room")}
                            )
        return lines


def _subject(fields: Mapping[str, object]) -> dict[str, str]:
    """The fields that name the cause, as text."""
    about: dict[str, str] = {}
    for name, value in fields.items():
        if name == "exc_info":
            about["error"] = _kind_of(value)
        elif name == "why" and "reason" in fields:
            continue
        elif isinstance(value, bool):
            about[name] = str(value)
        elif isinstance(value, int | float | None):
            if name in _SUBJECTS and value is not None:
                about[name] = str(value)
        else:
            text = value.hex() if isinstance(value, bytes) else str(value)[:_LONGEST]
            about[name] = _FIGURES.sub("#", text) if name in _WORDS else text
    return about


def _kind_of(failure: object) -> str:
    error = sys.exc_info()[1] if failure is True else failure
    return type(error[1] if isinstance(error, tuple) else error).__name__
