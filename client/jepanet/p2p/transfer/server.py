"""Serving public blobs, one bounded upload at a time (`frames` has the bytes).

The server reads only paths that `BlobSource.open_public` returns for a digest, never anything a peer names,
and gives a private blob the same answer as an unknown one. Its memory is one chunk per upload.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import trio

from jepanet.cid import blake3_of
from jepanet.errors import Rejected
from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.p2p.transfer.frames import (
    CHUNK_BYTES,
    MAX_CHUNKS,
    REQUEST_BYTES,
    Kind,
    Manifest,
    Request,
    Status,
    chunk_count,
    encode_response,
)
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

IDLE = 60.0
"""Seconds a client may keep its stream open between two requests."""
_PER_PEER_UPLOADS = 4
_CACHED_MANIFESTS = 1024
_CACHED_BYTES = 64 << 20
_BAD_REQUEST_POINTS = 50.0

_log = get_logger("p2p")


class BlobSource(Protocol):
    """Where public blobs are. Called on the asyncio loop, so it must answer without waiting."""

    def open_public(self, digest: bytes) -> Path | None:
        """The file whose SHA-256 is `digest`, if it is complete, immutable and public; else None."""
        ...


class BlobServer:
    """The handler of `/jepanet/blob/1`. Lives on the trio side.

    What is sent of a blob is told to `flow_of` its file, which may read it; requests, and answers that send
    nothing, to `flow`.
    """

    def __init__(
        self,
        find: Callable[[bytes], Awaitable[Path | None]],
        *,
        max_uploads: int,
        stall: float,
        charge: Callable[[str, float, str], None],
        flow: Flow,
        flow_of: Callable[[Path], Flow],
    ) -> None:
        self._find = find
        self._flow = flow
        self._flow_of = flow_of
        self._max_uploads = max_uploads
        self._stall = stall
        self._charge = charge
        self._uploads: Counter[str] = Counter()
        self._manifests: OrderedDict[bytes, Manifest] = OrderedDict()
        self._hashing = trio.Lock()

    async def handle(self, stream: NetStream) -> None:
        """Answers requests until the client closes, errs or idles."""
        safe = SafeStream(stream, IDLE, self._flow)
        try:
            while not await safe.ended():
                safe.stall = self._stall
                request = Request.decode(await safe.read_exactly(REQUEST_BYTES, within=self._stall))
                await self._admit(safe, request)
                safe.stall = IDLE
            await safe.finish()
        except Rejected as error:
            self._charge(safe.peer_id, _BAD_REQUEST_POINTS, f"bad blob request: {error}")
            await safe.reset()
        except StreamLost as error:
            _log.debug("upload.ended", peer=safe.peer_id, error=str(error))
            await safe.reset()
        except BaseException:
            await safe.reset()
            raise

    async def _admit(self, safe: SafeStream, request: Request) -> None:
        peer = safe.peer_id
        if self._uploads.total() >= self._max_uploads or self._uploads[peer] >= _PER_PEER_UPLOADS:
            await safe.write(encode_response(Status.BUSY))
            return
        self._uploads[peer] += 1
        try:
            await self._answer(safe, request)
        except OSError as error:
            _log.warning("blob.unread", digest=request.digest, error=str(error))
            raise StreamLost("the blob cannot be read") from error
        finally:
            safe.flow = self._flow
            self._uploads[peer] -= 1
            if not self._uploads[peer]:
                del self._uploads[peer]

    async def _answer(self, safe: SafeStream, request: Request) -> None:
        path = await self._find(request.digest)
        if path is None:
            await safe.write(encode_response(Status.NOT_FOUND))
        elif request.kind is Kind.MANIFEST:
            manifest = await self._manifest(request.digest, path)
            if manifest is None:
                await safe.write(encode_response(Status.NOT_FOUND))
                return
            body = manifest.encode()
            safe.flow = await trio.to_thread.run_sync(self._flow_of, path)
            await safe.write(encode_response(Status.OK, len(body)) + body, within=8 * self._stall)
        else:
            await self._send_chunks(safe, request, path)

    async def _send_chunks(self, safe: SafeStream, request: Request, path: Path) -> None:
        descriptor, size = await trio.to_thread.run_sync(_open, path)
        try:
            if request.first + request.count > chunk_count(size):
                raise Rejected("chunks past the end of the blob", reason="malformed")
            safe.flow = await trio.to_thread.run_sync(self._flow_of, path)
            for index in range(request.first, request.first + request.count):
                offset = index * CHUNK_BYTES
                length = min(CHUNK_BYTES, size - offset)
                chunk = await trio.to_thread.run_sync(os.pread, descriptor, length, offset)
                if len(chunk) != length:
                    raise OSError(f"{path} became shorter while it was served")
                await safe.write(encode_response(Status.OK, length))
                # A receiver that takes a chunk slower than this would hold an upload slot for nothing.
                await safe.write(chunk, within=4 * self._stall)
        finally:
            os.close(descriptor)

    async def _manifest(self, digest: bytes, path: Path) -> Manifest | None:
        if digest not in self._manifests:
            # One at a time: hashing a large file is the dearest thing a peer can ask for.
            async with self._hashing:
                if digest not in self._manifests:
                    manifest = await trio.to_thread.run_sync(partial(build_manifest, path, digest))
                    if manifest is None:
                        _log.error("blob.damaged", digest=digest, path=str(path))
                        return None
                    self._remember(digest, manifest)
        self._manifests.move_to_end(digest)
        return self._manifests[digest]

    def _remember(self, digest: bytes, manifest: Manifest) -> None:
        self._manifests[digest] = manifest
        while len(self._manifests) > 1 and (
            len(self._manifests) > _CACHED_MANIFESTS
            or sum(len(held.hashes) for held in self._manifests.values()) > _CACHED_BYTES
        ):
            self._manifests.popitem(last=False)


def _open(path: Path) -> tuple[int, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return descriptor, status.st_size


def build_manifest(path: Path, digest: bytes) -> Manifest | None:
    """The manifest of the file at `path`, or None when `digest` is not its name. Reads 1 MiB at a time.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is larger than a blob may be.
    """
    descriptor, size = _open(path)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if chunk_count(size) > MAX_CHUNKS:
            raise OSError(f"{path} has {size} bytes, more than a blob may have")
        whole = hashlib.sha256()
        hashes = bytearray()
        total = 0
        while total < size and (chunk := file.read(min(CHUNK_BYTES, size - total))):
            while len(chunk) < min(CHUNK_BYTES, size - total) and (
                more := file.read(CHUNK_BYTES - len(chunk))
            ):
                chunk += more
            whole.update(chunk)
            hashes += hashlib.sha256(chunk).digest()
            total += len(chunk)
        named = whole.digest() == digest
        if not named and total == size:
            file.seek(0)
            named = blake3_of(iter(partial(file.read, CHUNK_BYTES), b"")) == digest
    return Manifest(size, bytes(hashes)) if total == size and named else None
