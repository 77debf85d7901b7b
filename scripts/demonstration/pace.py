"""How long the phases of a round are where the machine has other work: what is done in them takes as much
longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

MOST = 8.0
"""Phases grow to so many times their usual length."""
_SECONDS = 1.0
_PHASES = ("commit_seconds", "reveal_seconds", "verify_seconds")


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


def stretched(terms: Mapping[str, Any], times: float) -> dict[str, Any]:
    """Terms of a project whose phases are so many times as long."""
    return {**terms, **{name: round(terms[name] * times) for name in _PHASES}}
