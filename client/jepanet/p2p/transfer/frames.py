"""Bytes of the blob protocol, `/jepanet/blob/1`. Integers are big-endian.

A client opens a stream and sends requests one after another; each is answered before the next is read:

    request    kind u8 (1 manifest, 2 chunks) | digest 32 bytes | first u32 | count u32
    response   status u8 | length u32 | body of `length` bytes

`manifest` has one response. Its body is `size u64 | chunk_size u32 | SHA-256 of each chunk, 32 bytes each`.
`chunks` has `count` responses, one chunk each, in order; the first status other than OK ends the batch.
A blob that is not public is NOT_FOUND, like one that never existed.

A blob's name is the SHA-256 of its whole content, so a manifest proves nothing by itself: it is what the
provider vouches for, and what each chunk is checked against while it arrives.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

from jepanet.errors import Rejected

PROTOCOL = "/jepanet/blob/1"
DIGEST_BYTES = 32
CHUNK_BYTES = 1 << 20
MAX_BATCH = 16
"""Chunks per request: 16 MiB, enough to hide a round trip and little to lose with a peer."""
MAX_CHUNKS = 1 << 20
"""A blob has at most 1 TiB; its manifest then has 32 MiB."""

_REQUEST = struct.Struct(">B32sII")
_RESPONSE = struct.Struct(">BI")
_MANIFEST = struct.Struct(">QI")
REQUEST_BYTES = _REQUEST.size
RESPONSE_BYTES = _RESPONSE.size


class Kind(IntEnum):
    MANIFEST = 1
    CHUNKS = 2


class Status(IntEnum):
    OK = 0
    NOT_FOUND = 1
    BUSY = 2
    BAD_REQUEST = 3


@dataclass(frozen=True, slots=True)
class Request:
    """`first` and `count` are chunk numbers; both are 0 in a manifest request."""

    kind: Kind
    digest: bytes
    first: int = 0
    count: int = 0

    def encode(self) -> bytes:
        return _REQUEST.pack(self.kind, self.digest, self.first, self.count)

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """A request from a peer's bytes.

        Raises:
            Rejected: wrong length, unknown kind, or a count that does not fit the kind.
        """
        if len(data) != REQUEST_BYTES:
            raise Rejected(f"a request has {REQUEST_BYTES} bytes, not {len(data)}", reason="malformed")
        number, digest, first, count = _REQUEST.unpack(data)
        try:
            kind = Kind(number)
        except ValueError as error:
            raise Rejected(f"{number} is not a kind of request", reason="malformed") from error
        if kind is Kind.MANIFEST and (first or count):
            raise Rejected("a manifest request names no chunks", reason="malformed")
        if kind is Kind.CHUNKS and (not 1 <= count <= MAX_BATCH or first + count > MAX_CHUNKS):
            raise Rejected(f"{count} chunks from {first} is not a batch", reason="malformed")
        return cls(kind, digest, first, count)


def encode_response(status: Status, length: int = 0) -> bytes:
    """The header that precedes a body of `length` bytes."""
    return _RESPONSE.pack(status, length)


def decode_response(data: bytes) -> tuple[Status, int]:
    """Status and body length. The caller checks the length against what it asked for before reading on.

    Raises:
        Rejected: an unknown status, or a body with a status other than OK.
    """
    number, length = _RESPONSE.unpack(data)
    try:
        status = Status(number)
    except ValueError as error:
        raise Rejected(f"{number} is not a status", reason="malformed") from error
    if status is not Status.OK and length:
        raise Rejected(f"status {status.name} carries no body", reason="malformed")
    return status, length


def chunk_count(size: int) -> int:
    """Chunks of a blob of `size` bytes; an empty blob has none."""
    return -(-size // CHUNK_BYTES)


def manifest_bytes(size: int) -> int:
    """Length of the manifest of a blob of `size` bytes."""
    return _MANIFEST.size + DIGEST_BYTES * chunk_count(size)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a provider says a blob consists of: `size` bytes, `hashes` the SHA-256 of each chunk, joined."""

    size: int
    hashes: bytes

    @property
    def chunks(self) -> int:
        return len(self.hashes) // DIGEST_BYTES

    @property
    def identity(self) -> bytes:
        """Providers with equal identity vouch for the same bytes."""
        return hashlib.sha256(self.encode()).digest()

    def hash_of(self, index: int) -> bytes:
        return self.hashes[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)]

    def length_of(self, index: int) -> int:
        """Bytes of chunk `index`: 1 MiB except for the last."""
        return min(CHUNK_BYTES, self.size - index * CHUNK_BYTES)

    def accepts(self, index: int, chunk: bytes | memoryview) -> bool:
        """Whether `chunk` is what was vouched for at `index`."""
        return len(chunk) == self.length_of(index) and hashlib.sha256(chunk).digest() == self.hash_of(index)

    def encode(self) -> bytes:
        return _MANIFEST.pack(self.size, CHUNK_BYTES) + self.hashes

    @classmethod
    def decode(cls, data: bytes, *, max_bytes: int) -> Manifest:
        """A manifest from a peer's bytes, for a blob of at most `max_bytes`.

        Raises:
            Rejected: `too-large` when the blob is over the cap; `malformed` when size, chunk size and number
                of hashes disagree.
        """
        if len(data) < _MANIFEST.size:
            raise Rejected("shorter than a manifest", reason="malformed")
        size, chunk_size = _MANIFEST.unpack_from(data)
        if chunk_size != CHUNK_BYTES:
            raise Rejected(f"chunks of {chunk_size} bytes, not {CHUNK_BYTES}", reason="malformed")
        if size > max_bytes:
            raise Rejected(f"a blob of {size} bytes, more than {max_bytes}", reason="too-large")
        if len(data) != manifest_bytes(size):
            raise Rejected(f"{len(data)} bytes is no manifest of {size} bytes", reason="malformed")
        return cls(size, data[_MANIFEST.size :])
