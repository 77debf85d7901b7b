"""`blobs`: what is stored and served, and downloads under way.

Only what is public is told by name: the delta of a round must be known to nobody before its reveal.
"""

from __future__ import annotations

import time

from jepanet.cid import to_cid
from jepanet.operations.views.activity import StoredBlob, Transfer
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method
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
        shown = [
            Transfer(to_cid(item.digest), item.done, item.total, max(0, int(now - item.begun)))
            for item in page.items
        ]
        return Page(tuple(shown), page.next)

    return (
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


def _place(digest: bytes) -> int:
    """Where a file stands in lists."""
    return int.from_bytes(digest[:6])
