"""A download that is under way, as whoever watches sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Transfer:
    """`begun`: on the clock of `time.monotonic`. `total` bytes are 0 until a provider has named them, and are
    what it says."""

    digest: bytes
    begun: float
    done: int = 0
    total: int = 0
