"""What a stranger may write in place of a file: any bytes, and whole files of arrays that nobody writes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jepanet.learning.auditing.state_file import PARTS
from jepanet.tensors import Arrays


@st.composite
def spoiled(draw: st.DrawFn, data: bytes) -> bytes:
    """A file of which something is changed: bits, ends, lengths, pieces."""
    how = draw(st.sampled_from(("flip", "cut", "longer", "length", "swap", "junk", "header", "text")))
    at = draw(st.integers(0, len(data) - 1))
    match how:
        case "flip":
            return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
        case "cut":
            return data[:at]
        case "longer":
            return data + draw(st.binary(min_size=1, max_size=64))
        case "length":
            size = draw(st.sampled_from((0, 1, 8, 2**20, 2**31, 2**40, 2**63, 2**64 - 1)))
            return struct.pack("<Q", size) + data[8:]
        case "swap":
            piece = draw(st.binary(min_size=1, max_size=16))
            return data[:at] + piece + data[at + len(piece) :]
        case "junk":
            return draw(st.binary(max_size=256))
        case "header":
            text = draw(st.sampled_from(HEADERS))
            return struct.pack("<Q", len(text)) + text + data[:64]
        case _:
            old, new = draw(st.sampled_from(TEXTS))
            return data.replace(old, new, draw(st.integers(1, 3)))


HEADERS = tuple(
    text.encode()
    for text in (
        "{}", "[]", "null", '{"__metadata__":{}}', '{"__metadata__":{"jepanet":"{}"}}', "[" * 5000,
        '{"__metadata__":{"jepanet":"' + "[" * 5000 + '"}}',
        '{"__metadata__":{"jepanet":"1e999"}}', '{"__metadata__":{"jepanet":"\\ud800"}}',
        '{"__metadata__":{"jepanet":"{}"},"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}',
        '{"__metadata__":{"jepanet":"{}"},"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,64]}}',
        '{"__metadata__":{"jepanet":"{}"},"a":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}}',
        '{"__metadata__":{"jepanet":"{}"},"a":{"dtype":"F32","shape":1,"data_offsets":[0]}}',
        '{"__metadata__":{"jepanet":"{}"},"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"__metadata__":{"jepanet":"{\\"schema\\":[1],\\"step\\":true}"}}',
    )
)  # fmt: skip
TEXTS = (
    (b"F32", b"I32"), (b"F32", b"F64"), (b"weights.", b"weight_."), (b"optimiser", b"weights.."),
    (b"step", b"stop"), (b"jepanet", b"jepanot"), (b'"end"', b'"end":{},"end"'), (b":1", b":-1"),
    (b":2", b":1e400"), (b":4", b':"4"'), (b"true", b"null"), (b"null", b"[]"), (b"}", b"},"),
    (b"0", b"\xff"),
)  # fmt: skip

STRANGE = ("weights.", "weights.more", "optimiser.mean.", "data.x", "streams..", "scale.scale", "gate.losses",
           "weights", ".", "data.order.99")  # fmt: skip
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 3.4e38, -3.4e38, 1e-300, 2.0**63, -1.0)


def forged(data: st.DataObject, honest: Arrays) -> Arrays:
    """The arrays of a file of which some are other than a training would leave them."""
    draw = data.draw
    arrays = {name: array.copy() for name, array in honest.items()}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(honest)))
        array = arrays.get(name, honest[name]).copy()
        match draw(st.sampled_from(("value", "fill", "bytes", "type", "shape", "gone", "more", "moved"))):
            case "value":
                flat = array.reshape(-1)
                if flat.size:
                    place = draw(st.integers(0, flat.size - 1))
                    flat[place] = _fitting(draw(st.sampled_from(NUMBERS)), array.dtype)
            case "fill":
                array = np.full_like(array, _fitting(draw(st.sampled_from(NUMBERS)), array.dtype))
            case "bytes":
                size = array.nbytes
                seed = draw(st.integers(0, 2**32))
                raw = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
                array = np.frombuffer(raw.tobytes(), array.dtype).reshape(array.shape).copy()
            case "type":
                kind = draw(st.sampled_from(("<f4", "<f8", "i1", "u1", "<u2", "<i4", "<u4", "<i8")))
                array = np.zeros(array.shape, kind)
            case "shape":
                shape = draw(st.sampled_from(((), (0,), (1,), (0, 2**40), (3, 5), (1,) * 8, (65_536,))))
                array = np.zeros(shape, array.dtype)
            case "gone":
                arrays.pop(name, None)
                continue
            case "more":
                name = draw(st.sampled_from(STRANGE))
            case "moved":
                rest = name.partition(".")[2]
                name = f"{draw(st.sampled_from(PARTS))}.{rest}"
        arrays[name] = array
    return arrays


def _fitting(value: float, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            return dtype.type(value)
    limits = np.iinfo(dtype)
    return limits.max if not np.isfinite(value) else int(min(max(value, limits.min), limits.max))
