"""Back-off by key: addresses are dialled ever less often for whoever names hosts that do not answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MOST_KEYS = 4096


class Patience:
    """Waits double with every failure in a row. `clock` is seconds that only pass. Used from one thread."""

    def __init__(self, clock: Callable[[], float], first: float, longest: float) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._waits: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def over(self, key: str) -> bool:
        """Whether there is nothing to wait for (any more)."""
        return self._waits.get(key, (0.0, 0))[0] <= self._clock()

    def failed(self, key: str) -> None:
        failures = self._waits.pop(key, (0.0, 0))[1] + 1
        wait = min(self._first * 2.0 ** min(failures, 16), self._longest)
        self._waits[key] = (self._clock() + wait, failures)
        while len(self._waits) > _MOST_KEYS:
            self._waits.popitem(last=False)

    def succeeded(self, key: str) -> None:
        self._waits.pop(key, None)
