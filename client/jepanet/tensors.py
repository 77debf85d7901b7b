"""Canonical safetensors: the same arrays and header give the same bytes, so a digest names them.

Layout (https://github.com/huggingface/safetensors#format): 8-byte little-endian header length, JSON
header, data. Canonical here means: tensors in ascending name order, no gaps, and one metadata entry,
`jepanet`, holding RFC 8785 canonical JSON (the library writes metadata from a hash map, so more than
one entry would have no fixed order).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from math import prod
from typing import TypedDict, cast

import numpy as np
import rfc8785
from safetensors.numpy import save

from jepanet.errors import Rejected
from jepanet.nesting import Json, check_nesting

Arrays = dict[str, np.ndarray]
Header = dict[str, Json]

MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
_DTYPES: dict[str, np.dtype[np.generic]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
}


_ORDER = ("I64", "F64", "F32", "U32", "I32", "U16", "I8", "U8")
"""In which the library writes types; within one, tensors ascend by name."""
_TYPES = {dtype: name for name, dtype in _DTYPES.items()}
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
"""Names that JSON writes in one way only."""
_ALIGNED = 8


class _Entry(TypedDict):
    """What the header of a file says of one tensor."""

    dtype: str
    shape: list[int]
    data_offsets: list[int]


def canonical_json(value: object) -> bytes:
    """RFC 8785 canonical JSON.

    Raises:
        Rejected: NaN, infinity or an integer beyond 2**53 - 1 (write such integers as strings).
    """
    try:
        return rfc8785.dumps(cast(Json, value))  # it refuses what is no JSON value itself
    except rfc8785.CanonicalizationError as error:
        raise Rejected(f"value has no canonical JSON form: {error}", reason="bad-json") from error


def parse_json(data: bytes, *, max_bytes: int, what: str) -> Json:
    """Parses a JSON document from an untrusted source.

    Raises:
        Rejected: larger than `max_bytes`, not UTF-8, not JSON, nested too deeply, or not in canonical form.
    """
    if len(data) > max_bytes:
        raise Rejected(f"{what} has {len(data)} bytes, more than {max_bytes}", reason="too-large")
    check_nesting(data, what)
    try:
        value: Json = json.loads(data)
        if rfc8785.dumps(value) != data:
            raise Rejected(f"{what} is not canonical JSON (RFC 8785)", reason="not-canonical")
    except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
        raise Rejected(f"{what} is not valid JSON: {error}", reason="bad-json") from error
    return value


def encode_tensors(arrays: Mapping[str, np.ndarray], header: Mapping[str, object]) -> bytes:
    """Canonical safetensors bytes of `arrays` (any shapes; dtypes of `_DTYPES`) and a JSON-able header.

    Raises:
        ValueError: an unsupported dtype.
    """
    ordered: Arrays = {}
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        if array.dtype not in _DTYPES.values():
            raise ValueError(f"tensor {name}: dtype {array.dtype} is not one of {', '.join(_DTYPES)}")
        ordered[name] = array
    # The library sorts by descending alignment, then name; one dtype size per file keeps plain name order,
    # and mixed sizes stay deterministic, which is all a digest needs.
    data: bytes = save(ordered, metadata={"jepanet": canonical_json(dict(header)).decode()})
    return data


def tensor_pieces(arrays: Mapping[str, np.ndarray], header: Mapping[str, object]) -> list[memoryview]:
    """The bytes of `encode_tensors` in pieces that, but for the first, are views of the arrays: for files
    that are written and hashed without a copy in between.

    Raises:
        ValueError: an unsupported dtype, or a name of other than letters, digits and `_./-`.
    """
    table: dict[str, object] = {"__metadata__": {"jepanet": canonical_json(dict(header)).decode()}}
    placed: list[tuple[int, str, np.ndarray]] = []
    for name, array in arrays.items():
        kind = _TYPES.get(array.dtype)
        if kind is None or not _PLAIN.fullmatch(name):
            raise ValueError(f"tensor {name!r}: dtype {array.dtype} or the name is not supported")
        placed.append((_ORDER.index(kind), name, array))
    placed.sort(key=lambda item: (item[0], item[1]))
    pieces, end = list[memoryview](), 0
    for order, name, array in placed:
        start, end = end, end + array.nbytes
        table[name] = {"dtype": _ORDER[order], "shape": array.shape, "data_offsets": (start, end)}
        pieces.append(bytes_of(array))
    head = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % _ALIGNED)
    return [memoryview(struct.pack("<Q", len(head)) + head), *pieces]


def bytes_of(array: np.ndarray) -> memoryview:
    """The bytes of an array in C order, without a copy where it lies so."""
    if array.nbytes and array.flags.c_contiguous and array.dtype.isnative and array.dtype.kind in "iuf":
        return array.data.cast("B")  # ten times as fast: a state has hundreds of small tensors
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def decode_tensors(data: bytes, *, max_bytes: int, what: str) -> tuple[Arrays, Header]:
    """Arrays (read-only views into `data`) and header from untrusted bytes.

    Every offset is checked before an array is made; nothing is allocated from a declared size.

    Raises:
        Rejected: over a cap, truncated, overlapping or gapped tensors, an unknown dtype, a bad header, or
            bytes other than the canonical encoding of what they hold.
    """

    def refuse(why: str, reason: str = "malformed") -> Rejected:
        return Rejected(f"{what}: {why}", reason=reason)

    if len(data) > max_bytes:
        raise refuse(f"{len(data)} bytes, more than the cap of {max_bytes}", "too-large")
    length, table, header = _read_head(data, what)

    body = memoryview(data)[8 + length :]
    arrays = {name: _view(body, name, entry, refuse) for name, entry in table.items()}
    arrays = {name: arrays[name] for name in sorted(arrays)}
    # One comparison rules out gaps, overlaps, odd orders and trailing bytes at once.
    if not _canonical(data, arrays, header):
        raise refuse("not the canonical encoding of its tensors", "not-canonical")
    return arrays, header


def _canonical(data: bytes, arrays: Arrays, header: Header) -> bool:
    """Whether `data`, of which `arrays` are views, is what `encode_tensors` makes of them."""
    if not all(map(_PLAIN.fullmatch, arrays)):
        return encode_tensors(arrays, header) == bytes(data)
    head, *pieces = tensor_pieces(arrays, header)
    # The head says where every tensor lies, without gaps: where it is the same, so is what it points to.
    return len(data) == len(head) + sum(map(len, pieces)) and bytes(data[: len(head)]) == head


def header_of(data: bytes, *, what: str) -> Header:
    """The header of an untrusted file, from its first bytes; whether the rest belongs to it is not looked at.

    Raises:
        Rejected: no header as `encode_tensors` writes one, or more of it than `data` has.
    """
    return _read_head(data, what)[2]


def _read_head(data: bytes, what: str) -> tuple[int, dict[str, object], Header]:
    """Length of the safetensors header, its table of tensors, and the `jepanet` header."""

    def refuse(why: str, reason: str = "malformed") -> Rejected:
        return Rejected(f"{what}: {why}", reason=reason)

    if len(data) < 8:
        raise refuse("shorter than a safetensors header", "truncated")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise refuse("header runs past the end of the file or over its cap", "truncated")
    check_nesting(data[8 : 8 + length], what)
    try:
        table = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise refuse(f"header is not JSON: {error}") from error
    if not isinstance(table, dict) or len(table) > MAX_TENSORS:
        raise refuse("header is not an object of at most 4096 tensors")
    metadata = table.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {"jepanet"}:
        raise refuse("metadata must be the one entry 'jepanet'")
    header = parse_json(
        str(metadata["jepanet"]).encode(errors="replace"), max_bytes=MAX_HEADER_BYTES, what=f"{what} header"
    )
    if not isinstance(header, dict):
        raise refuse("the 'jepanet' metadata is not an object")
    return length, table, header


def _view(body: memoryview, name: str, entry: object, refuse: Callable[..., Rejected]) -> np.ndarray:
    """One tensor as a view into the file's body, once everything its table entry says was checked."""
    try:
        declared = cast(_Entry, entry)  # what it is not raises here
        dtype = _DTYPES[declared["dtype"]]
        shape = tuple(declared["shape"])
        start, end = declared["data_offsets"]
        integers = all(type(item) is int and item >= 0 for item in (*shape, start, end))
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(f"tensor {name!r} has a malformed entry") from error
    if not integers or len(shape) > 8 or end > len(body) or end - start != prod(shape) * dtype.itemsize:
        raise refuse(f"tensor {name!r}: shape, dtype and offsets disagree with the file", "truncated")
    try:
        name.encode()
        return np.frombuffer(body[start:end], dtype=dtype).reshape(shape)
    except ValueError as error:  # a lone surrogate in the name, or a dimension no array can have
        raise refuse(f"tensor {name!r} has an impossible name or shape") from error
