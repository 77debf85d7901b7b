"""Blobs by digest: from disk, or from peers into the store, hash checked while they stream."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Rejected, Transient
from jepanet.roles.context import Context
from jepanet.telemetry import get_logger
from jepanet.traffic import BlobKind
from jepanet.types import Digest, RoundId

log = get_logger("roles")

_ROUND_PIN = "round/"


async def obtain(
    context: Context,
    digest: Digest,
    *,
    kind: BlobKind,
    max_bytes: int,
    pin: str,
    providers: Sequence[str] = (),
    publish: bool = True,
) -> Path:
    """The local path of a blob, fetched if it is not here yet.

    What is public anyway is served on (`publish`), so that a network survives the loss of its first provider.
    `pin` names who needs it; the store never collects a pinned blob. `kind` is what its bytes are counted as.

    Raises:
        Transient: no peer has it (yet).
        Rejected: larger than `max_bytes`.
    """
    path = context.blobs.path(digest)
    if path is None:
        async with context.turns.of(digest):  # who comes second finds what the first one brought
            if context.blobs.path(digest) is None:
                hints = tuple(dict.fromkeys((*providers, *context.providers(digest))))
                fetched = await _fetch(context, digest, kind, max_bytes, hints)
                await keep(context, fetched, digest, pin=pin)
        path = context.blobs.path(digest)
        if path is None:
            raise Transient(f"blob {digest.hex()} left the store while it was being kept")
    context.blobs.pin(digest, pin)
    if publish:
        context.blobs.publish(digest)
    return path


async def _fetch(
    context: Context, digest: Digest, kind: BlobKind, max_bytes: int, hints: Sequence[str]
) -> Path:
    """From the announced providers; if none of them delivers, from whoever is connected.

    Announcements are hints that anybody with a part in a round may give, also of nothing or of lies. Both
    lines of the log have the bytes that came over the wire, whether or not they were of any use.
    """
    attempts: list[Sequence[str]] = [hints, ()] if hints else [()]
    while True:
        providers = attempts.pop(0)
        flow = context.traffic.blobs(kind).part()
        try:
            fetched = await context.network.fetch(
                digest,
                max_bytes=max_bytes,
                directory=context.blobs.incoming,
                providers=providers,
                flow=flow,
                kind=kind,
            )
        except (Transient, Rejected) as error:
            log.info("blob.missed", digest=digest, kind=kind, bytes=flow.received, why=str(error))
            if not attempts:
                raise
        else:
            log.info("blob.fetched", digest=digest, kind=kind, bytes=flow.received)
            return fetched


async def keep(context: Context, file: Path, digest: Digest, *, pin: str) -> None:
    """Takes a file among the blobs, for `pin`; it is hashed beside the event loop.

    Raises:
        Rejected: its content is another (reason `wrong-digest`).
        Transient: no room in the budget. Fatal: no room on the disk.
    """
    await asyncio.to_thread(context.blobs.put_file, file, digest, move=True, pin=pin)


def round_pin(round_id: RoundId) -> str:
    """Who pins a round's blobs; released when the round is no longer served, or forgotten."""
    return f"{_ROUND_PIN}{round_id}"


def pinning_round(owner: str) -> RoundId | None:
    """The round whose pin `round_pin` named so; None for any other owner."""
    number = owner.removeprefix(_ROUND_PIN)
    return RoundId(int(number)) if number != owner and number.isdecimal() else None


def stored(context: Context, digest: Digest) -> Path:
    """The local path of a blob that was obtained before. Raises: Rejected (`blob-missing`) without one."""
    path = context.blobs.path(digest)
    if path is None:
        raise Rejected(f"blob {digest.hex()} is gone from the store", reason="blob-missing")
    return path


async def obtain_bytes(context: Context, digest: Digest, *, max_bytes: int, pin: str) -> bytes:
    """Content of a document, a small blob, verified on reading. Raises as `obtain` does."""
    await obtain(context, digest, kind="document", max_bytes=max_bytes, pin=pin)
    return context.blobs.read(digest, max_bytes=max_bytes)


async def obtain_document(context: Context, digest: Digest, *, max_bytes: int, pin: str) -> bytes:
    """As `obtain_bytes`, of what a round is done by. Transcripts and other documents tell it by its SHA-256:
    under another name of the same bytes nothing would fit, and somebody honest would be at fault.

    Raises:
        Rejected: it is named by its BLAKE3 (`wrong-digest`), as only states are; and as `obtain_bytes`.
    """
    data = await obtain_bytes(context, digest, max_bytes=max_bytes, pin=pin)
    if digest_of(data) != digest:
        raise Rejected(
            f"document {digest.hex()} is not named by its SHA-256, which is {digest_of(data).hex()}",
            reason="wrong-digest",
        )
    return data
