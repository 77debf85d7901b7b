"""Gates on the state of a model: training that diverges, and weights that drift towards collapse.

A held-out score alone cannot see a small step towards collapse, because to first order such a step does
predict better; only what accumulates in the latents shows it. So scores decide what is paid, guards what
may be merged.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

from jepanet.errors import Rejected
from jepanet.learning.recipe import Gates


class State(Protocol):
    """The part of `evaluate.Metrics` that the guards read."""

    @property
    def variance(self) -> float: ...

    @property
    def sigreg(self) -> float: ...

    @property
    def rank(self) -> float: ...


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


def state_guards(base: State, candidate: State, gates: Gates) -> tuple[str, ...]:
    """Reasons why a candidate's latents moved too far from its base's; empty when it passes.

    Both states must be measured on the same shard. Reasons: variance-floor, variance-ceiling, sigreg, rank.
    """
    reasons: list[str] = []
    ceiling = max(gates.variance_ceiling * base.variance, gates.variance_cap)
    if not candidate.variance >= gates.variance_floor * base.variance:
        reasons.append("variance-floor")
    if not candidate.variance <= ceiling:
        reasons.append("variance-ceiling")
    if not _log(candidate.sigreg) - _log(base.sigreg) <= gates.sigreg_log:
        reasons.append("sigreg")
    if not candidate.rank >= gates.rank_ratio * base.rank:
        reasons.append("rank")
    return tuple(reasons)


def absolute_guards(base: State, merged: State, gates: Gates) -> tuple[str, ...]:
    """Reasons why a merged model may not replace its base; empty when it passes.

    Reason `healthy-variance`: the base had reached that variance and the merge fell below it. Steps that each
    pass the relative guards cannot add up to a collapse.
    """
    if base.variance >= gates.healthy_variance and not merged.variance >= gates.healthy_variance:
        return ("healthy-variance",)
    return ()


def _log(value: float) -> float:
    return math.log(max(value, 1e-6)) if math.isfinite(value) else math.inf
