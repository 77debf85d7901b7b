"""How well texts are told to belong together, whatever their model is sure of.

A model that is too sure of what it tells, or not sure enough, can be mended by one number without being told
anything: it would be paid for its calibration, in which four steps of training do as much as eighty. So every
model is measured at the temperature that suits it best (temperature scaling: Guo et al. 2017,
arXiv:1706.04599), and tells at least what a guess does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from torch import Tensor

from jepanet.learning.text_pairs.objective import match_nats

COLDEST, HOTTEST = 1e-3, 1e3
"""Temperatures among which the best is looked for: cosines differ by two at most."""
_GOLDEN = (5**0.5 - 1) / 2
_CUTS = 72
"""Golden sections of that range on a logarithmic scale: what is left of it is rounding, 1e-14."""


@dataclass(frozen=True, slots=True)
class Together:
    """Pairs that are told from each other: unit latents float64 [B, D] of both texts, and twins [B, B]."""

    first: Tensor
    second: Tensor
    twins: Tensor

    def told(self, temperature: float) -> np.ndarray:
        """Nats [B] beyond a guess among all that are no twins."""
        lost = match_nats(self.first, self.second, self.twins, temperature)
        told: np.ndarray = ((~self.twins).sum(dim=1).double().log() - lost).cpu().numpy()
        return told


def told_at_best(parts: Sequence[Together]) -> tuple[np.ndarray, float]:
    """Nats of every pair at the temperature at which they are most in all, and that temperature.

    The mean has one peak: what is lost is convex in the inverse of the temperature (a log-sum-exp less a
    linear term), so that a golden-section search finds it (Kiefer 1953, "Sequential minimax search for a
    maximum", doi:10.1090/S0002-9939-1953-0055639-3).
    """

    def all_told(place: float) -> np.ndarray:
        return np.concatenate([part.told(exp(place)) for part in parts])

    low, high = log(COLDEST), log(HOTTEST)
    one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_other = all_told(one).mean(), all_told(other).mean()
    for _ in range(_CUTS):
        if at_one >= at_other:
            high, other, at_other = other, one, at_one
            one = high - _GOLDEN * (high - low)
            at_one = all_told(one).mean()
        else:
            low, one, at_one = one, other, at_other
            other = low + _GOLDEN * (high - low)
            at_other = all_told(other).mean()
    best = (low + high) / 2
    return all_told(best), exp(best)
