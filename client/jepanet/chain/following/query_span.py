"""How many blocks one log query may cover.

Providers limit `eth_getLogs` by blocks, logs, bytes or time, each in its own words or by failing. So no words
are read: any failure of a query over more than one block asks for less, and the size that failed is not tried
again for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST, _LAST = 256, 8192
_LOGS_WANTED = 2000
_CEILING_HOLDS = 600.0


class Span:
    """The number of blocks for the next query; one for every path that reads logs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ceiling = _LAST
        self._held_until = 0.0
        self.size = _FIRST

    def failed(self, blocks: int) -> bool:
        """A query over `blocks` failed. Whether asking for less may help: not below one block."""
        if blocks <= 1:
            return False
        self._ceiling = max(1, blocks - 1)
        self._held_until = self._clock() + _CEILING_HOLDS
        self.size = min(self.size, max(1, blocks // 4))
        return True

    def answered(self, blocks: int, logs: int) -> None:
        """A query over `blocks` answered `logs`: grows or shrinks towards about two thousand logs."""
        if logs > 2 * _LOGS_WANTED:
            self.size = max(1, blocks // 2)
        elif logs < _LOGS_WANTED and blocks == self.size:
            if self._clock() >= self._held_until:
                self._ceiling = _LAST
            self.size = max(self.size, min(self._ceiling, self.size * 2))
