"""Gates on the state of a model: weights that drift towards collapse may not be merged.

A held-out score alone cannot see a small step towards collapse, because to first order such a step does
predict better; only what accumulates in the latents shows it. So scores decide what is paid, guards what
may be merged.
"""

from __future__ import annotations

import math
from typing import Protocol

from jepanet.learning.recipe import Gates


class State(Protocol):
    """The part of `metrics.Metrics` that the guards read."""

    @property
    def variance(self) -> float: ...

    @property
    def sigreg(self) -> float: ...

    @property
    def rank(self) -> float: ...


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


def length_guards(
    base: State, candidate: State, gates: Gates, length: float, share: float
) -> tuple[str, ...]:
    """Reasons why a contribution costs more than its length explains; empty when it passes.

    `length`: norm of the delta over the base's, as far as it counts; `share`: the part of it that the
    candidate holds. What honest steps cost falls with the root of their length; a step towards collapse costs
    several times as much, and tolerances that let early honest steps pass would let it through in every late
    round. The share counts in full, or whoever reveals more deltas would widen the bound. Reasons:
    variance-for-length, sigreg-for-length, rank-for-length.
    """
    costs = (
        ("variance", gates.variance_per_length, _log(base.variance) - _log(candidate.variance)),
        ("sigreg", gates.sigreg_per_length, _log(candidate.sigreg) - _log(base.sigreg)),
        ("rank", gates.rank_per_length, _log(base.rank) - _log(candidate.rank)),
    )
    explained = share * math.sqrt(length)
    return tuple(f"{name}-for-length" for name, most, cost in costs if most and not cost <= most * explained)


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
