"""`blobs`: what is stored and served, and downloads under way.

Only what is public is told by name: the delta of a round must be known to nobody before its reveal.
"""

from __future__ import annotations

import time

from jepanet.cid import to_cid
from jepanet.operations.views.activity import Fetched, Source, StoredBlob, Transfer
from jepanet.rpc.handles.running import Download, RunningNode
from jepanet.rpc.method import Method, NoParams
from jepanet.rpc.offered.paging import Page, PageParams, page_of


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def stored(given: PageParams) -> Page[StoredBlob]:
        found = sorted(node.blobs.public(), key=lambda item: _place(item[0]))
        page = page_of(found, lambda item: _place(item[0]), given.limit, given.cursor)
        shown = [
            StoredBlob(to_cid(digest), size, bool(node.blobs.pins(digest))) for digest, size in page.items
        ]
        return Page(tuple(shown), page.next)

    async def transfers(given: PageParams) -> Page[Transfer]:
        now = time.monotonic()
        found = sorted(node.network.transfers(), key=lambda item: _place(item.digest))
        page = page_of(found, lambda item: _place(item.digest), given.limit, given.cursor)
        return Page(tuple(shown_transfer(item, now) for item in page.items), page.next)

    async def fetched(_: NoParams) -> tuple[Fetched, ...]:
        since = time.time() - time.monotonic()
        return tuple(_fetched(item, since) for item in node.network.fetched())

    return (
        Method(
            "blobs.fetched",
            "The newest 50 downloads that have ended, the newest first, and which peers sent them",
            NoParams,
            tuple[Fetched, ...],
            fetched,
        ),
        Method(
            "blobs.list", "Stored files that are served to everybody", PageParams, Page[StoredBlob], stored
        ),
        Method(
            "blobs.transfers",
            "Downloads that are under way, with their progress",
            PageParams,
            Page[Transfer],
            transfers,
        ),
    )


def _sources(item: Download) -> tuple[Source, ...]:
    # A copy in one step: the network's thread goes on adding to it.
    found = sorted(dict(item.sources).items(), key=lambda source: (-source[1], source[0]))
    return tuple(Source(peer, count) for peer, count in found)


def shown_transfer(item: Download, now: float) -> Transfer:
    """`now`: on the clock of `time.monotonic`."""
    took = max(0, int(now - item.begun))
    return Transfer(to_cid(item.digest), item.kind, item.done, item.total, took, _sources(item))


def _fetched(item: Download, since: float) -> Fetched:
    """`since`: when the clock of `time.monotonic` stood at 0, in seconds of Unix."""
    ended = item.begun if item.ended is None else item.ended
    took = round(max(0.0, ended - item.begun), 3)
    return Fetched(
        to_cid(item.digest), item.kind, item.done, took, int(since + ended), item.failure, _sources(item)
    )


def _place(digest: bytes) -> int:
    """Where a file stands in lists."""
    return int.from_bytes(digest[:6])
