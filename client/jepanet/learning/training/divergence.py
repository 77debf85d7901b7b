"""Stops training whose loss explodes or is no longer a number."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from jepanet.errors import Rejected


@dataclass(slots=True)
class DivergenceGate:
    """Stops training whose loss is not finite, or exceeds `explode` times its recent median.

    Regime aware: the first `settle` losses only fill the record, since a cold start begins far above where
    it settles, and one outlier is tolerated: an explosion is `patience` such steps in a row.
    """

    explode: float
    settle: int = 8
    patience: int = 3
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    _strikes: int = 0

    def admit(self, step: int, loss: float) -> None:
        """Records the loss of `step`.

        Raises:
            Rejected: reason `diverged`.
        """
        if not math.isfinite(loss):
            raise Rejected(f"training diverged: the loss of step {step} is {loss}", reason="diverged")
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

    def admit_gradient(self, step: int, norm: float) -> None:
        """Checks the gradient norm of `step`.

        Raises:
            Rejected: reason `diverged`.
        """
        if not math.isfinite(norm):
            raise Rejected(f"training diverged: the gradient of step {step} is {norm}", reason="diverged")
