"""What a candidate is worth against the base of its round, whatever was measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jepanet.learning.evaluation.statistics import Array, stratified
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
    influence: Array = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    """What each episode says of it [E]: by site, their mean is the gain there."""
    site: tuple[int, ...] = field(default=(), repr=False, compare=False)
    """Of each episode."""

    @classmethod
    def clipped(
        cls,
        mean: float,
        stderr: float,
        score: float,
        per_site: dict[int, float],
        influence: Array,
        site: tuple[int, ...],
    ) -> Gain:
        """Within ten nats either way: what lies beyond is no measurement any more."""

        def cut(value: float) -> float:
            return float(np.clip(value, WORST, -WORST))

        sites = {number: cut(value) for number, value in per_site.items()}
        return cls(cut(mean), float(min(stderr, -WORST)), cut(score), sites, influence, site)

    def beyond(self, other: Gain) -> Gain:
        """By how much this candidate gains more than another on the same shard, over the same base.

        Both met the same episodes, so that the standard error is that of the difference episode by episode:
        much less than that of either where they are nearly alike. The score is this candidate's own.
        """
        influence = self.influence - other.influence
        mean, stderr, per_site = stratified(influence, self.site)
        return Gain.clipped(mean, stderr, self.score, per_site, influence, self.site)

    @property
    def micro(self) -> int:
        """`mean` in whole micro-nats."""
        return round(self.mean * MICRO)

    @property
    def stderr_micro(self) -> int:
        """`stderr` in whole micro-nats, rounded up: never more certain than measured."""
        return int(np.ceil(self.stderr * MICRO))
