"""bfloat16: float32 without its lower sixteen bits, rounded to nearest, ties to even; integer arithmetic."""

from __future__ import annotations

import numpy as np

_U16 = np.dtype("<u2")
_U32 = np.dtype("<u4")
_F32 = np.dtype("<f4")
_MAGNITUDE = 0x7FFF
_LARGEST = 0x7F7F
"""The largest finite magnitude, 3.39e38."""


def to_bfloat(array: np.ndarray) -> np.ndarray:
    """Bit patterns, uint16 of the same shape, of a finite float32 array.

    What would round to infinity becomes the largest finite value: a finite array stays finite.
    """
    bits = np.ascontiguousarray(array, dtype=_F32).reshape(-1).view(_U32)
    odd = np.bitwise_and(np.right_shift(bits, 16), 1)
    np.add(odd, bits, out=odd)
    np.add(odd, 0x7FFF, out=odd)
    short = np.right_shift(odd, 16).astype(_U16)
    finite = np.minimum(short & _MAGNITUDE, _LARGEST) | (short & 0x8000)
    return np.asarray(finite, dtype=_U16).reshape(array.shape)


def from_bfloat(patterns: np.ndarray) -> np.ndarray:
    """float32 values of bit patterns (uint16); infinities and NaN come through as such."""
    wide = np.left_shift(patterns.astype(_U32), 16)
    return np.asarray(wide, dtype=_U32).view(_F32)
