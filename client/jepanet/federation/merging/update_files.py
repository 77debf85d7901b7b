"""Files of a coded update and of what its code left out.

Update: canonical safetensors; for each weight `w` the parts of its codec as `w/part`, as in a delta; header
`{"base", "codec", "kind", "recipe", "remainder", "schema"}`, with the digest of the remainder's file, or an
empty text where the rule carries nothing on. Remainder: float32 by weight; header `{"base", "kind", "recipe",
"schema"}`. `base` is the model that the step began from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from jepanet.errors import Rejected
from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import (
    DeltaHeader,
    check_header,
    decode_parts,
    digest_in,
    open_strictly,
    whole_weights,
)
from jepanet.tensors import MAX_HEADER_BYTES, Arrays, Header, encode_tensors
from jepanet.types import Digest

SCHEMA_VERSION = 1
UPDATE, REMAINDER = "update", "remainder"


@dataclass(frozen=True, slots=True)
class Update:
    """A decoded update file."""

    values: Arrays
    """What is added to the base, float32 by weight, in name order."""
    remainder: Digest | None
    """Digest of the file of what its code left out; None where nothing is carried on."""


def update_bytes(
    parts: Mapping[str, np.ndarray], header: DeltaHeader, codec: str, remainder: Digest | None
) -> bytes:
    """Canonical bytes of an update whose tensors are encoded already."""
    named = "" if remainder is None else remainder.hex()
    return encode_tensors(parts, {**_update_header(header, codec), "remainder": named})


def decode_update(
    data: bytes, *, schema: Schema, max_bytes: int, base: Digest, recipe: Digest, codec: str, carries: bool
) -> Update:
    """An update from untrusted bytes: exactly the weights of `schema`, finite float32.

    `carries`: whether the rule carries on what the code leaves out, and so whether there is a remainder.

    Raises:
        Rejected: `too-large`, `truncated`, `malformed`, `bad-codec`, `wrong-base`, `wrong-recipe`,
            `wrong-shape` or `non-finite`.
    """
    tensors, header = open_strictly(data, max_bytes, UPDATE)
    check_header(header, _update_header(DeltaHeader(base, recipe), codec), UPDATE, more=("remainder",))
    named = header["remainder"]
    if not carries and named != "":
        raise Rejected("update: it names a remainder, and its rule carries nothing on", reason="malformed")
    remainder = digest_in(named, UPDATE) if carries else None
    return Update(decode_parts(tensors, schema, codec, UPDATE), remainder)


def remainder_bytes(values: Mapping[str, np.ndarray], header: DeltaHeader) -> bytes:
    """Canonical bytes of a remainder."""
    return encode_tensors(values, _header(REMAINDER, header))


def decode_remainder(data: bytes, *, schema: Schema, base: Digest, recipe: Digest) -> Arrays:
    """A remainder from untrusted bytes: exactly the weights of `schema`, finite float32.

    Raises:
        Rejected: `too-large`, `truncated`, `malformed`, `wrong-base`, `wrong-recipe`, `wrong-shape` or
            `non-finite`.
    """
    tensors, header = open_strictly(data, most_remainder_bytes(schema), REMAINDER)
    check_header(header, _header(REMAINDER, DeltaHeader(base, recipe)), REMAINDER)
    return whole_weights(tensors, schema, REMAINDER)


def most_remainder_bytes(schema: Schema) -> int:
    """Bytes that no remainder file of these weights exceeds."""
    return 8 + MAX_HEADER_BYTES + 4 * sum(prod(shape) for shape in schema.values())


def _update_header(header: DeltaHeader, codec: str) -> Header:
    return {**_header(UPDATE, header), "codec": codec}


def _header(kind: str, header: DeltaHeader) -> Header:
    return {
        "kind": kind,
        "schema": SCHEMA_VERSION,
        "base": header.base.hex(),
        "recipe": header.recipe.hex(),
    }
