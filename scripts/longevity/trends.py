"""Whether a figure of a long run stays flat: its slope after a warm-up, with an interval.

The slope is Theil and Sen's, the median over all pairs of samples, which single peaks (a node that trains
just then) do not move; its interval is by Kendall's statistic (Sen 1968). Samples near one another are no
independent ones, so the interval is a rough one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

_NORMAL = 1.96
"""Standard errors on either side that hold 95 % of a normal distribution."""
LEAST_SAMPLES = 5
"""Fewer say nothing about a slope."""


class Verdict(StrEnum):
    FLAT = "flat"
    """Within `tolerance` of its level over the run, or the interval holds zero or less."""
    BOUNDED = "bounded"
    """It grew, but never beyond its bound."""
    GROWS = "grows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trend:
    """`slope` with its interval, per round. `level`: the median; `first`, `last`: that of a fifth."""

    samples: int
    slope: float
    low: float
    high: float
    first: float
    level: float
    last: float
    highest: float
    verdict: Verdict


def trend(
    rounds: Sequence[float],
    values: Sequence[float],
    *,
    warm_up: float,
    tolerance: float,
    bound: float | None = None,
) -> Trend:
    """Of values measured after so many rounds each; those before `warm_up` rounds are left out.

    `tolerance`: growth over the measured rounds that is none, as a share of the level. `bound`: what the
    figure may come to by its configuration.
    """
    kept = [(x, y) for x, y in zip(rounds, values, strict=True) if x >= warm_up]
    if len(kept) < LEAST_SAMPLES:
        level = float(np.median([y for _, y in kept])) if kept else 0.0
        highest = max((y for _, y in kept), default=0.0)
        return Trend(len(kept), 0.0, 0.0, 0.0, level, level, level, highest, Verdict.UNKNOWN)
    x, y = (np.asarray(column, np.float64) for column in zip(*kept, strict=True))
    slope, low, high = _slope(x, y)
    fifth = max(1, len(y) // 5)
    level = float(np.median(y))
    grown = slope * float(x[-1] - x[0])
    if low <= 0 or grown <= tolerance * max(level, 1.0):
        verdict = Verdict.FLAT
    elif bound is not None and float(y.max()) <= bound:
        verdict = Verdict.BOUNDED
    else:
        verdict = Verdict.GROWS
    return Trend(
        len(kept), slope, low, high, float(np.median(y[:fifth])), level, float(np.median(y[-fifth:])),
        float(y.max()), verdict,
    )  # fmt: skip


def _slope(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Median of the slopes of all pairs with its interval, both (n,) float64; x ascends.

    Ties of y are not counted, which makes the interval a little wider than need be.
    """
    one, other = np.triu_indices(len(x), 1)
    apart = x[other] > x[one]
    slopes = np.sort((y[other] - y[one])[apart] / (x[other] - x[one])[apart])
    count, n = len(slopes), len(x)
    half = _NORMAL * np.sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    low = max(0, int(np.floor(count / 2 - half)))
    high = min(count - 1, int(np.ceil(count / 2 + half)))
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])
