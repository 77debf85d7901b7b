"""The numbers of a training on their way: to its tracking file, to whoever looks on, to a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jepanet.errors import Fatal
from jepanet.storage.tracking import Curves, Point, Tracking
from jepanet.telemetry import get_logger
from jepanet.work.requests.request import Progress

log = get_logger("training")
OnStep = Callable[[int, float | None, float | None], None]
"""Steps done, training loss where one was just done, validation loss where it was just measured."""
_TOGETHER = 200
"""Measurements that are written to the tracking file at once."""


class Mirror(Protocol):
    """Takes a copy of a training's numbers. Both methods raise Fatal where they cannot."""

    def add(self, points: Iterable[Point]) -> None:
        """Measurements; those that it has already may come again."""

    def end(self, status: str, model: str | None = None) -> None:
        """How the training ended, and its model's CID where it made one."""


@dataclass(slots=True)
class Copy:
    """Measurements on their way to somewhere else, on which the training does not depend."""

    mirror: Mirror | None

    def add(self, points: Sequence[Point]) -> None:
        self._try(lambda mirror: mirror.add(points))

    def add_all(self, curves: Curves) -> None:
        self.add([(step, {name: value}) for name, points in curves.items() for step, value in points])

    def end(self, status: str, model: str | None) -> None:
        self._try(lambda mirror: mirror.end(status, model))

    def _try(self, tell: Callable[[Mirror], None]) -> None:
        if self.mirror is None:
            return
        try:
            tell(self.mirror)
        except Fatal as error:
            self.mirror = None
            log.warning("mirror.lost", why=str(error), then="the numbers are in the tracking file alone")


@dataclass(slots=True)
class Collected:
    """Measurements on their way to the tracking file."""

    tracking: Tracking
    copy: Copy
    tell: OnStep | None
    waiting: list[Point] = field(default_factory=list)

    def take(self, progress: Progress) -> None:
        self.waiting.append((progress.step, progress.measures))
        if len(self.waiting) >= _TOGETHER:
            self.write()
        if self.tell is not None:
            self.tell(progress.step, progress.loss, progress.measures.get("validation"))

    def write(self) -> None:
        points, self.waiting = self.waiting, []
        self.tracking.add(points)
        self.copy.add(points)
