"""Success rates with what they rest on: how many episodes, and how far the truth may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

_NORMAL = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of episodes, at least one."""

    episodes: int
    successes: int

    @property
    def rate(self) -> float:
        return self.successes / self.episodes

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval, 95 % (Wilson 1927, J. Am. Stat. Assoc. 22:209-212).

        Unlike the mean plus and minus its error it is never empty, also where all or none succeeded.
        """
        count, share, square = self.episodes, self.rate, _NORMAL**2
        middle = (share + square / (2 * count)) / (1 + square / count)
        half = _NORMAL * sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
        return max(0.0, middle - half), min(1.0, middle + half)

    def to_json(self) -> dict[str, object]:
        return {
            "episodes": self.episodes,
            "successes": self.successes,
            "rate": self.rate,
            "interval": list(self.interval),
        }

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Rate:
        return cls(int(tree["episodes"]), int(tree["successes"]))


def together(rates: Sequence[Rate]) -> Rate:
    """All episodes of several rates. Those of several models of one task are not independent: the interval
    then says what the episodes allow, not how models differ."""
    return Rate(sum(item.episodes for item in rates), sum(item.successes for item in rates))


def shown(rate: Rate) -> str:
    """`93 % [86, 97] of 120`."""
    low, high = rate.interval
    return f"{100 * rate.rate:.0f} % [{100 * low:.0f}, {100 * high:.0f}] of {rate.episodes}"
