"""Norms and angles of deltas.

Both decide about bonds, so what they decide must be the same everywhere. Products of float32 values are exact
in float64; only the order in which they are added depends on the CPU, in a reduction or a matrix product. So
norms are added one after the other (`numpy.add.accumulate`). Angles of all pairs are a matrix product, and
where that lies too near the threshold to decide, the pair is added again by halves, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np

from jepanet.types import Digest

_BLOCK = 1 << 18
_UNSURE = 1e-6
"""Cosines closer to the threshold are added again: more than what the order of 2**32 additions can move."""
_GRAM_VALUES = 1 << 22
"""Values held at once while cosines are computed: 32 MiB of float64."""


def norm(weights: Mapping[str, np.ndarray]) -> float:
    """L2 norm over all weights in name order, identical on every CPU."""
    total = np.zeros(1)
    for name in sorted(weights):
        flat = weights[name].reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK].astype(np.float64)
            np.multiply(block, block, out=block)
            total = np.add.accumulate(np.concatenate([total, block]))[-1:]
    return sqrt(float(total[0]))


def upper_median(values: Sequence[float]) -> float:
    """The larger of the two middle values: a single tiny delta beside one honest delta can't set the scale.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("the median of nothing")
    return sorted(values)[len(values) // 2]


def cosine(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """Of the angle between two deltas over all weights, neither of them zero."""
    return float(_cosines([one, other])[0, 1])


def near_copies(
    deltas: Sequence[tuple[Digest, Mapping[str, np.ndarray]]], threshold: float
) -> dict[Digest, tuple[Digest, float]]:
    """Deltas (given in order of commitment, none of them zero) that repeat an earlier one that stands.

    Returns, for each near-copy, which delta it repeats and the cosine: |cosine| >= `threshold`. A copy of a
    copy is measured against the original only, so a chain of small steps away from it is not one group.
    """
    if len(deltas) < 2:
        return {}
    cosines = _cosines([delta for _, delta in deltas])
    kept: list[int] = []
    copies: dict[Digest, tuple[Digest, float]] = {}
    for i, (digest, _) in enumerate(deltas):
        twin = next((j for j in kept if _alike(cosines[i, j], deltas[i][1], deltas[j][1], threshold)), None)
        if twin is None:
            kept.append(i)
        else:
            copies[digest] = (deltas[twin][0], float(cosines[i, twin]))
    return copies


def _alike(
    about: float, one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], threshold: float
) -> bool:
    """Whether |cosine| >= `threshold`, the same on every CPU; `about` is the matrix product's word."""
    if abs(abs(about) - threshold) <= _UNSURE:
        about = _product(one, other) / sqrt(_product(one, one) * _product(other, other))
    return abs(about) >= threshold


def _product(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """The inner product over all weights in name order, identical on every CPU."""
    total = 0.0
    for name in sorted(one):
        left, right = one[name].reshape(-1), other[name].reshape(-1)
        for start in range(0, left.size, _BLOCK):
            terms = np.zeros(_BLOCK)
            part = left[start : start + _BLOCK]
            np.multiply(part, right[start : start + _BLOCK], out=terms[: part.size], dtype=np.float64)
            while terms.size > 1:
                half = terms.size // 2
                terms = terms[:half] + terms[half:]
            total += float(terms[0])
    return total


def _cosines(deltas: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Pairwise cosines [n, n], float64, in blocks of columns so that memory stays small."""
    gram = np.zeros((len(deltas), len(deltas)))
    width = max(1, _GRAM_VALUES // len(deltas))
    for name in sorted(deltas[0]):
        flats = [delta[name].reshape(-1) for delta in deltas]
        for start in range(0, flats[0].size, width):
            rows = np.stack([flat[start : start + width] for flat in flats]).astype(np.float64)
            gram += rows @ rows.T
    lengths = np.sqrt(np.diag(gram))
    cosines: np.ndarray = gram / np.outer(lengths, lengths)
    return cosines
