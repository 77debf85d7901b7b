"""No bytes make the decoders do anything but answer or reject."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.errors import Rejected
from jepanet.p2p.identity import parse_address, parse_peer_id
from jepanet.p2p.transfer.frames import REQUEST_BYTES, RESPONSE_BYTES, Manifest, Request, decode_response

pytestmark = pytest.mark.property


@given(st.binary(max_size=REQUEST_BYTES + 2) | st.binary(min_size=REQUEST_BYTES, max_size=REQUEST_BYTES))
def test_requests(data: bytes) -> None:
    try:
        assert Request.decode(data).encode() == data
    except Rejected:
        pass


@given(st.binary(min_size=RESPONSE_BYTES, max_size=RESPONSE_BYTES))
def test_responses(data: bytes) -> None:
    try:
        decode_response(data)
    except Rejected:
        pass


@given(st.binary(max_size=200), st.integers(0, 1 << 24))
def test_manifests(data: bytes, cap: int) -> None:
    try:
        manifest = Manifest.decode(data, max_bytes=cap)
    except Rejected:
        return
    assert manifest.encode() == data
    assert manifest.size <= cap


@given(st.text(max_size=120) | st.from_regex(r"/ip4/[0-9.]{1,15}/tcp/[0-9]{1,6}/p2p/[1-9A-Za-z]{1,60}"))
def test_addresses_and_peer_ids(text: str) -> None:
    for parse in (parse_address, parse_peer_id):
        try:
            parse(text)
        except Rejected:
            pass
