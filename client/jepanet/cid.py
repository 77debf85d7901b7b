"""32-byte SHA-256 digests <-> CIDv1 strings (https://github.com/multiformats/cid).

The chain stores the digest alone; the codec is pinned by what the field means: `raw` for tensors and
binary shards, `dag-json` for canonical JSON documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import cid as _cid
import multihash
from blake3 import blake3

from jepanet.errors import Rejected
from jepanet.types import Digest

Codec = Literal["raw", "dag-json"]
_CODECS: tuple[Codec, ...] = ("raw", "dag-json")
_READ_SIZE = 1 << 20
_GATHERED = 1 << 16
"""Bytes of small pieces that are hashed together: BLAKE3 is many times as fast on long inputs."""


def digest_of(data: bytes) -> Digest:
    """SHA-256 of `data`."""
    return Digest(hashlib.sha256(data).digest())


def digest_file(path: Path) -> Digest:
    """SHA-256 of a file's content, streamed in 1 MiB reads."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_SIZE):
            state.update(block)
    return Digest(state.digest())


def blake3_of(pieces: Iterable[bytes | memoryview]) -> Digest:
    """BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs), 256 bits, of pieces as if they were joined.

    It is for what is hashed often: as strong as SHA-256, and several times as fast, most of all where the
    processor has no instructions for that.
    """
    state, held, size = blake3(), list[bytes | memoryview](), 0
    for piece in pieces:
        if len(piece) < _GATHERED:
            held.append(piece)
            size += len(piece)
            if size < _GATHERED:
                continue
            piece = b""
        state.update(b"".join(held))
        state.update(piece)
        held, size = [], 0
    state.update(b"".join(held))
    return Digest(state.digest())


def blake3_file(path: Path) -> Digest:
    """BLAKE3 of a file's content, streamed in 1 MiB reads."""
    state = blake3()
    with path.open("rb") as file:
        while block := file.read(_READ_SIZE):
            state.update(block)
    return Digest(state.digest())


def names_file(digest: bytes, path: Path) -> bool:
    """Whether a blob's name is that of a file's content.

    A name is the SHA-256 of the content or, of states for audits, its BLAKE3: a training makes many of them,
    and few are asked for. Content of another's name would be a second preimage of either function.
    """
    return digest == digest_file(path) or digest == blake3_file(path)


def names_data(digest: bytes, data: bytes) -> bool:
    """As `names_file`, of content in memory."""
    return digest == digest_of(data) or digest == blake3_of([data])


def to_cid(digest: bytes, codec: Codec = "raw") -> str:
    """CIDv1, base32 lower case (`bafk...` for raw, `bagu...` for dag-json).

    Raises:
        ValueError: `digest` is not 32 bytes.
    """
    if len(digest) != 32:
        raise ValueError(f"a digest has 32 bytes, not {len(digest)}")
    text: bytes = _cid.make_cid(1, codec, multihash.encode(digest, "sha2-256")).encode("base32")
    return text.decode("ascii")


def from_cid(text: str) -> tuple[Digest, Codec]:
    """The digest and codec of a CIDv1 that uses SHA2-256.

    Raises:
        Rejected: not a CIDv1, another hash function, or a codec other than raw and dag-json.
    """
    if not 50 <= len(text) <= 70:
        raise Rejected(f"{text[:80]!r} is not a CIDv1 with a SHA2-256 hash", reason="bad-cid")
    try:
        parsed = _cid.from_string(text)
        hashed = multihash.decode(parsed.multihash)
    except Exception as error:  # py-cid raises ValueError, KeyError and its own types on hostile text
        raise Rejected(f"{text!r} is not a CID: {error}", reason="bad-cid") from error
    if parsed.version != 1 or hashed.name != "sha2-256" or len(hashed.digest) != 32:
        raise Rejected(f"{text!r}: only CIDv1 with SHA2-256 is used here", reason="bad-cid")
    for codec in _CODECS:
        if parsed.codec == codec:
            digest = Digest(bytes(hashed.digest))
            # The decoder overlooks trailing characters and reads other bases: one digest, one text.
            if to_cid(digest, codec) != text:
                raise Rejected(f"{text!r} is not written as base32 CIDv1", reason="bad-cid")
            return digest, codec
    raise Rejected(f"{text!r}: codec {parsed.codec} is neither raw nor dag-json", reason="bad-cid")


def parse_digest(text: str) -> Digest:
    """A digest given as CID or as 64 hex digits (with or without 0x).

    Raises:
        Rejected: neither.
    """
    plain = text.removeprefix("0x")
    if len(plain) == 64:
        try:
            return Digest(bytes.fromhex(plain))
        except ValueError:
            pass
    return from_cid(text)[0]
