"""Deltas no longer than is usual in their round: pay follows a direction, not how far somebody goes along it.

In a round of N solvers a delta counts as base + delta / N, where a longer step along an honest direction does
predict better: without a limit, whoever multiplies honest work is paid for the factor. Norms are the same on
every CPU (`similarity.norm`), and a shortened value is one float32 product, so everybody who measures or
merges shortens to the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jepanet.federation.deltas.delta import Weights
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.tensors import Arrays


class Shortened(Mapping[str, np.ndarray]):
    """A delta times a factor, which is applied to a weight when it is asked for: no copy of all is held."""

    __slots__ = ("_delta", "_factor")

    def __init__(self, delta: Weights, factor: float) -> None:
        self._delta, self._factor = delta, np.float32(factor)

    def __getitem__(self, name: str) -> np.ndarray:
        # asarray: numpy turns a product of two zero-dimensional arrays into a plain number.
        return np.asarray(np.multiply(self._delta[name], self._factor))

    def __iter__(self) -> Iterator[str]:
        return iter(self._delta)

    def __len__(self) -> int:
        return len(self._delta)


def reference_length(base: Weights, reference_nano: int, to_reference_milli: int) -> float:
    """The L2 norm that a round's reference allows, the same number on every CPU."""
    return norm(base) * (reference_nano * to_reference_milli) / 1e12


def no_longer(delta: Weights, most: float) -> Arrays:
    """The delta, at an L2 norm of at most `most` (up to the rounding of float32)."""
    size = norm(delta)
    if size <= most:
        return dict(delta)
    short = Shortened(delta, most / size)
    return {name: short[name] for name in short}


def relative_nano(delta: Weights, base: Weights) -> int:
    """A delta's norm in billionths of its base's, rounded down: the same on every CPU. 0 where the base has
    none."""
    size = norm(base)
    return int(norm(delta) * 1e9 / size) if size > 0 else 0


def shortened(deltas: Sequence[Weights], longest_milli: int) -> list[Weights]:
    """The deltas, in their order; one longer than `longest_milli` thousandths of their upper median norm is
    that long. 0: all as they are."""
    if not longest_milli or not deltas:
        return list(deltas)
    sizes = [norm(delta) for delta in deltas]
    most = upper_median(sizes) * longest_milli / 1000
    return [
        Shortened(delta, most / size) if size > most else delta
        for delta, size in zip(deltas, sizes, strict=True)
    ]
