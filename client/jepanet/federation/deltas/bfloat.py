"""bfloat16: float32 without its lower sixteen bits, rounded to nearest, ties to even; integer arithmetic.

Codec `bf16` keeps half of the bits: 8 bits of precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from jepanet.federation.deltas.contract import F32, U16, U32, DeltaCodec, Shape, checked, part, require_finite
from jepanet.tensors import Arrays

_MAGNITUDE = 0x7FFF
_LARGEST = 0x7F7F
"""The largest finite magnitude, 3.39e38."""


def to_bfloat(array: np.ndarray) -> np.ndarray:
    """Bit patterns, uint16 of the same shape, of a finite float32 array.

    What would round to infinity becomes the largest finite value: a finite array stays finite.
    """
    bits = np.ascontiguousarray(array, dtype=F32).reshape(-1).view(U32)
    odd = np.bitwise_and(np.right_shift(bits, 16), 1)
    np.add(odd, bits, out=odd)
    np.add(odd, 0x7FFF, out=odd)
    short = np.right_shift(odd, 16).astype(U16)
    finite = np.minimum(short & _MAGNITUDE, _LARGEST) | (short & 0x8000)
    return np.asarray(finite, dtype=U16).reshape(array.shape)


def from_bfloat(patterns: np.ndarray) -> np.ndarray:
    """float32 values of bit patterns (uint16); infinities and NaN come through as such."""
    wide = np.left_shift(patterns.astype(U32), 16)
    return np.asarray(wide, dtype=U32).view(F32)


def _encode(array: np.ndarray) -> Arrays:
    return {"patterns": to_bfloat(checked(array))}


def _decode(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    array = from_bfloat(part(tensors, "patterns", U16, shape))
    require_finite(array)
    return array


def _most_bytes(shape: Shape) -> int:
    return 2 * prod(shape)


BF16 = DeltaCodec("bf16", ("patterns",), _encode, _decode, _most_bytes)
