"""Rank-one components of a matrix with small odd numbers as factors, the same on every CPU.

A component is scale * u vᵀ. Its directions are found by power iteration (Mises & Pollaczek-Geiringer 1929,
doi:10.1002/zamm.19290090105) on what the components before have left of the matrix, then rounded, each once
more for the other as it is rounded (as in semidiscrete decompositions: Kolda & O'Leary 1998,
doi:10.1145/291128.291131). So a later component also mends what the rounding of earlier ones spoiled.

A library may multiply matrices in any order, with or without fused operations. Here that makes no
difference: all factors are whole numbers, small enough for every sum to be exact in float64. What is not
exact (quotients, square roots) is elementwise, which IEEE 754 rounds in one way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from jepanet.federation.deltas.bfloat import from_bfloat, to_bfloat

TILE = 512
"""Rows and columns of a matrix at most: 2 MiB of float64, which stay in cache, and bounds for the sums."""
MOST_STEP = 31
"""Codes are odd numbers of at most 2 * 31 + 1."""
_STEP = 0.7
"""Width of a step in root mean squares: least error for the bits that unary steps of normal values cost."""
_BITS = 22
"""Of the largest magnitude of a matrix as a whole number. Components only take energy away, so no value of
what is left exceeds 2^22 * 512; with directions of twelve bits sums stay below 2^31 * 2^12 * 512 = 2^52."""
_SMALL_BITS = 12
_POWER_STEPS = 3
_ROUNDING_STEPS = 2
_LEAST_EXPONENT = -126
"""Of a normal float32."""


@dataclass(frozen=True, slots=True)
class Component:
    """scale * u vᵀ: `scale` a bfloat16 value above 0, u and v odd whole numbers (float64) without a common
    factor, the first of u positive. Of a vector, one column, v is [1] and u may begin with either sign."""

    scale: float
    u: np.ndarray
    v: np.ndarray
    gain: float
    """How much of the squared norm it takes away."""

    @property
    def bits(self) -> int:
        """What it costs: its scale, and a sign and unary steps for every code."""
        codes = self.u.size + (self.v.size if self.v.size > 1 else 0)
        steps = np.abs(self.u).sum() + (np.abs(self.v).sum() if self.v.size > 1 else 0)
        return 16 + 2 * codes + int(steps - codes) // 2

    @property
    def order(self) -> tuple[float, bytes, bytes]:
        """Components are stored in ascending order of this."""
        return -self.scale, self.u.astype("i1").tobytes(), self.v.astype("i1").tobytes()


class Remainder:
    """What is left of a matrix of at most 512 x 512 finite float32 values when components are taken away."""

    def __init__(self, matrix: np.ndarray) -> None:
        peak = float(np.abs(matrix).max())
        self._exponent = math.frexp(peak)[1] - _BITS
        self._left = np.rint(np.ldexp(matrix.astype(np.float64), -self._exponent))

    def best(self) -> Component | None:
        """A component that takes much of what is left; None where none takes anything."""
        left = self._left
        row = int(np.argmax(np.abs(left))) // left.shape[1]
        u, v = (_rounded(left[:, 0]), np.ones(1)) if left.shape[1] == 1 else _directions(left, row)
        shared = float(u @ (left @ v))
        energy = float(u @ u) * float(v @ v)
        scale = _bfloat(np.rint(shared / energy))
        if scale <= 0 or math.frexp(scale)[1] - 1 + self._exponent < _LEAST_EXPONENT:
            return None
        gain = scale * (2 * shared - scale * energy)
        if gain <= 0:
            return None
        if v.size > 1 and u[0] < 0:
            u, v = -u, -v
        return Component(math.ldexp(scale, self._exponent), u, v, math.ldexp(gain, 2 * self._exponent))

    def take(self, component: Component) -> None:
        """Takes a component away that `best` has found."""
        whole = math.ldexp(component.scale, -self._exponent)
        np.subtract(self._left, np.outer(whole * component.u, component.v), out=self._left)


def joined(scales: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """float32 [m, n]: the sum of components, scales float64 [r], factors [r, m] and [r, n].

    Exact but for one rounding, if every scale is a bfloat16 value within 2^20 of the least. What would round
    to infinity becomes the largest finite value.
    """
    least = math.frexp(float(scales.min()))[1] - 8
    whole = np.ldexp(scales, -least)
    total = np.ldexp((whole[:, None] * u).T @ v, least)
    most = float(np.finfo(np.float32).max)
    return np.asarray(np.clip(total, -most, most), dtype=np.float32)


def _directions(left: np.ndarray, row: int) -> tuple[np.ndarray, np.ndarray]:
    v = left[row]
    for _ in range(_POWER_STEPS):
        v = left.T @ _small(left @ _small(v))
    v = _rounded(v)
    for _ in range(_ROUNDING_STEPS):
        u = _rounded(left @ v)
        v = _rounded(left.T @ u)
    return u, v


def _small(values: np.ndarray) -> np.ndarray:
    """Whole numbers of at most twelve bits in the same direction."""
    most = np.abs(values).max()
    if not most:
        return values
    return np.asarray(np.rint(np.multiply(values, np.divide(float(1 << _SMALL_BITS), most))))


def _rounded(values: np.ndarray) -> np.ndarray:
    """The code of every value: its sign, and 2 k + 1 where it lies in the k-th step from zero."""
    small = _small(values)
    spread = math.sqrt(float(small @ small) / small.size)
    steps = np.floor(np.divide(np.abs(small), _STEP * spread or 1.0))
    codes = 2 * np.minimum(steps, MOST_STEP) + 1
    codes /= float(np.gcd.reduce(codes.astype(np.int64)))
    return np.asarray(np.where(small < 0, -codes, codes))


def _bfloat(whole: float) -> float:
    """A whole number rounded to eight bits."""
    return float(from_bfloat(to_bfloat(np.array([whole], dtype=np.float32)))[0])
