"""Error feedback: what a lossy codec left out of one delta is added to the next.

    corrected = delta + share * residual ──encode──▶ parts ──decode──▶ sent
    residual' = corrected - sent

Seide et al. 2014 (doi:10.21437/Interspeech.2014-274); Karimireddy et al. 2019 (arXiv:1901.09847). Without
it a codec that keeps 3 per cent of the values never moves the others; with it every change is sent in the
end. A share below 1 lets what waits too long fade: it was learned on a model that is no longer there
(SparseLoCo, Sarfi et al. 2025, arXiv:2508.15706, with 0.95 a round).

The residual is a solver's own state from round to round. Whoever re-executes a solver's work needs the one
before and gets the one after, so residuals are files that a digest names: each says which delta left it and
which residual went in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import (
    decode_parts,
    digest_in,
    encode_parts,
    same_layout,
    schema_of,
    whole_weights,
)
from jepanet.tensors import Arrays, decode_tensors, encode_tensors, header_of
from jepanet.types import Digest

SCHEMA_VERSION = 1
KIND = "residual"
_F32 = np.dtype("<f4")
_FIELDS = frozenset({"kind", "schema", "codec", "delta", "before"})


@dataclass(frozen=True, slots=True)
class Residual:
    """What a delta left out, float32 by weight, and how it came to be."""

    values: Arrays
    delta: Digest
    """Digest of the delta file that left it."""
    before: Digest | None
    """Digest of the residual that went into that delta; None in a solver's first round."""
    codec: str


def with_feedback(
    delta: Mapping[str, np.ndarray],
    residual: Mapping[str, np.ndarray] | None,
    codec: str,
    share: float = 1.0,
) -> tuple[Arrays, Arrays]:
    """Encoded tensors of delta + share * residual (`w/part`, as in a delta file), and the new residual,
    float32.

    `residual` None stands for zeros. The share is rounded to float32 once, and product and sum are single
    float32 operations per element, so a residual is bit-exact on every CPU.

    Raises:
        ValueError: unknown codec, layouts that differ, a share outside [0, 1], or values that are not finite.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of the residual is from 0 to 1, not {share}")
    corrected: Arrays = dict(delta)
    if residual is not None:
        same_layout(delta, residual)
        factor = np.float32(share)
        with np.errstate(over="ignore"):  # the codec refuses what is not finite
            carried = {name: np.multiply(residual[name], factor) for name in delta}
            corrected = {name: np.asarray(np.add(delta[name], carried[name])) for name in delta}
    parts = encode_parts(corrected, codec)
    sent = decode_parts(parts, schema_of(delta), codec)
    return parts, {name: np.asarray(np.subtract(corrected[name], sent[name])) for name in sorted(delta)}


def encode_residual(residual: Residual) -> bytes:
    """Canonical safetensors bytes: the same residual gives the same digest.

    Raises:
        ValueError: values that are not finite float32.
    """
    for name, array in residual.values.items():
        if array.dtype != _F32 or not np.isfinite(array).all():
            raise ValueError(f"residual of {name} is not finite float32")
    header = {
        "kind": KIND,
        "schema": SCHEMA_VERSION,
        "codec": residual.codec,
        "delta": residual.delta.hex(),
        "before": "" if residual.before is None else residual.before.hex(),
    }
    return encode_tensors(residual.values, header)


def residual_digest(residual: Residual) -> Digest:
    """The digest that names a residual's file."""
    return digest_of(encode_residual(residual))


def residual_source(data: bytes) -> Digest:
    """The delta that an untrusted residual file says it was left by.

    Raises:
        Rejected: `malformed`, or as `header_of`.
    """
    header = header_of(data, what=KIND)
    if set(header) != _FIELDS or header["kind"] != KIND:
        raise Rejected("residual: header fields are not the known ones", reason="malformed")
    return digest_in(header["delta"], KIND)


def decode_residual(data: bytes, *, schema: Schema, max_bytes: int, codec: str) -> Residual:
    """A residual from untrusted bytes: exactly the weights of `schema`, finite float32.

    Raises:
        Rejected: `too-large`, `truncated`, `malformed`, `not-canonical`, `bad-codec`, `wrong-shape` or
            `non-finite`; also what `tensors.decode_tensors` raises for a header that is no flat table.
    """
    try:
        tensors, header = decode_tensors(data, max_bytes=max_bytes, what=KIND)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        # Shapes and names that numpy or the writer refuse.
        raise Rejected(f"residual: {error!s:.200}", reason="malformed") from error
    known = set(header) == _FIELDS and type(header["schema"]) is int
    if not known or (header["kind"], header["schema"]) != (KIND, SCHEMA_VERSION):
        raise Rejected("residual: header fields are not the known ones", reason="malformed")
    if header["codec"] != codec:
        raise Rejected(f"residual: codec is {header['codec']!r:.100}, not {codec!r}", reason="bad-codec")
    values = whole_weights(tensors, schema, KIND)
    delta = digest_in(header["delta"], KIND)
    before = None if header["before"] == "" else digest_in(header["before"], KIND)
    return Residual(values, delta, before, codec)
