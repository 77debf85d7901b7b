"""The bytes of the blob protocol, read from peers that mean harm."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from jepanet.errors import Rejected
from jepanet.p2p.transfer.frames import (
    CHUNK_BYTES,
    MAX_BATCH,
    MAX_CHUNKS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    Kind,
    Manifest,
    Request,
    Status,
    decode_response,
    encode_response,
    manifest_bytes,
)
from jepanet.p2p.transfer.server import build_manifest

pytestmark = pytest.mark.unit

DIGEST = bytes(range(32))


def test_requests_survive_the_wire() -> None:
    for request in (
        Request(Kind.MANIFEST, DIGEST),
        Request(Kind.CHUNKS, DIGEST, 0, 1),
        Request(Kind.CHUNKS, DIGEST, 12345, MAX_BATCH),
    ):
        assert len(request.encode()) == REQUEST_BYTES
        assert Request.decode(request.encode()) == request


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01" * (REQUEST_BYTES - 1),
        b"\x01" * (REQUEST_BYTES + 1),
        struct.pack(">B32sII", 0, DIGEST, 0, 0),
        struct.pack(">B32sII", 3, DIGEST, 0, 1),
        struct.pack(">B32sII", 1, DIGEST, 1, 0),
        struct.pack(">B32sII", 1, DIGEST, 0, 1),
        struct.pack(">B32sII", 2, DIGEST, 0, 0),
        struct.pack(">B32sII", 2, DIGEST, 0, MAX_BATCH + 1),
        struct.pack(">B32sII", 2, DIGEST, MAX_CHUNKS, 1),
        struct.pack(">B32sII", 2, DIGEST, 2**32 - 1, 2**32 - 1),
    ],
)
def test_a_malformed_request_is_rejected(data: bytes) -> None:
    with pytest.raises(Rejected):
        Request.decode(data)


def test_responses_survive_the_wire() -> None:
    assert decode_response(encode_response(Status.OK, 7)) == (Status.OK, 7)
    assert decode_response(encode_response(Status.BUSY)) == (Status.BUSY, 0)


@pytest.mark.parametrize("data", [struct.pack(">BI", 9, 0), struct.pack(">BI", Status.NOT_FOUND, 1)])
def test_a_malformed_response_is_rejected(data: bytes) -> None:
    assert len(data) == RESPONSE_BYTES
    with pytest.raises(Rejected):
        decode_response(data)


def _manifest_of(tmp_path: Path, content: bytes) -> Manifest:
    path = tmp_path / "blob"
    path.write_bytes(content)
    manifest = build_manifest(path, hashlib.sha256(content).digest())
    assert manifest is not None
    return manifest


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5])
def test_a_manifest_describes_its_file(tmp_path: Path, size: int) -> None:
    content = bytes(index % 251 for index in range(size))
    manifest = _manifest_of(tmp_path, content)
    assert manifest.size == size
    assert len(manifest.encode()) == manifest_bytes(size)
    assert Manifest.decode(manifest.encode(), max_bytes=size) == manifest
    for index in range(manifest.chunks):
        chunk = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        assert manifest.accepts(index, chunk)
        assert not manifest.accepts(index, chunk[:-1])
        assert not manifest.accepts(index, bytes([chunk[0] ^ 1]) + chunk[1:])


def test_a_file_that_is_not_the_blob_has_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"damaged on disk")
    assert build_manifest(path, DIGEST) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "blob").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic|loop|levels"):
        build_manifest(tmp_path / "blob", hashlib.sha256(b"secret").digest())


def test_a_size_over_the_cap_is_refused_as_such() -> None:
    claim = struct.pack(">QI", 2**63, CHUNK_BYTES)
    with pytest.raises(Rejected) as caught:
        Manifest.decode(claim, max_bytes=1 << 30)
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        struct.pack(">QI", 10, 1) + bytes(320),
        struct.pack(">QI", 10, CHUNK_BYTES),
        struct.pack(">QI", 10, CHUNK_BYTES) + bytes(31),
        struct.pack(">QI", 10, CHUNK_BYTES) + bytes(64),
        struct.pack(">QI", 0, CHUNK_BYTES) + bytes(32),
        struct.pack(">QI", CHUNK_BYTES + 1, CHUNK_BYTES) + bytes(32),
    ],
)
def test_a_manifest_that_contradicts_itself_is_malformed(data: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        Manifest.decode(data, max_bytes=1 << 30)
    assert caught.value.reason == "malformed"


def test_providers_are_grouped_by_what_they_vouch_for() -> None:
    assert Manifest(5, bytes(32)).identity == Manifest(5, bytes(32)).identity
    assert Manifest(5, bytes(32)).identity != Manifest(6, bytes(32)).identity
    assert Manifest(5, bytes(32)).identity != Manifest(5, b"\1" * 32).identity
