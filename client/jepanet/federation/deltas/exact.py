"""Codec `fp32` keeps every bit."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from jepanet.federation.deltas.contract import F32, DeltaCodec, Shape, checked, part, require_finite
from jepanet.tensors import Arrays


def _encode(array: np.ndarray) -> Arrays:
    return {"values": checked(array)}


def _decode(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    values = part(tensors, "values", F32, shape)
    require_finite(values)
    return values.copy()


def _most_bytes(shape: Shape) -> int:
    return 4 * prod(shape)


FP32 = DeltaCodec("fp32", ("values",), _encode, _decode, _most_bytes)
