"""Digests and the CIDs people see."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cid as py_cid
import multihash
import pytest

from jepanet.cid import blake3_of, digest_file, digest_of, from_cid, parse_digest, to_cid
from jepanet.errors import Rejected

pytestmark = pytest.mark.unit


def test_the_cid_of_the_empty_blob_is_the_published_one() -> None:
    # Known from every other implementation: the raw CIDv1 of zero bytes.
    assert to_cid(digest_of(b"")) == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


def test_blake3_is_the_published_one_however_the_input_is_cut() -> None:
    """Vectors of https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json."""
    assert blake3_of([]).hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    whole = bytes(place % 251 for place in range(102_400))
    said = "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"
    for step in (1000, 40_000, 70_000, len(whole)):
        pieces = [memoryview(whole)[first : first + step] for first in range(0, len(whole), step)]
        assert blake3_of([*pieces, b""]).hex() == said, step


@pytest.mark.parametrize("codec", ["raw", "dag-json"])
def test_a_cid_gives_its_digest_and_codec_back(codec: str) -> None:
    digest = digest_of(b"jepanet")
    assert from_cid(to_cid(digest, codec)) == (digest, codec)  # type: ignore[arg-type]  # parametrised
    assert parse_digest(to_cid(digest, codec)) == digest  # type: ignore[arg-type]  # parametrised


def test_a_digest_may_be_written_as_hex() -> None:
    digest = digest_of(b"jepanet")
    assert parse_digest(digest.hex()) == digest
    assert parse_digest("0x" + digest.hex().upper()) == digest


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than two reads
    path = tmp_path / "blob"
    path.write_bytes(data)
    assert digest_file(path) == hashlib.sha256(data).digest()


@pytest.mark.parametrize("length", [0, 31, 33])
def test_only_32_bytes_are_a_digest(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        to_cid(bytes(length))


def _hostile() -> list[str]:
    digest = digest_of(b"x")
    sha512 = multihash.encode(hashlib.sha512(b"x").digest(), "sha2-512")
    short = multihash.encode(digest, "sha2-256")
    return [
        "",
        "a",
        "bafk",
        "z" * 60,
        "b" + "!" * 58,
        "bafkrei" + "\u0430" * 52,  # Cyrillic letters that look Latin
        "\0" * 59,
        "bafkrei" * 10_000,
        py_cid.make_cid(0, "dag-pb", short).encode().decode(),  # CIDv0
        py_cid.make_cid(1, "dag-pb", short).encode("base32").decode(),
        py_cid.make_cid(1, "raw", sha512).encode("base32").decode(),
        to_cid(digest)[:-1],
        to_cid(digest) + "a",
        py_cid.make_cid(1, "raw", short).encode("base58btc").decode(),
        py_cid.make_cid(1, "raw", short).encode("base16").decode(),
        to_cid(digest).upper(),
        digest.hex()[:-1],
        "0x0x" + digest.hex()[:-2],
        "g" * 64,
        " " + digest.hex()[:-1],
    ]


@pytest.mark.parametrize("text", _hostile(), ids=range(len(_hostile())))
def test_hostile_text_is_rejected_and_not_echoed_at_length(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_digest(text)
    assert caught.value.reason == "bad-cid"
    assert len(str(caught.value)) < 400
