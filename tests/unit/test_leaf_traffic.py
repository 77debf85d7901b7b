"""Counters of bytes: exact from any number of threads, and a part counts into its whole."""

from __future__ import annotations

import threading

import pytest

from jepanet.traffic import BLOB_KINDS, Traffic

pytestmark = pytest.mark.unit


def test_nothing_is_lost_between_threads() -> None:
    traffic = Traffic()

    def transfer() -> None:
        part = traffic.blobs("model").part()
        for _ in range(2000):
            part.came(3)
            part.went(1)
        assert (part.received, part.sent) == (6000, 2000)
        traffic.endpoint("https://rpc.example").came(1)

    threads = [threading.Thread(target=transfer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model = traffic.blobs("model")
    assert (model.received, model.sent) == (48_000, 16_000)
    assert traffic.endpoint("https://rpc.example").received == 8


def test_every_kind_is_shown_from_the_start() -> None:
    blobs = Traffic().totals()["blobs"]
    assert isinstance(blobs, dict)
    assert blobs == {kind: {"received": 0, "sent": 0} for kind in BLOB_KINDS}
