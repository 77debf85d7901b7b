"""Whatever a stranger sends, the parser answers with an envelope or with Rejected, and with nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.protocol.documents.messages import (
    Binding,
    Body,
    Envelope,
    Provide,
    SayResult,
    SayScores,
    SaySheet,
    decode_envelope,
    encode_envelope,
)
from jepanet.tensors import canonical_json
from jepanet.types import Address, Digest, RoundId

pytestmark = pytest.mark.property

SAFE = 2**53 - 1
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(-1e9, 1e9)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip
_digests = st.binary(min_size=32, max_size=32).map(Digest)
_signatures = st.binary(min_size=65, max_size=65)
_rounds = st.integers(0, SAFE).map(RoundId)
_addresses = st.lists(st.text(max_size=40).map(lambda text: "/" + text), max_size=8).map(tuple)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BINDINGS = st.builds(
    Binding,
    wallet=st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex())),
    peer=st.text(_BASE58, min_size=20, max_size=80),
    expiry=st.integers(0, SAFE),
    signature=_signatures,
)
BODIES: st.SearchStrategy[Body] = st.one_of(
    st.builds(Provide, _rounds, _digests, _addresses),
    st.builds(SayScores, _rounds, JSON.map(canonical_json)),
    st.builds(SaySheet, _rounds, _digests),
    st.builds(SayResult, _rounds, _digests, st.integers(-SAFE, SAFE), _signatures),
)


@given(BINDINGS, BODIES)
def test_round_trip(binding: Binding, body: Body) -> None:
    envelope = Envelope(binding, body)
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    with pytest.raises(Rejected):
        decode_envelope(data)


@given(JSON)
def test_arbitrary_json(value: object) -> None:
    for data in (json.dumps(value).encode(), canonical_json(value)):
        with pytest.raises(Rejected):
            decode_envelope(data)


@given(BINDINGS, BODIES, st.sampled_from(["version", "kind", "body", "binding"]), st.data())
def test_one_field_replaced_by_anything(binding: Binding, body: Body, part: str, data: st.DataObject) -> None:
    tree = json.loads(encode_envelope(Envelope(binding, body)))
    inner = tree[part]
    if isinstance(inner, dict):
        inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
    else:
        tree[part] = data.draw(JSON)
    changed = canonical_json(tree)
    try:
        heard = decode_envelope(changed)
    except Rejected:
        return
    assert encode_envelope(heard) == changed


@given(BINDINGS, BODIES, st.data())
def test_one_byte_flipped(binding: Binding, body: Body, data: st.DataObject) -> None:
    """Either refused, or another message that is itself in canonical form: never the same one in disguise."""
    good = encode_envelope(Envelope(binding, body))
    place = data.draw(st.integers(0, len(good) - 1))
    flipped = bytearray(good)
    flipped[place] ^= data.draw(st.integers(1, 255))
    try:
        heard = decode_envelope(bytes(flipped))
    except Rejected:
        return
    assert encode_envelope(heard) == bytes(flipped)
    assert digest_of(bytes(flipped)) != digest_of(good)
