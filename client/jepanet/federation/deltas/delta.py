"""A solver's contribution: local weights minus base weights, as bytes that a digest names.

File: canonical safetensors; for each weight `w` the parts of its codec as `w/part`, or the parts alone of a
codec that stores all weights together; header `{"base", "codec", "kind", "recipe", "schema"}`, in
audited rounds also `transcript`. The same weights, base, codec and transcript give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.contract import DeltaCodec, JointCodec, Schema
from jepanet.nesting import check_nesting
from jepanet.tensors import (
    MAX_HEADER_BYTES,
    MAX_TENSORS,
    Arrays,
    Header,
    decode_tensors,
    encode_tensors,
)
from jepanet.types import Digest

SCHEMA_VERSION = 1
KIND = "delta"
_F32 = np.dtype("<f4")
_HEADER_BYTES = 768
"""What a file's table holds beside its tensors: digests and names of the header, padding."""
_ENTRY_BYTES = 96
"""What a tensor's entry in the table holds beside its name and shape: dtype, two offsets, punctuation."""
_NUMBER_BYTES = 11
"""A dimension and its comma."""

Weights = Mapping[str, np.ndarray]
"""float32 arrays by name."""


@dataclass(frozen=True, slots=True)
class DeltaHeader:
    """What a delta is relative to."""

    base: Digest
    recipe: Digest
    transcript: Digest | None = None
    """Of the document that says how it was trained, in rounds whose trainings can be audited."""


