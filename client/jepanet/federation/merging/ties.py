"""TIES merging (Yadav et al. 2023, arXiv:2306.01708): trim, elect a sign, average those who agree.

Small changes and changes of opposite sign cancel each other in a plain mean. Not a defence: a single large
delta can carry the vote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from jepanet.federation.deltas.delta import same_layout
from jepanet.tensors import Arrays

DENSITY = 0.2
"""Share of each delta's values that survive the trimming: the paper's choice."""


def ties(deltas: Sequence[Mapping[str, np.ndarray]], density: float = DENSITY) -> Arrays:
    """Merged float32 deltas, in name order; bit-exact on every CPU (elementwise float64, rounded once).

    Trim: of each delta, over all its weights together, the `density` largest magnitudes stay, all of them
    where the last one is tied. Elect: a coordinate's sign is that of the sum of what stays. Merge: the mean
    of the surviving values of that sign, 0 where there are none or the sum vanishes. Identical deltas
    give the trimmed delta.

    Raises:
        ValueError: no deltas, layouts that differ, or a density outside (0, 1].
    """
    if not deltas:
        raise ValueError("there is nothing to merge")
    if not 0 < density <= 1:
        raise ValueError(f"a density is a share in (0, 1], not {density}")
    for other in deltas[1:]:
        same_layout(deltas[0], other)
    thresholds = [_threshold(delta, density) for delta in deltas]
    return {name: _elected([delta[name] for delta in deltas], thresholds) for name in sorted(deltas[0])}


def _threshold(delta: Mapping[str, np.ndarray], density: float) -> np.float32:
    """The smallest magnitude that stays. A value of a rank is the same whoever finds it."""
    magnitudes = np.abs(
        np.concatenate([np.zeros(0, np.float32), *(array.reshape(-1) for array in delta.values())])
    )
    if not magnitudes.size:
        return np.float32(0)
    rank = magnitudes.size - ceil(density * magnitudes.size)
    return np.float32(np.partition(magnitudes, rank)[rank])


def _elected(arrays: Sequence[np.ndarray], thresholds: Sequence[np.float32]) -> np.ndarray:
    shape = arrays[0].shape
    above, below, total = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    positive, negative = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for array, threshold in zip(arrays, thresholds, strict=True):
        kept = np.where(np.abs(array) >= threshold, array, np.float32(0)).astype(np.float64)
        total = np.add(total, kept)
        above = np.add(above, np.maximum(kept, 0.0))
        below = np.add(below, np.minimum(kept, 0.0))
        positive = positive + (kept > 0)
        negative = negative + (kept < 0)
    up = np.divide(above, np.maximum(positive, 1))
    down = np.divide(below, np.maximum(negative, 1))
    merged = np.where(total > 0, up, np.where(total < 0, down, 0.0))
    return np.asarray(merged, dtype=np.float32)
