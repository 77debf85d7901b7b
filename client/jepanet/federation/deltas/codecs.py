"""Codecs for one float32 array, all with the same contract (`Codec`), bit-exact on every CPU.

`fp32` keeps every bit, `bf16` half of them (8 bits of precision, round to nearest, ties to even). `int8`
keeps a quarter of the bytes: chunks of 4096 values share one scale, absmax / 127, and each value is rounded
to the nearest step, ties to even; `int6` keeps six bits of a value in the same way, with absmax / 31. These
errors are small and have no direction, so nothing is carried from round to round. `topk10`, `topk3` and
`topk1` keep 10, 3 or 1 per cent of the values at two bits each (`topk`), and need error feedback
(`feedback`). Only elementwise operations, comparisons and sums in a stated order occur, which no CPU or
vector width computes differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas import topk
from jepanet.federation.deltas.bfloat import from_bfloat, to_bfloat
from jepanet.tensors import Arrays

CHUNK = 4096
_STEPS_8 = 127
_STEPS_6 = 31
_F32 = np.dtype("<f4")
_I8 = np.dtype("i1")
_U8 = np.dtype("u1")
_U16 = np.dtype("<u2")
_U32 = np.dtype("<u4")

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to store a finite float32 array.

    encode(array): named tensors (`parts`). Raises ValueError: not float32, or not finite.
    decode(tensors, shape): the array; tensors come from an untrusted file. Raises Rejected with reason
        `malformed` (dtypes), `wrong-shape` or `non-finite`. It allocates what `shape` (ours) asks for, never
        what the tensors claim: a part of variable length has a cap that follows from `shape`.
    """

    name: str
    parts: tuple[str, ...]
    encode: Callable[[np.ndarray], Arrays]
    decode: Callable[[Mapping[str, np.ndarray], Shape], np.ndarray]
    feedback: bool = False
    """Whether what it leaves out of one delta must be added to the next (`feedback`)."""


def _encode_fp32(array: np.ndarray) -> Arrays:
    return {"values": _checked(array)}


def _decode_fp32(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    values = _part(tensors, "values", _F32, shape)
    _require_finite(values)
    return values.copy()


def _encode_int8(array: np.ndarray) -> Arrays:
    steps, scales = _quantised(_checked(array), _STEPS_8)
    return {"steps": steps, "scales": scales}


def _decode_int8(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    steps = _part(tensors, "steps", _I8, shape)
    if (steps == -128).any():
        raise Rejected("int8 delta: step -128", reason="malformed")
    return _scaled(steps, tensors)


def _encode_int6(array: np.ndarray) -> Arrays:
    steps, scales = _quantised(_checked(array), _STEPS_6)
    # Packed values no longer show their shape: it goes before them, four bytes a dimension.
    packed = np.concatenate([_shape_bytes(array.shape), _pack_six(steps.reshape(-1))])
    return {"packed": packed, "scales": scales}


def _decode_int6(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    count = prod(shape)
    prefix = _shape_bytes(shape)
    packed = _part(tensors, "packed", _U8, (prefix.size + 3 * -(-count // 4),))
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
    scales = _part(tensors, "scales", _F32, (-(-steps.size // CHUNK),))
    _require_finite(scales)
    if (scales < 0).any() or np.signbit(scales).any():
        raise Rejected("negative scale", reason="malformed")
    array = steps.reshape(-1).astype(np.float32)
    with np.errstate(over="ignore"):
        for i, scale in enumerate(scales):
            array[i * CHUNK : (i + 1) * CHUNK] *= scale
    _require_finite(array)
    return array.reshape(steps.shape)


def _shape_bytes(shape: Shape) -> np.ndarray:
    return np.array(shape, dtype=_U32).view(_U8)


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


def _encode_bf16(array: np.ndarray) -> Arrays:
    return {"patterns": to_bfloat(_checked(array))}


def _decode_bf16(tensors: Mapping[str, np.ndarray], shape: Shape) -> np.ndarray:
    array = from_bfloat(_part(tensors, "patterns", _U16, shape))
    _require_finite(array)
    return array


def _encode_topk(array: np.ndarray, density: topk.Density) -> Arrays:
    return {"packed": topk.encode(_checked(array), density)}


def _decode_topk(tensors: Mapping[str, np.ndarray], shape: Shape, density: topk.Density) -> np.ndarray:
    packed = tensors["packed"]
    if packed.ndim != 1:
        raise Rejected(f"part packed has {packed.ndim} dimensions, not one", reason="wrong-shape")
    return topk.decode(_part(tensors, "packed", _U8, packed.shape), shape, density)


def _topk(name: str, density: topk.Density) -> Codec:
    encode, decode = partial(_encode_topk, density=density), partial(_decode_topk, density=density)
    return Codec(name, ("packed",), encode, decode, feedback=True)


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype != _F32:
        raise ValueError(f"codecs take float32, not {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("an array with NaN or infinity has no encoding; training has diverged")
    return np.asarray(array, order="C")


def _padded_chunks(flat: np.ndarray) -> np.ndarray:
    rows = -(-flat.size // CHUNK)
    padded = np.zeros(rows * CHUNK, dtype=np.float32)
    padded[: flat.size] = flat
    return padded.reshape(rows, CHUNK)


def _part(tensors: Mapping[str, np.ndarray], name: str, dtype: np.dtype[Any], shape: Shape) -> np.ndarray:
    array = tensors[name]
    if array.dtype != dtype:
        raise Rejected(f"part {name} has dtype {array.dtype}, not {dtype}", reason="malformed")
    if array.shape != shape:
        raise Rejected(f"part {name} has shape {array.shape}, not {shape}", reason="wrong-shape")
    return array


def _require_finite(array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise Rejected("NaN or infinity", reason="non-finite")


CODECS: dict[str, Codec] = {
    codec.name: codec
    for codec in (
        Codec("fp32", ("values",), _encode_fp32, _decode_fp32),
        Codec("bf16", ("patterns",), _encode_bf16, _decode_bf16),
        Codec("int8", ("scales", "steps"), _encode_int8, _decode_int8),
        Codec("int6", ("packed", "scales"), _encode_int6, _decode_int6),
        _topk("topk10", topk.Density(percent=10, low_bits=3)),
        _topk("topk3", topk.Density(percent=3, low_bits=4)),
        _topk("topk1", topk.Density(percent=1, low_bits=6)),
    )
}
