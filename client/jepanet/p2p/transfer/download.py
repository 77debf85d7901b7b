"""Fetching one blob from whoever has it.

    ask everybody for the manifest ─▶ group providers by equal manifest ─▶ biggest group
         ▲                                                                   │ 16-chunk batches, in parallel
         │ other group                                                       ▼
         └── hash differs: whole group banned, file discarded ◀── every chunk checked, then the whole file

A manifest is only what its provider vouches for. A chunk that differs from it convicts the sender alone; a
whole file that differs from the digest convicts everybody who vouched. Memory is one chunk per provider.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from jepanet.errors import JepanetError, Rejected, Transient
from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.p2p.transfer.frames import (
    CHUNK_BYTES,
    MAX_BATCH,
    RESPONSE_BYTES,
    Kind,
    Manifest,
    Request,
    Status,
    decode_response,
    manifest_bytes,
)
from jepanet.p2p.transfer.partfile import PartFile
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.network.stream.net_stream import NetStream

MANIFEST_SECONDS = 60.0
"""A provider hashes the file before it answers the first time."""
GRACE = 1.0
"""Seconds to wait for further manifests once one is there."""
MAX_PROVIDERS = 32
_MAX_SOURCES = 8
_BUSY_LIMIT = 60
_STEAL_AFTER = 2.0
_WINDOW = 2 << 20
"""Bytes a source may have under way from the start; more would make gossip on the connection wait."""

_log = get_logger("p2p")


class _Unavailable(Exception):
    """This provider will not serve this blob (any more); no fault is proved."""


@dataclass(frozen=True)
class Transport:
    """What a download needs of the network. `open` raises StreamLost when the peer cannot be reached."""

    open: Callable[[str], Awaitable[NetStream]]
    ban: Callable[[str, str], Awaitable[None]]
    stall: float
    retries: int


@dataclass
class _Answers:
    """What the providers answered: manifests by peer, and the peers that named a size over the cap."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)

    def biggest_group(self) -> tuple[Manifest, list[str]]:
        groups: dict[bytes, list[str]] = {}
        for peer, manifest in self.manifests.items():
            groups.setdefault(manifest.identity, []).append(peer)
        # Among equals the one that answered first: it is likely the fastest.
        group = max(groups.values(), key=len)
        return self.manifests[group[0]], group


async def fetch(
    transport: Transport,
    digest: bytes,
    *,
    max_bytes: int,
    directory: Path,
    providers: Sequence[str],
    progress: Callable[[int, int], None],
    came: Callable[[str, int], None],
    flow: Flow,
) -> Path:
    """Downloads the blob into `directory` and returns its verified file, named by the digest in hex.

    `came` is told the peer and the length of every chunk that is kept. `flow` is told every byte of manifests
    and chunks, wanted or not, and of the requests for them.

    Raises:
        Transient: no provider has it, or those that have it failed; what was downloaded is kept.
        Rejected: every provider that has it says it is larger than `max_bytes` (`too-large`).
        Fatal: the disk is full or not writable.
    """
    part = PartFile(directory, digest)
    there = await trio.to_thread.run_sync(part.finished)
    if there is not None:
        return there
    remaining = list(dict.fromkeys(providers))[:MAX_PROVIDERS]
    had_it = False
    while remaining:
        answers = await _ask(transport, digest, max_bytes, remaining, flow)
        if not answers.manifests:
            if answers.too_large and not had_it:
                raise Rejected(
                    f"blob {digest.hex()} is larger than {max_bytes} bytes, say all its providers",
                    reason="too-large",
                )
            break
        had_it = True
        manifest, group = answers.biggest_group()
        job = _Job(transport, digest, manifest, part, progress, came, flow)
        if await job.run(group):
            path = await trio.to_thread.run_sync(part.complete, manifest)
            if path is not None:
                return path
            for peer in group:
                await transport.ban(peer, f"vouched for a wrong manifest of {digest.hex()[:16]}")
        remaining = [peer for peer in remaining if peer not in group]
    if had_it:
        raise Transient(f"every provider of blob {digest.hex()} failed", remedy="it is retried later")
    raise Transient(f"no provider has blob {digest.hex()}", remedy="wait until one is connected")


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _ask(
    transport: Transport, digest: bytes, max_bytes: int, peers: Sequence[str], flow: Flow
) -> _Answers:
    answers = _Answers()
    first = trio.Event()

    async def ask(peer: str) -> None:
        try:
            manifest = await _manifest(transport, peer, digest, max_bytes, flow)
        except (StreamLost, _Unavailable) as error:
            _log.debug("manifest.missed", peer=peer, digest=digest, why=str(error))
        except Rejected as error:
            if error.reason == "too-large":
                answers.too_large.add(peer)
            else:
                await transport.ban(peer, f"malformed manifest: {error}")
        else:
            answers.manifests[peer] = manifest
            first.set()

    async def hurry(scope: trio.CancelScope) -> None:
        await first.wait()
        scope.deadline = trio.current_time() + GRACE

    async with trio.open_nursery() as outer:
        outer.start_soon(hurry, outer.cancel_scope)
        async with trio.open_nursery() as nursery:
            for peer in peers:
                nursery.start_soon(ask, peer)
        outer.cancel_scope.cancel()
    return answers


