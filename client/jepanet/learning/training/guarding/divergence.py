"""Stops training whose loss explodes or is no longer a number: the gate of recipes without a guard."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from jepanet.errors import Rejected
from jepanet.tensors import Arrays

_RECENT = 32


def check_finite(step: int, what: str, value: float) -> None:
    """Raises: Rejected (`diverged`), naming step, number and value, when the value is no finite number."""
    if not math.isfinite(value):
        raise Rejected(f"training diverged at step {step}: {what} is {value}", reason="diverged")


@dataclass(slots=True)
class DivergenceGate:
    """Stops training whose loss is not finite, or exceeds `explode` times its recent median.

    Patient with cold starts: the first `settle` losses only fill the record, since a cold start begins far
    above where it settles, and one outlier is tolerated: an explosion is `patience` such steps in a row.
    """

    explode: float
    settle: int = 8
    patience: int = 3
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _strikes: int = 0

    def admit(self, step: int, loss: float) -> None:
        """Records the loss of `step`.

        Raises:
            Rejected: reason `diverged`.
        """
        check_finite(step, "the training loss", loss)
        if len(self._recent) >= self.settle and loss > self.explode * max(median(self._recent), 1e-3):
            self._strikes += 1
            if self._strikes >= self.patience:
                raise Rejected(
                    f"training diverged: the loss reached {loss:.3g} at step {step}, more than "
                    f"{self.explode:g} times its median for {self.patience} steps",
                    reason="diverged",
                )
            return
        self._strikes = 0
        self._recent.append(loss)

    def position(self) -> Arrays:
        """`recent` float64 [at most 32] and `strikes` int64 [1], for a checkpoint."""
        return {
            "recent": np.array(self._recent, np.float64),
            "strikes": np.array([self._strikes], np.int64),
        }

    def go_to(self, position: Arrays) -> None:
        """Goes on from a position. Raises: Rejected (`wrong-shape`, `non-finite`) when it is none."""
        if set(position) != {"recent", "strikes"}:
            raise Rejected("a gate has recent losses and strikes", reason="wrong-shape")
        recent, strikes = position["recent"], position["strikes"]
        fits = recent.dtype == np.float64 and recent.ndim == 1 and len(recent) <= _RECENT
        if not fits or strikes.dtype != np.int64 or strikes.shape != (1,) or strikes[0] < 0:
            raise Rejected("recent losses or strikes of a gate are of another shape", reason="wrong-shape")
        if not np.isfinite(recent).all():
            raise Rejected("recent losses of a gate hold NaN or infinity", reason="non-finite")
        self._recent = deque(recent.tolist(), maxlen=_RECENT)
        self._strikes = int(strikes[0])
