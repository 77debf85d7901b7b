"""How fast a running job goes, and the course of its loss, from the progress that it reports."""

from __future__ import annotations

from jepanet.work.requests.request import Progress

_MOST_POINTS = 256


class Pace:
    """Of one job. Steps that were made before it was taken up again count for nothing."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None
        self._every = 1
        self._points: list[tuple[int, float]] = []
        self._seen = 0

    def note(self, progress: Progress, at: float) -> None:
        """`at`: seconds on a clock that only goes forward."""
        place = (progress.step, at)
        if self._first is None or progress.step < self._first[0]:
            self._first = place
        self._last = place
        if progress.loss is None:
            return
        if self._seen % self._every == 0:
            self._points.append((progress.step, progress.loss))
        self._seen += 1
        if len(self._points) > _MOST_POINTS:
            self._points = self._points[::2]
            self._every *= 2

    @property
    def rate(self) -> float | None:
        """Steps a second since the first that was reported; None before the second."""
        if self._first is None or self._last is None:
            return None
        steps, seconds = self._last[0] - self._first[0], self._last[1] - self._first[1]
        return steps / seconds if steps > 0 and seconds > 0 else None

    @property
    def curve(self) -> tuple[tuple[int, float], ...]:
        """Steps with their loss, thinned out evenly to at most 256."""
        return tuple(self._points)