async def _manifest(transport: Transport, peer: str, digest: bytes, max_bytes: int, flow: Flow) -> Manifest:
    for _ in range(_BUSY_LIMIT):
        safe = SafeStream(await transport.open(peer), transport.stall, flow)
        try:
            await safe.write(Request(Kind.MANIFEST, digest).encode())
            safe.stall = MANIFEST_SECONDS
            status, length = decode_response(await safe.read_exactly(RESPONSE_BYTES, within=MANIFEST_SECONDS))
            safe.stall = transport.stall
            if status is Status.BUSY:
                await trio.sleep(random.uniform(0.25, 0.75))  # noqa: S311  # jitter
                continue
            if status is not Status.OK:
                raise _Unavailable(f"answered {status.name}")
            if length > manifest_bytes(max_bytes):
                raise Rejected(f"a manifest of {length} bytes is over the cap", reason="too-large")
            return Manifest.decode(
                await safe.read_exactly(length, within=MANIFEST_SECONDS), max_bytes=max_bytes
            )
        finally:
            await safe.reset()
    raise _Unavailable("stayed busy")


class _Job:
    """One manifest's chunks, drawn from several sources at once."""

    def __init__(
        self,
        transport: Transport,
        digest: bytes,
        manifest: Manifest,
        part: PartFile,
        progress: Callable[[int, int], None],
        came: Callable[[str, int], None],
        flow: Flow,
    ) -> None:
        self._flow = flow
        self._came = came
        self._transport = transport
        self._digest = digest
        self._manifest = manifest
        self._part = part
        self._progress = progress
        self._missing: set[int] = set()
        self._assigned: dict[int, float] = {}
        self._received = 0
        self._lanes = 1

    async def run(self, sources: Sequence[str]) -> bool:
        """True when every chunk is there; False when all sources failed first."""
        try:
            kept = await trio.to_thread.run_sync(self._part.open, self._manifest)
            self._missing = set(range(self._manifest.chunks)) - kept
            self._received = sum(self._manifest.length_of(index) for index in kept)
            self._progress(self._received, self._manifest.size)
            waiting = list(sources)
            self._lanes = min(len(waiting), _MAX_SOURCES)
            async with trio.open_nursery() as nursery:
                for _ in range(self._lanes):
                    nursery.start_soon(self._lane, waiting, nursery.cancel_scope)
        except* JepanetError as group:  # the nursery wraps what a lane raised
            raise _innermost(group) from None
        finally:
            if self._missing:
                self._part.close()
        return not self._missing

    async def _lane(self, waiting: list[str], all_lanes: trio.CancelScope) -> None:
        """Uses one source after another until nothing is missing."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while self._missing and waiting:
            await self._use(waiting.pop(0), buffer)
        if not self._missing:
            all_lanes.cancel()

    async def _use(self, peer: str, buffer: memoryview) -> None:
        failures = 0
        while self._missing:
            before = self._received
            try:
                await self._drain(peer, buffer)
            except _Unavailable as error:
                _log.info("source.dropped", peer=peer, digest=self._digest, why=str(error))
                return
            except StreamLost as error:
                failures = failures + 1 if self._received == before else 1
                _log.info("source.failed", peer=peer, digest=self._digest, why=str(error), failures=failures)
                if failures > self._transport.retries:
                    return
                await trio.sleep(random.uniform(0.1, 0.3) * 2**failures)  # noqa: S311  # jitter
            except Rejected as error:
                await self._transport.ban(peer, str(error))
                return

    async def _drain(self, peer: str, buffer: memoryview) -> None:
        """Draws batch after batch over one stream until nothing is missing."""
        safe = SafeStream(await self._transport.open(peer), self._transport.stall, self._flow)
        try:
            await safe.widen(_WINDOW)
            while self._missing:
                batch = self._next_batch()
                if not batch:  # all under way elsewhere; take over what does not move
                    await trio.sleep(0.1)
                    continue
                try:
                    await self._draw(safe, batch, buffer)
                finally:
                    for index in batch:
                        self._assigned.pop(index, None)
        finally:
            await safe.reset()

    def _next_batch(self) -> list[int]:
        """The next run of at most 16 missing chunks nobody fetches; else a short run of stuck ones."""
        now = trio.current_time()
        free = [index for index in self._missing if index not in self._assigned]
        limit = MAX_BATCH if self._lanes == 1 else min(MAX_BATCH, -(-len(free) // self._lanes))
        if not free:
            free = [index for index in self._missing if now - self._assigned[index] > _STEAL_AFTER]
            limit = MAX_BATCH // 4
        batch: list[int] = []
        for index in sorted(free):
            if batch and (index != batch[-1] + 1 or len(batch) == limit):
                break
            batch.append(index)
        for index in batch:
            self._assigned[index] = now
        return batch

    async def _draw(self, safe: SafeStream, batch: list[int], buffer: memoryview) -> None:
        stall = self._transport.stall
        for attempt in range(_BUSY_LIMIT):
            await safe.write(Request(Kind.CHUNKS, self._digest, batch[0], len(batch)).encode())
            status, length = decode_response(await safe.read_exactly(RESPONSE_BYTES, within=2 * stall))
            if status is not Status.BUSY or attempt == _BUSY_LIMIT - 1:
                break
            await trio.sleep(random.uniform(0.25, 0.75))  # noqa: S311  # jitter
        for index in batch:
            if index != batch[0]:
                status, length = decode_response(await safe.read_exactly(RESPONSE_BYTES, within=2 * stall))
            if status is not Status.OK:
                raise _Unavailable(f"answered {status.name}")
            if length != self._manifest.length_of(index):
                raise Rejected(f"chunk {index} of another length than vouched for", reason="corrupt")
            await safe.read_into(buffer[:length], within=4 * stall)
            await self._keep(safe.peer_id, index, buffer[:length])
            for later in batch:  # the batch moves: nobody else need take it over
                self._assigned[later] = trio.current_time()

    async def _keep(self, peer: str, index: int, chunk: memoryview) -> None:
        fits = await trio.to_thread.run_sync(partial(self._part.store, self._manifest, index, chunk))
        if not fits:
            raise Rejected(f"corrupt chunk {index} of {self._digest.hex()[:16]}", reason="corrupt")
        if index in self._missing:
            self._missing.discard(index)
            self._received += len(chunk)
            self._came(peer, len(chunk))
            self._progress(self._received, self._manifest.size)
