"""The largest step towards collapse that the guards are not to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import log

import numpy as np

from attacks.federation import Federation
from attacks.shared import parts_of
from jepanet.federation.judging.similarity import norm
from jepanet.learning.evaluation.guards import length_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics
from jepanet.learning.recipe import Gates
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import numpy_generator
from jepanet.tensors import Arrays

WITHIN = 0.7
"""Of every tolerance: as far as an attacker goes that the guards are not to see."""
LOOKS = 6
"""Models that it measures for each way to go."""


def times(delta: Arrays, factor: float) -> Arrays:
    return {name: array * np.float32(factor) for name, array in delta.items()}


def plus(one: Arrays, other: Mapping[str, np.ndarray]) -> Arrays:
    return {name: array + other[name] for name, array in one.items()}


def towards_collapse(now: Federation, solvers: int) -> Arrays | None:
    """A delta by which rank and variance fall as far as they may on frames that everybody has.

    It goes there by a training without regulariser: padded with noise to the length that the round allows,
    since guards allow more of a longer step; or beside honest work, which makes up for a part of what it
    costs. Of both, the largest share that passes `WITHIN` of every guard, then the way by which more is lost.
    None: none loses anything.
    """
    recipe = now.recipe
    for path, value in parts_of(recipe).free:
        recipe = changed(recipe, path, value)
    away, honest = now.honest(0, recipe=recipe), now.honest(0)
    size = norm(now.base)
    most = now.longest or norm(honest)
    noise = _noise(now, away)

    def padded(share: float) -> Arrays:
        room = most**2 - norm(times(away, share)) ** 2
        return plus(times(away, share), times(noise, max(room, 0.0) ** 0.5))

    def beside(share: float) -> Arrays:
        return plus(times(honest, 1 - share), times(away, share))

    before, gates = now.public_metrics(now.base), narrowed(now.recipe.gates)
    best, lost = None, 0.0
    for way, end in ((padded, 2.0), (beside, 1.0)):
        passing, failing = 0.0, end
        for look in range(LOOKS):
            share = end if look == 0 else (passing + failing) / 2
            delta = way(share)
            length = norm(delta)
            delta = times(delta, most / length) if length > most else delta
            after = now.public_metrics(plus(now.base, times(delta, 1 / solvers)))
            over = min(length, most) / size
            if state_guards(before, after, gates) or length_guards(before, after, gates, over, 1 / solvers):
                failing = share
                continue
            passing = share
            if _fall(before, after) > lost:
                best, lost = delta, _fall(before, after)
            if share == end:
                break
    return best


def narrowed(gates: Gates) -> Gates:
    """Guards as an attacker keeps to them that wants never to be seen."""
    return replace(
        gates,
        variance_floor=1 - WITHIN * (1 - gates.variance_floor),
        variance_ceiling=1 + WITHIN * (gates.variance_ceiling - 1),
        sigreg_log=WITHIN * gates.sigreg_log,
        rank_ratio=1 - WITHIN * (1 - gates.rank_ratio),
        variance_per_length=WITHIN * gates.variance_per_length,
        sigreg_per_length=WITHIN * gates.sigreg_per_length,
        rank_per_length=WITHIN * gates.rank_per_length,
    )


def _fall(before: Metrics, after: Metrics) -> float:
    """Nats of variance and rank."""
    return log(before.variance / after.variance) + log(before.rank / after.rank)


def _noise(now: Federation, like: Arrays) -> Arrays:
    """Of length 1."""
    draw = numpy_generator(now.seed_of(0), "padding")
    drawn = {name: draw.standard_normal(array.shape).astype(np.float32) for name, array in like.items()}
    return times(drawn, 1 / norm(drawn))
