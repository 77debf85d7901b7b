"""Means of deltas in a fixed order, bit-exact on every CPU.

Only elementwise operations, one call each: no reduction whose order a library may choose, and no
multiplication and addition in one expression that a compiler may fuse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jepanet.federation.deltas.delta import Weights, same_layout
from jepanet.tensors import Arrays

MAX_SAMPLES = 1 << 29
"""Up to this sum, integer multiples of a float32 value are exact in float64."""


def mean(deltas: Sequence[Weights]) -> Arrays:
    """(((d1 + d2) + d3) + ...) / n in float32, in the order given.

    Federated averaging with equal weights (McMahan et al. 2017, arXiv:1602.05629).

    Raises:
        ValueError: no deltas, or layouts that differ.
    """
    if not deltas:
        raise ValueError("there is nothing to average")
    first, *others = deltas
    for other in others:
        same_layout(first, other)
    count = np.float32(len(deltas))
    result: Arrays = {}
    for name in sorted(first):
        total = np.array(first[name], dtype=np.float32, copy=True)
        for other in others:
            np.add(total, other[name], out=total)
        np.divide(total, count, out=total)
        result[name] = total
    return result


def sample_weighted_mean(deltas: Sequence[Weights], samples: Sequence[int]) -> Arrays:
    """(s1 d1 + s2 d2 + ...) / (s1 + s2 + ...) in float64, in the order given, rounded to float32 once.

    Federated averaging with clients weighted by their number of samples (McMahan et al. 2017,
    arXiv:1602.05629). The numbers of samples are taken as given: use it only for numbers that can be checked.

    Raises:
        ValueError: no deltas, layouts that differ, not one positive integer per delta, or a sum of samples
            above 2^29.
    """
    if not deltas or len(samples) != len(deltas):
        raise ValueError(f"{len(deltas)} deltas and {len(samples)} numbers of samples")
    if any(type(count) is not int or count < 1 for count in samples) or sum(samples) > MAX_SAMPLES:
        raise ValueError(f"numbers of samples are positive integers with a sum of at most {MAX_SAMPLES}")
    for other in deltas[1:]:
        same_layout(deltas[0], other)
    result: Arrays = {}
    for name in sorted(deltas[0]):
        total = np.zeros(deltas[0][name].shape)
        for delta, count in zip(deltas, samples, strict=True):
            np.add(total, np.multiply(delta[name], float(count), dtype=np.float64), out=total)
        result[name] = np.asarray(np.divide(total, float(sum(samples))), dtype=np.float32)
    return result
