"""Merge rules that a minority of arbitrary deltas cannot move far; bit-exact on every CPU.

Per coordinate: median and trimmed mean (Yin et al. 2018, arXiv:1803.01498). By distance: Krum and
multi-Krum (Blanchard et al. 2017, arXiv:1703.02757) and the geometric median (Pillutla et al. 2019,
arXiv:1912.13445).

Deltas come in a fixed order (by digest), hold finite float32 values and share one layout. Sums run over
float64 elementwise, one call per operation, in the order given, and are rounded to float32 once; distances
are sums of float64 squares folded in halves, block by block, and joined by `math.fsum`. No library chooses
an order, and nothing can be fused. Zeros lose their sign first, since a sort may order -0 and +0 either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import fsum, sqrt

import numpy as np

from jepanet.federation.deltas.delta import Weights, same_layout
from jepanet.tensors import Arrays

WEISZFELD_STEPS = 8
_SMOOTHING = 1e-6
_BLOCK = 1 << 16
_STACKED = 1 << 22
"""Values sorted at once: 16 MiB of float32."""


def coordinate_median(deltas: Sequence[Weights]) -> Arrays:
    """The median of every coordinate; of an even number, half the sum of the two in the middle.

    Raises:
        ValueError: no deltas, or layouts that differ.
    """
    count = _checked(deltas)
    return _by_coordinate(deltas, (count - 1) // 2)


def trimmed_mean(deltas: Sequence[Weights], trim: int | None = None) -> Arrays:
    """The mean of every coordinate without its `trim` smallest and `trim` largest values.

    Default: a quarter of the deltas at either end, rounded down, but at least one as soon as there are three.

    Raises:
        ValueError: no deltas, layouts that differ, or nothing left after trimming.
    """
    count = _checked(deltas)
    cut = max(count // 4, int(count >= 3)) if trim is None else trim
    if cut < 0 or 2 * cut >= count:
        raise ValueError(f"{cut} of {count} deltas can't be trimmed at both ends")
    return _by_coordinate(deltas, cut)


def krum(deltas: Sequence[Weights], byzantine: int | None = None) -> Arrays:
    """The one delta whose n - f - 2 nearest others are nearest; the earlier of two that are equal.

    `byzantine` is f, the number of arbitrary deltas withstood; default: the most that n allows, (n - 3) / 2
    rounded down. One or two deltas have no majority: their mean.

    Raises:
        ValueError: no deltas, layouts that differ, or n < 2 f + 3 for a given f.
    """
    chosen = _nearest(deltas, byzantine)
    return _average([deltas[i] for i in (chosen[:1] if len(deltas) > 2 else chosen)])


def multi_krum(deltas: Sequence[Weights], byzantine: int | None = None) -> Arrays:
    """The mean of the n - f deltas that Krum ranks first, summed in the order given. Otherwise as `krum`."""
    faults = _faults(len(deltas), byzantine)
    return _average([deltas[i] for i in sorted(_nearest(deltas, byzantine)[: len(deltas) - faults])])


def geometric_median(deltas: Sequence[Weights], steps: int = WEISZFELD_STEPS) -> Arrays:
    """Approximately the point with the least sum of distances to all deltas, over all weights together.

    `steps` smoothed Weiszfeld steps from the coordinate median: each is a mean weighted by the inverse
    distance, which is at least 1e-6 of the upper median distance at the start. No step raises the smoothed
    sum of distances, so the result is never worse than the coordinate median.

    Raises:
        ValueError: no deltas, layouts that differ, or a negative number of steps.
    """
    count = _checked(deltas)
    if steps < 0:
        raise ValueError(f"{steps} is not a number of steps")
    start = coordinate_median(deltas)
    centre = {name: array.astype(np.float64) for name, array in start.items()}
    floor = _SMOOTHING * sorted(_distance(centre, delta) for delta in deltas)[count // 2]
    if floor == 0:  # most deltas are one and the same
        return start
    for _ in range(steps):
        pulls = [1.0 / max(floor, _distance(centre, delta)) for delta in deltas]
        total = fsum(pulls)
        centre = _weighted(deltas, [pull / total for pull in pulls])
    return {name: array.astype(np.float32) for name, array in centre.items()}


def _checked(deltas: Sequence[Weights]) -> int:
    if not deltas:
        raise ValueError("there is nothing to merge")
    for other in deltas[1:]:
        same_layout(deltas[0], other)
    return len(deltas)


def _by_coordinate(deltas: Sequence[Weights], cut: int) -> Arrays:
    """Mean of what is left of every coordinate's sorted values without `cut` at either end."""
    kept = len(deltas) - 2 * cut
    width = max(1, _STACKED // len(deltas))
    result: Arrays = {}
    for name in sorted(deltas[0]):
        flats = [delta[name].reshape(-1) for delta in deltas]
        merged = np.empty(flats[0].size, dtype=np.float32)
        for start in range(0, merged.size, width):
            rows = np.stack([flat[start : start + width] for flat in flats])
            np.add(rows, np.float32(0), out=rows)
            rows.sort(axis=0)
            total = rows[cut].astype(np.float64)
            for row in rows[cut + 1 : cut + kept]:
                np.add(total, row, out=total)
            merged[start : start + width] = np.divide(total, kept)
        result[name] = merged.reshape(deltas[0][name].shape)
    return result


def _faults(count: int, byzantine: int | None) -> int:
    faults = max(0, (count - 3) // 2) if byzantine is None else byzantine
    if faults < 0 or (byzantine is not None and count < 2 * faults + 3):
        raise ValueError(f"Krum withstands {faults} of {2 * faults + 3} deltas or more, not of {count}")
    return faults


def _nearest(deltas: Sequence[Weights], byzantine: int | None) -> list[int]:
    """All deltas by Krum's score, the sum of squared distances to the n - f - 2 nearest others."""
    count = _checked(deltas)
    neighbours = max(0, count - _faults(count, byzantine) - 2)
    squares = [[0.0] * count for _ in range(count)]
    for i in range(count):
        for j in range(i):
            squares[i][j] = squares[j][i] = _squared(deltas[i], deltas[j])
    scores = [
        fsum(sorted(square for j, square in enumerate(row) if j != i)[:neighbours])
        for i, row in enumerate(squares)
    ]
    return sorted(range(count), key=lambda i: (scores[i], i))


def _average(deltas: Sequence[Weights]) -> Arrays:
    """Sum in the order given, over their number."""

    def combine(name: str) -> np.ndarray:
        total = deltas[0][name].astype(np.float64)
        for delta in deltas[1:]:
            np.add(total, delta[name], out=total)
        return np.asarray(np.divide(total, len(deltas)), dtype=np.float32)

    return _each(deltas[0], combine)


def _weighted(deltas: Sequence[Weights], shares: Sequence[float]) -> Arrays:
    """Sum of share * delta in the order given, float64."""

    def combine(name: str) -> np.ndarray:
        total = np.zeros(deltas[0][name].shape)
        for delta, share in zip(deltas, shares, strict=True):
            np.add(total, np.multiply(delta[name], share, dtype=np.float64), out=total)
        return total

    return _each(deltas[0], combine)


def _each(layout: Weights, combine: Callable[[str], np.ndarray]) -> Arrays:
    return {name: combine(name) for name in sorted(layout)}


def _distance(a: Weights, b: Weights) -> float:
    return sqrt(_squared(a, b))


def _squared(a: Weights, b: Weights) -> float:
    """Squared Euclidean distance over all weights, the same number on every CPU."""
    return fsum(_block_sums(a, b))


def _block_sums(a: Weights, b: Weights) -> Iterator[float]:
    for name in sorted(a):
        one, two = a[name].reshape(-1), b[name].reshape(-1)
        for start in range(0, one.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            block = np.subtract(one[part], two[part], dtype=np.float64)
            np.multiply(block, block, out=block)
            yield folded(block)


def folded(values: np.ndarray) -> float:
    """Sum of a float64 vector by adding its second half to its first until one value is left.

    Overwrites `values`. Every addition is elementwise, so the order is ours and not the library's.
    """
    size = values.size
    while size > 1:
        half = size // 2
        np.add(values[:half], values[half : 2 * half], out=values[:half])
        if size % 2:
            values[0] += values[size - 1]
        size = half
    return float(values[0]) if values.size else 0.0
