"""Whether a device computes what a CPU does, before anything is measured there that others measure too."""

from __future__ import annotations

import numpy as np

from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.machine.device import CPU, MOST_APART, relative
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays

_EPISODES = 2
_USUAL_TOLERANCE = 2000
"""Micro-nats. Noise of `MOST_APART`, drawn anew for every number, moves gains by some 10 of them and their
standard errors by some 40."""


def allowed(tolerance: int) -> float:
    """How far `apart` may be where gains may differ by `tolerance` micro-nats: 0 where they must not."""
    return MOST_APART * min(1.0, tolerance / _USUAL_TOLERANCE)


def apart(weights: Arrays, recipe: Recipe, shard: Shard, device: str) -> float:
    """Largest difference between what the device and the CPU encode of the shard's first episodes, as a share
    of the root mean square of the CPU's; infinite where one of them has no finite numbers.

    Raises:
        Rejected: the shard does not fit the recipe.
    """
    part = shard.chosen(np.arange(shard.episodes) < _EPISODES)
    here, there = (encode(weights, recipe, part, device=name) for name in (CPU, device))
    compared = [(here.latents, there.latents), (here.predicted, there.predicted)]
    for one, other in ((here.nats, there.nats), (here.told, there.told)):
        if one is not None and other is not None:
            compared.append((one, other))
    return max(relative(*pair) for pair in compared)
