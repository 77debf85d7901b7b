"""Bytes that came over the network and went out, counted where they are read and written, by kind."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal, get_args

BlobKind = Literal["model", "update", "remainder", "delta", "shard", "document", "other"]
"""What a blob is: a model file; a round's coded update, and what its code lost; a solver's delta; recorded
episodes; anything small that describes a round. `other`: peers' requests, answers about what is not served
here, and files whose kind nobody named."""

BLOB_KINDS: tuple[BlobKind, ...] = get_args(BlobKind)


class Flow:
    """Two counters, of bytes received and of bytes sent; any thread may add."""

    def __init__(self, whole: Flow | None = None) -> None:
        self._whole = whole
        self._guard = threading.Lock()
        self._received = 0
        self._sent = 0

    @property
    def received(self) -> int:
        return self._received

    @property
    def sent(self) -> int:
        return self._sent

    def came(self, count: int) -> None:
        """Adds `count` received bytes, here and to the flow this one is a part of."""
        with self._guard:
            self._received += count
        if self._whole is not None:
            self._whole.came(count)

    def went(self, count: int) -> None:
        """Adds `count` sent bytes, here and to the flow this one is a part of."""
        with self._guard:
            self._sent += count
        if self._whole is not None:
            self._whole.went(count)

    def part(self) -> Flow:
        """A new flow that begins at zero and is counted here too: one transfer of many."""
        return Flow(self)


class Traffic:
    """What one process received and sent since it was started.

    Blobs and gossip are counted as the payload of their libp2p streams: with the headers of the blob protocol
    and the envelopes of gossip, without what Yamux, Noise and TCP put around them. Endpoints of the chain are
    counted as the bodies of requests and answers, by the endpoint's name (a URL without path and secrets).
    """

    def __init__(self) -> None:
        self.gossip = Flow()
        self._blobs: Mapping[BlobKind, Flow] = {kind: Flow() for kind in BLOB_KINDS}
        self._endpoints: dict[str, Flow] = {}
        self._guard = threading.Lock()

    def blobs(self, kind: BlobKind) -> Flow:
        """All transfers of blobs of this kind."""
        return self._blobs[kind]

    def endpoint(self, name: str) -> Flow:
        """All requests to the endpoint of this name."""
        with self._guard:
            return self._endpoints.setdefault(name, Flow())

    def totals(self) -> dict[str, object]:
        """Bytes `received` and `sent` until now, as JSON-able values: `blobs` by kind, `gossip`, `endpoints`
        by name."""
        with self._guard:
            endpoints = dict(self._endpoints)
        return {
            "blobs": {kind: _totals(flow) for kind, flow in self._blobs.items()},
            "gossip": _totals(self.gossip),
            "endpoints": {name: _totals(flow) for name, flow in endpoints.items()},
        }


def _totals(flow: Flow) -> dict[str, int]:
    return {"received": flow.received, "sent": flow.sent}
