"""Rounds that are over in a minute or two, and how long their phases are where the machine has other work:
what is done in them takes as much longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

MOST = 8.0
"""Phases grow to so many times their usual length."""
_SECONDS = 1.0
_PHASES = ("commit_seconds", "reveal_seconds", "verify_seconds")

TERMS: Mapping[str, str | int] = {
    "budget": "100",
    "fee": "2",
    "bond": "auto",  # 10, and what deters where solvers are audited
    "unseal_bond": "20",
    "price": "0.0005",
    "commit_seconds": 90,  # when every solver has committed it ends at its half
    "gap_seconds": 1,
    "reveal_seconds": 60,
    "verify_seconds": 120,
    "challenge_seconds": 1,
    # The mean of two deltas carries more noise than that of four: a shorter step, and less carried over.
    "outer_lr_milli": 700,
    "outer_momentum_milli": 300,
}
"""Keys of `[proposer]`."""


def stretch(
    seconds: float = _SECONDS,
    wall: Callable[[], float] = time.monotonic,
    used: Callable[[], float] = time.thread_time,
) -> float:
    """By how much longer than alone a piece of work takes here now: 1 on an idle machine, at most `MOST`.

    A loop of so many seconds by the wall's clock is held against the time for which it had a core.
    """
    since, before = wall(), used()
    while wall() - since < seconds:
        pass
    had = max(used() - before, 1e-9)
    return min(MOST, max(1.0, (wall() - since) / had))


def stretched(terms: Mapping[str, str | int], times: float) -> dict[str, str | int]:
    """Terms of a project whose phases are so many times as long."""
    return {**terms, **{name: round(int(terms[name]) * times) for name in _PHASES}}
