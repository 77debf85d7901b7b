"""Aggregation rules: plain functions over deltas in a fixed order, bit-exact on every CPU.

Only elementwise float32 operations, one call each: no reduction whose order a library may choose, and no
multiplication and addition in one expression that a compiler may fuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jepanet.federation.delta import same_layout
from jepanet.tensors import Arrays
from jepanet.types import Digest

Weights = Mapping[str, np.ndarray]


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


def in_digest_order(deltas: Sequence[tuple[Digest, Weights]]) -> list[Weights]:
    """Deltas ascending by digest: the one order everybody can agree on.

    Raises:
        ValueError: a digest occurs twice.
    """
    digests = [digest for digest, _ in deltas]
    if len(set(digests)) != len(digests):
        raise ValueError("a delta is counted once")
    return [delta for _, delta in sorted(deltas, key=lambda item: item[0])]


RULES: dict[str, Callable[[Sequence[Weights]], Arrays]] = {"mean": mean}
"""By the name in the round's spec."""
