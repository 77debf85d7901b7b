"""What a candidate is worth against the base of its round, whatever was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jepanet.types import MICRO

WORST = -10.0
"""Nats: the clip of every gain."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Improvement of a candidate over its base, in the unit of its scorer."""

    mean: float
    stderr: float
    score: float
    """The candidate's own score; the base's is `score - mean` unless a clip was reached."""
    per_site: dict[int, float]

    @classmethod
    def clipped(cls, mean: float, stderr: float, score: float, per_site: dict[int, float]) -> Gain:
        """Within ten nats either way: what lies beyond is no measurement any more."""

        def cut(value: float) -> float:
            return float(np.clip(value, WORST, -WORST))

        sites = {number: cut(value) for number, value in per_site.items()}
        return cls(cut(mean), float(min(stderr, -WORST)), cut(score), sites)

    @property
    def micro(self) -> int:
        """`mean` in whole micro-nats."""
        return round(self.mean * MICRO)

    @property
    def stderr_micro(self) -> int:
        """`stderr` in whole micro-nats, rounded up: never more certain than measured."""
        return int(np.ceil(self.stderr * MICRO))
