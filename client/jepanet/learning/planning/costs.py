"""What a planner minimises: how far imagined latents are from the latent of the goal.

A cost is a reduction over the horizon and a metric of latent space. Only the metric may need data: latents
of frames that the planner's owner holds anyway, with their simulator state for `learned`. It never comes
from the site on which the model is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.evaluation.statistics import Array, ridge_map
from jepanet.learning.planning.planner import Cost

Reduction = Callable[[Tensor], Tensor]
"""Squared distances [N, S, H] of every imagined moment -> cost [N, S]."""
Metric = Callable[[Array, Array], Array]
"""Latents [M, D] and simulator states [M, K], both float64 -> matrix [D, K'] whose image is Euclidean."""

WHITENING_FLOOR = 0.05
"""Directions with less than this share of the largest variance are not made to count any more."""
PROBE_RIDGE = 1e-2


def final(distances: Tensor) -> Tensor:
    """Squared distance at the end alone. A plan may dawdle, and planned anew every step it always does."""
    return distances[..., -1]


def total(distances: Tensor) -> Tensor:
    """Squared distances summed over the horizon: the sooner the nearer."""
    return distances.sum(dim=-1)


def nearest(distances: Tensor) -> Tensor:
    """Least squared distance on the way."""
    return distances.amin(dim=-1)


def whitening(latents: Array, _: Array) -> Array:
    """Makes the latents' covariance the identity, up to a relative floor: every direction counts alike."""
    centred = latents - latents.mean(axis=0)
    spectrum, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    floor = WHITENING_FLOOR * float(spectrum[-1])
    if not floor > 0.0:
        raise Rejected("latents that do not vary cannot be whitened", reason="rank-deficient")
    scaled: Array = vectors / np.sqrt(np.maximum(spectrum, floor))
    return scaled


def probe(latents: Array, state: Array) -> Array:
    """A ridge map to the simulator's state: distance counts only in the subspace that predicts the state.

    Every state dimension is scaled to unit variance, since pixels and angles do not compare; one that never
    changes counts for nothing.
    """
    deviation = state.std(axis=0)
    moving = deviation > 1e-9
    if not moving.any():
        raise Rejected("a probe cannot be fitted to a state that never changes", reason="rank-deficient")
    known = (state - state.mean(axis=0))[:, moving] / deviation[moving]
    return ridge_map(latents - latents.mean(axis=0), known, PROBE_RIDGE)


@dataclass(frozen=True, slots=True)
class CostRule:
    """`metric` None is the latents' own Euclidean distance, which needs no data."""

    reduce: Reduction
    metric: Metric | None = None


COSTS: dict[str, CostRule] = {
    "final": CostRule(final),
    "sum": CostRule(total),
    "nearest": CostRule(nearest),
    "whitened": CostRule(total, whitening),
    "learned": CostRule(total, probe),
}


def cost_rule(name: str) -> CostRule:
    """A cost by name.

    Raises:
        Rejected: no such cost (`unknown-cost`).
    """
    if name not in COSTS:
        known = ", ".join(COSTS)
        raise Rejected(f"no planning cost is called {name[:40]!r}; known: {known}", reason="unknown-cost")
    return COSTS[name]


def distance_to(goal: Tensor, rule: CostRule, matrix: Tensor | None = None) -> Cost:
    """The cost of imagined latents for goals [N, D]; `matrix` [D, K] is the rule's fitted metric."""
    seen = goal if matrix is None else goal @ matrix

    def cost(imagined: Tensor) -> Tensor:
        here = imagined if matrix is None else imagined @ matrix
        return rule.reduce(torch.sum((here - seen[:, None, None]) ** 2, dim=-1))

    return cost
