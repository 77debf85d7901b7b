"""How long to wait between two looks at a chain: an endpoint counts, and may charge, every one of them.

Two looks a block, and one every ten shortest pauses, find a block soon enough: on a chain of 2 s blocks a
node looks every second, on one of 12 s every four. It never waits longer than five shortest pauses.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

_A_BLOCK: Final = 2
_BESIDE, _LONGEST = 10, 5
"""In shortest pauses: one look more in so many, and what is never exceeded."""
_REMEMBERED: Final = 4


def pause_between(poll: float, block: float) -> float:
    """Seconds between two looks at a chain with `block` seconds between blocks; `poll` is the shortest."""
    if not block:
        return poll
    beside = _BESIDE * poll
    return min(max(poll, block * beside / (_A_BLOCK * beside + block)), _LONGEST * poll)


class Rhythm:
    """What was seen of a chain's pace. `poll`: the shortest pause, in seconds."""

    def __init__(self, poll: float) -> None:
        self._poll = poll
        self._gaps: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: tuple[int, float] | None = None

    def saw(self, head: int) -> None:
        """A look found this block to be the newest, now."""
        now = time.monotonic()
        if self._last is None or head < self._last[0]:
            self._last = head, now
        elif head > self._last[0]:
            self._gaps.append((now - self._last[1]) / (head - self._last[0]))
            self._last = head, now

    @property
    def block(self) -> float:
        """Seconds between blocks, 0 while that is not known. The shortest that was seen: one that came late
        does not make the node slow."""
        return min(self._gaps, default=0.0)

    def pause(self, *, told: bool) -> float:
        """Seconds until the next look; `told`: blocks are announced, so that it is for what was missed."""
        if told:
            return _LONGEST * self._poll
        return pause_between(self._poll, self.block)
