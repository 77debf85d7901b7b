"""Counts as runs of bits: for each count that many zeros and a one, packed first bit highest.

The last byte holds a one, so that no byte can be added or left out.
"""

from __future__ import annotations

import numpy as np


def pack_unary(counts: np.ndarray) -> np.ndarray:
    """uint8 bytes of counts of 0 or more."""
    ends = np.cumsum(counts + 1)
    bits = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    bits[ends - 1] = 1
    return np.packbits(bits)


def unpack_unary(data: np.ndarray, count: int) -> np.ndarray | None:
    """That many counts, int64, from untrusted bytes; None where they hold another number or end in zeros."""
    ones = np.flatnonzero(np.unpackbits(data))
    if len(ones) != count or (count and not data[-1]) or (not count and data.size):
        return None
    return gaps(ones)


def gaps(ascending: np.ndarray) -> np.ndarray:
    """How many numbers are left out before each of `ascending`, int64."""
    return np.diff(ascending, prepend=-1).astype(np.int64) - 1
