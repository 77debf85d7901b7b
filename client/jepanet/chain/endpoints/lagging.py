"""Which endpoints stand behind the others."""

from __future__ import annotations

import time
from collections.abc import Sequence

from jepanet.chain.endpoints.endpoint import Endpoint
from jepanet.telemetry import get_logger

log = get_logger("chain")

_LAG_BLOCKS, _LAG_SECONDS, _LAG_FAR = 3, 5, 20
"""An endpoint lags when it is behind by more than 3 blocks that are 5 seconds of chain time, or 20 blocks."""


def mark_lagging(endpoints: Sequence[Endpoint]) -> None:
    """Compares the heads that they named last, and marks those that lag; one that rests, or serves another
    chain, is left out of it."""
    now = time.monotonic()
    usable = [
        item for item in endpoints if item.health.wrong_chain is None and item.health.rests_until <= now
    ]
    heads = [(item, item.health.head) for item in usable if item.health.head is not None]
    if not heads:
        return
    believed = [head for item, head in heads if item.health.doubted_until <= now]
    best = max(believed or [head for _, head in heads], key=lambda head: head.number)
    for endpoint, head in heads:
        behind = best.number - head.number
        late = best.timestamp - head.timestamp > _LAG_SECONDS
        lags = (behind > _LAG_BLOCKS and late) or behind > _LAG_FAR
        if lags and not endpoint.health.lags:
            log.warning("endpoint.lagged", endpoint=endpoint.name, head=head.number, behind=behind,
                        seconds=best.timestamp - head.timestamp)  # fmt: skip
        endpoint.health.lags = lags