def schema_of(weights: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Names and shapes, in name order."""
    return {name: weights[name].shape for name in sorted(weights)}


def delta_of(local: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]) -> Arrays:
    """local - base, float32, in name order. This sign is used everywhere: a delta is added to a base.

    Raises:
        ValueError: names, shapes or dtypes differ.
    """
    same_layout(local, base)
    # asarray: numpy turns the difference of two zero-dimensional arrays into a plain number.
    return {name: np.asarray(np.subtract(local[name], base[name])) for name in sorted(base)}


def at_share(base: Mapping[str, np.ndarray], delta: Mapping[str, np.ndarray], solvers: int) -> Arrays:
    """base + delta / solvers, float32: what one of so many contributes to a mean, and is measured at."""
    share = np.float32(solvers)
    return {name: np.asarray(np.add(base[name], np.divide(array, share))) for name, array in delta.items()}


def same_layout(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> None:
    """Raises: ValueError when the two differ in names or shapes, or hold anything but float32."""
    if schema_of(a) != schema_of(b):
        raise ValueError("two sets of weights differ in names or shapes")
    for arrays in (a, b):
        for name, array in arrays.items():
            if array.dtype != _F32:
                raise ValueError(f"weight {name} is {array.dtype}, not float32")


def encode_delta(delta: Mapping[str, np.ndarray], header: DeltaHeader, codec: str) -> bytes:
    """Canonical bytes of a delta.

    Raises:
        ValueError: unknown codec, or an array that is not finite float32.
    """
    return delta_bytes(encode_parts(delta, codec), header, codec)


def encode_parts(delta: Mapping[str, np.ndarray], codec: str) -> Arrays:
    """The tensors of a delta file: for each weight `w` the parts of its codec as `w/part`, or the parts alone
    of a codec that stores all weights together.

    Raises:
        ValueError: as `encode_delta`.
    """
    form = _codec(codec)
    if isinstance(form, JointCodec):
        return form.encode(delta)
    parts: Arrays = {}
    for name, array in delta.items():
        for part, tensor in form.encode(array).items():
            parts[f"{name}/{part}"] = tensor
    return parts


def decode_parts(parts: Mapping[str, np.ndarray], schema: Schema, codec: str, what: str = KIND) -> Arrays:
    """The weights of `schema`, in name order, from the tensors of a delta file.

    Raises:
        Rejected: `wrong-shape`, `malformed` or `non-finite`, naming the weight.
    """
    form = CODECS[codec]
    joint = isinstance(form, JointCodec)
    wanted = set(form.parts) if joint else {f"{name}/{part}" for name in schema for part in form.parts}
    if set(parts) != wanted:
        odd = sorted(set(parts) ^ wanted)[:3]
        raise Rejected(f"{what}: missing or unknown tensors {odd!r:.200}", reason="wrong-shape")
    if isinstance(form, JointCodec):
        return _decode_all(form, parts, schema, what)
    return {name: _decode_one(form, name, parts, schema[name], what) for name in sorted(schema)}


def most_file_bytes(schema: Schema, codec: str) -> int:
    """Bytes that a delta or update file of these weights never exceeds, whatever its values.

    Raises:
        ValueError: an unknown codec.
    """
    form = _codec(codec)
    total = 8 + _HEADER_BYTES
    if isinstance(form, JointCodec):
        names = sum(len(json.dumps(part)) + _ENTRY_BYTES + _NUMBER_BYTES for part in form.parts)
        return total + names + form.most_bytes(schema)
    for name, shape in schema.items():
        total += form.most_bytes(shape)
        for part in form.parts:
            total += len(json.dumps(f"{name}/{part}")) + _ENTRY_BYTES + _NUMBER_BYTES * max(1, len(shape))
    return total


def delta_bytes(parts: Mapping[str, np.ndarray], header: DeltaHeader, codec: str) -> bytes:
    """Canonical bytes of a delta whose tensors are encoded already."""
    return encode_tensors(parts, _header(header, codec))


def decode_delta(
    data: bytes,
    *,
    schema: Schema,
    max_bytes: int,
    base: Digest,
    recipe: Digest,
    codec: str,
    frozen: tuple[str, ...] = (),
    audited: bool = False,
) -> Arrays:
    """A delta from untrusted bytes, in name order: exactly the weights of `schema`, finite float32, and zero
    for those whose names start with one of `frozen`. `audited`: it has to name a transcript, else it may not.

    Raises:
        Rejected: with reason too-large, truncated, malformed, bad-codec, wrong-base, wrong-recipe,
            wrong-shape, non-finite or frozen-changed: each a fault that anyone can recompute from the bytes.
    """
    tensors, header = open_strictly(data, max_bytes, KIND)
    wanted = _header(DeltaHeader(base, recipe), codec)
    check_header(header, wanted, KIND, more=("transcript",) if audited else ())
    if audited:
        digest_in(header["transcript"], KIND)
    delta = decode_parts(tensors, schema, codec)
    for name, array in delta.items():
        if name.startswith(frozen) and array.any():
            raise Rejected(
                f"{KIND}: it changes {name!r:.100}, which no training changes", reason="frozen-changed"
            )
    return delta


def transcript_of(data: bytes, *, max_bytes: int) -> tuple[Digest, Arrays]:
    """The transcript that an untrusted delta file names, and its tensors as they are stored.

    Raises:
        Rejected: as `open_strictly`; `malformed` where it names none.
    """
    tensors, header = open_strictly(data, max_bytes, KIND)
    return digest_in(header.get("transcript"), KIND), tensors


def open_strictly(data: bytes, max_bytes: int, what: str) -> tuple[Arrays, Header]:
    """Tensors and header of an untrusted file whose table is flat.

    Raises:
        Rejected: `too-large`, `truncated` or `malformed`, which covers what is not canonical too.
    """
    _check_header_nesting(data, what)
    try:
        return decode_tensors(data, max_bytes=max_bytes, what=what)
    except Rejected as error:
        if error.reason in ("too-large", "truncated"):
            raise
        raise Rejected(error.message, reason="malformed") from error
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        # Shapes and names that numpy or the writer refuse, for example a dimension beyond 2**63.
        raise Rejected(f"{what}: {error!s:.200}", reason="malformed") from error


def _check_header_nesting(data: bytes, what: str) -> None:
    """The table of the file, and the canonical JSON that it carries as a string, must be flat."""
    head = data[8 : 8 + min(int.from_bytes(data[:8], "little"), MAX_HEADER_BYTES)]
    # Escaped once, a bracket is a bracket or \\u005b; writers of this format never use the latter.
    if head.count(b"[") + head.count(b"{") > 4 * MAX_TENSORS or b"\\u" in head:
        raise Rejected(f"{what}: the header is not a flat table", reason="malformed")
    try:
        check_nesting(head, what)
    except Rejected as error:
        raise Rejected(error.message, reason="malformed") from error


def check_header(header: Header, wanted: Header, what: str, more: tuple[str, ...] = ()) -> None:
    """Holds an untrusted header against the one it must be; fields of `more` are the caller's to check.

    Raises:
        Rejected: `malformed`, `bad-codec`, `wrong-base` or `wrong-recipe`.
    """
    if set(header) != {*wanted, *more}:
        raise Rejected(f"{what}: header fields are not the known ones", reason="malformed")
    reasons = {"codec": "bad-codec", "base": "wrong-base", "recipe": "wrong-recipe"}
    for name in ("kind", "schema", *(field for field in reasons if field in wanted)):
        if type(header[name]) is not type(wanted[name]) or header[name] != wanted[name]:
            raise Rejected(
                f"{what}: {name} is {header[name]!r:.100}, not {wanted[name]!r}",
                reason=reasons.get(name, "malformed"),
            )


def whole_weights(tensors: Arrays, schema: Schema, what: str) -> Arrays:
    """Copies of the tensors of an untrusted file, which must be finite float32 weights of `schema`.

    Raises:
        Rejected: `wrong-shape`, `malformed` or `non-finite`.
    """
    if {name: array.shape for name, array in tensors.items()} != dict(schema):
        raise Rejected(f"{what}: weights are not those of the model", reason="wrong-shape")
    if any(array.dtype != _F32 for array in tensors.values()):
        raise Rejected(f"{what}: weights are not float32", reason="malformed")
    if not all(np.isfinite(array).all() for array in tensors.values()):
        raise Rejected(f"{what}: NaN or infinity", reason="non-finite")
    return {name: np.array(array) for name, array in tensors.items()}


def digest_in(text: object, what: str) -> Digest:
    """32 bytes from exactly 64 lowercase hexadecimal digits of an untrusted header.

    Raises:
        Rejected: `malformed`.
    """
    if isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return Digest(bytes.fromhex(text))
    raise Rejected(f"{what}: a digest is not 64 hexadecimal digits", reason="malformed")


def _codec(name: str) -> DeltaCodec | JointCodec:
    """Raises: ValueError for an unknown one."""
    if name not in CODECS:
        raise ValueError(f"unknown codec {name!r}; known: {', '.join(CODECS)}")
    return CODECS[name]


def _decode_all(form: JointCodec, tensors: Mapping[str, np.ndarray], schema: Schema, what: str) -> Arrays:
    try:
        return form.decode(tensors, schema)
    except Rejected as error:
        raise Rejected(f"{what}: {error.message}", reason=error.reason) from error


def _decode_one(
    form: DeltaCodec, name: str, tensors: Mapping[str, np.ndarray], shape: tuple[int, ...], what: str
) -> np.ndarray:
    try:
        return form.decode({part: tensors[f"{name}/{part}"] for part in form.parts}, shape)
    except Rejected as error:
        raise Rejected(f"{what}: weight {name}: {error.message}", reason=error.reason) from error


def _header(header: DeltaHeader, codec: str) -> Header:
    return {
        "kind": KIND,
        "schema": SCHEMA_VERSION,
        "base": header.base.hex(),
        "recipe": header.recipe.hex(),
        "codec": codec,
        **({} if header.transcript is None else {"transcript": header.transcript.hex()}),
    }
