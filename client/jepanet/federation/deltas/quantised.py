"""Codecs `int8` and `int6`: whole steps of a scale that a chunk of 4096 values shares.

The scale is absmax / 127 (`int8`, a quarter of the bytes) or absmax / 31 (`int6`, six bits a value), and each
value is rounded to the nearest step, ties to even. These errors are small and have no direction, so nothing
is carried from round to round.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.contract import F32, U8, U32, DeltaCodec, Shape, checked, part, require_finite
from jepanet.tensors import Arrays

CHUNK = 4096
_STEPS_8 = 127
_STEPS_6 = 31
_I8 = np.dtype("i1")


def _encode_int8(array: np.ndarray) -> Arrays:
    steps, scales = _quantised(checked(array), _STEPS_8)
    return {"steps": steps, "scales": scales}


def _decode_int8(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    steps = part(tensors, "steps", _I8, shape)
    if (steps == -128).any():
        raise Rejected("int8 delta: step -128", reason="malformed")
    return _scaled(steps, tensors)


def _encode_int6(array: np.ndarray) -> Arrays:
    steps, scales = _quantised(checked(array), _STEPS_6)
    # Packed values no longer show their shape: it goes before them, four bytes a dimension.
    packed = np.concatenate([_shape_bytes(array.shape), _pack_six(steps.reshape(-1))])
    return {"packed": packed, "scales": scales}


def _decode_int6(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    count = prod(shape)
    prefix = _shape_bytes(shape)
    packed = part(tensors, "packed", U8, (prefix.size + 3 * -(-count // 4),))
    if packed[: prefix.size].tobytes() != prefix.tobytes():
        raise Rejected("int6 delta: an array of another shape", reason="wrong-shape")
    steps = _unpack_six(packed[prefix.size :])
    if steps[count:].any() or (steps == -_STEPS_6 - 1).any():
        raise Rejected("int6 delta: step -32, or unused bits that are set", reason="malformed")
    return _scaled(steps[:count].reshape(shape), tensors)


def _quantised(array: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps int8 in [-most, most], of the array's shape, and the scale float32 of each chunk."""
    flat = array.reshape(-1)
    chunks = _padded_chunks(flat)
    scales = np.divide(np.abs(chunks).max(axis=1), np.float32(most))
    # A scale of 0 stands for a chunk of zeros; values too small for a scale are rounded to it.
    safe = np.where(scales > 0, scales, np.float32(1)).astype(np.float32)
    steps = np.rint(np.divide(chunks, safe[:, None]))
    steps = np.where((scales > 0)[:, None], np.clip(steps, -most, most), 0).astype(np.int8)
    return steps.reshape(-1)[: flat.size].reshape(array.shape), scales.astype(np.float32)


def _scaled(steps: np.ndarray, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Steps int8 times the scale of their chunk, from the untrusted part `scales`."""
    scales = part(tensors, "scales", F32, (-(-steps.size // CHUNK),))
    require_finite(scales)
    if (scales < 0).any() or np.signbit(scales).any():
        raise Rejected("negative scale", reason="malformed")
    array = steps.reshape(-1).astype(np.float32)
    with np.errstate(over="ignore"):
        for i, scale in enumerate(scales):
            array[i * CHUNK : (i + 1) * CHUNK] *= scale
    require_finite(array)
    return array.reshape(steps.shape)


def _shape_bytes(shape: Shape) -> np.ndarray:
    return np.array(shape, dtype=U32).view(U8)


def _pack_six(steps: np.ndarray) -> np.ndarray:
    """Four 6-bit two's complement values to three bytes, the first lowest; the last ones padded with 0."""
    padded = np.zeros((-(-steps.size // 4), 4), dtype=np.uint8)
    padded.reshape(-1)[: steps.size] = steps.view(np.uint8) & 63
    one, two, three, four = padded.T
    return np.stack([one | two << 6, two >> 2 | three << 4, three >> 4 | four << 2], axis=1).reshape(-1)


def _unpack_six(packed: np.ndarray) -> np.ndarray:
    """int8 [4 * bytes / 3]."""
    low, middle, high = packed.reshape(-1, 3).T
    codes = np.stack([low, low >> 6 | middle << 2, middle >> 4 | high << 4, high >> 2], axis=1)
    # Up and down again, so that the sixth bit becomes the sign.
    steps: np.ndarray = (codes << 2).view(np.int8).reshape(-1) >> 2
    return steps


def _padded_chunks(flat: np.ndarray) -> np.ndarray:
    rows = -(-flat.size // CHUNK)
    padded = np.zeros(rows * CHUNK, dtype=np.float32)
    padded[: flat.size] = flat
    return padded.reshape(rows, CHUNK)


def _most_bytes_int8(shape: Shape) -> int:
    count = prod(shape)
    return count + 4 * -(-count // CHUNK)


def _most_bytes_int6(shape: Shape) -> int:
    count = prod(shape)
    return 4 * len(shape) + 3 * -(-count // 4) + 4 * -(-count // CHUNK)


INT8 = DeltaCodec("int8", ("scales", "steps"), _encode_int8, _decode_int8, _most_bytes_int8)
INT6 = DeltaCodec("int6", ("packed", "scales"), _encode_int6, _decode_int6, _most_bytes_int6)
