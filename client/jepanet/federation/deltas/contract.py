"""What every codec promises, and the checks that they share.

A codec stores float32 arrays, bit-exact on every CPU: only elementwise operations, comparisons and sums in a
stated order occur, or sums of whole numbers that are exact in any order, which no CPU or vector width
computes differently. Most take one array at a time (`DeltaCodec`), some a whole delta (`JointCodec`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from jepanet.errors import Rejected
from jepanet.tensors import Arrays

F32 = np.dtype("<f4")
U8 = np.dtype("u1")
U16 = np.dtype("<u2")
U32 = np.dtype("<u4")

Shape = tuple[int, ...]
Schema = Mapping[str, Shape]
"""Name and shape of every weight; all are float32."""


@dataclass(frozen=True, slots=True)
class DeltaCodec:
    """One way to store a finite float32 array.

    encode(array): named tensors (`parts`). Raises ValueError: not float32, or not finite.
    decode(tensors, shape): the array; tensors come from an untrusted file. Raises Rejected with reason
        `malformed` (dtypes), `wrong-shape` or `non-finite`. It allocates what `shape` (ours) asks for, never
        what the tensors claim: a part of variable length has a cap that follows from `shape`.
    most_bytes(shape): bytes that its parts together never exceed, known before anything is trained.
    """

    name: str
    parts: tuple[str, ...]
    encode: Callable[[np.ndarray], Arrays]
    decode: Callable[[Mapping[str, np.ndarray], Shape], np.ndarray]
    most_bytes: Callable[[Shape], int]
    feedback: bool = False
    """Whether what it leaves out of one delta must be added to the next (`feedback`)."""


@dataclass(frozen=True, slots=True)
class JointCodec:
    """One way to store all arrays of a delta together, so that they share what bytes there are.

    encode(delta): named tensors (`parts`). Raises ValueError: an array that is not finite float32.
    decode(tensors, schema): arrays in name order, as a `DeltaCodec` does it for one.
    most_bytes(schema): bytes that its parts together never exceed.
    """

    name: str
    parts: tuple[str, ...]
    encode: Callable[[Mapping[str, np.ndarray]], Arrays]
    decode: Callable[[Mapping[str, np.ndarray], Schema], Arrays]
    most_bytes: Callable[[Schema], int]
    feedback: bool = False
    """Whether what it leaves out of one delta must be added to the next (`feedback`)."""


def checked(array: np.ndarray) -> np.ndarray:
    """The array, C-ordered. Raises: ValueError when it is not float32 or not finite."""
    if array.dtype != F32:
        raise ValueError(f"codecs take float32, not {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("an array with NaN or infinity has no encoding; training has diverged")
    return np.asarray(array, order="C")


def part(
    tensors: Mapping[str, np.ndarray], name: str, dtype: np.dtype[np.generic], shape: Shape
) -> np.ndarray:
    """One untrusted tensor. Raises: Rejected (`malformed`, `wrong-shape`) unless it is as it should be."""
    array = tensors[name]
    if array.dtype != dtype:
        raise Rejected(f"part {name} has dtype {array.dtype}, not {dtype}", reason="malformed")
    if array.shape != shape:
        raise Rejected(f"part {name} has shape {array.shape}, not {shape}", reason="wrong-shape")
    return array


def require_finite(array: np.ndarray) -> None:
    """Raises: Rejected with reason `non-finite`."""
    if not np.isfinite(array).all():
        raise Rejected("NaN or infinity", reason="non-finite")
