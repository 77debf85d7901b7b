"""What a running node does beside its duties: its status file, its housekeeping, an eye on its network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from jepanet.node.engine import Engine
from jepanet.node.status import write_status
from jepanet.p2p.host import P2PNode
from jepanet.protocol.models.keeping import kept_rounds
from jepanet.protocol.state import NodeState
from jepanet.roles.steps.obtain import pinning_round
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.telemetry import get_logger, tell_repeated

log = get_logger("node")

_STATUS_EVERY = 2.0
_NO_PEERS_PATIENCE = 30.0
_HOUSE_EVERY = 60.0
_BLOCKS_KEPT = 8192
"""Far more than any chain has taken back, and than what is held against an endpoint's chain at a start."""
_BLOCKS_AT_ONCE = 5000
"""A few milliseconds of work, and many times the blocks that any chain makes meanwhile."""


async def keep_status(path: Path, status: Callable[[], Awaitable[dict[str, object]]]) -> None:
    """Writes the status file by time, not by blocks: a node whose chain stands still must say so."""
    while True:
        try:
            write_status(path, await status())
        except OSError as error:
            log.warning("status.unsaved", path=str(path), why=error.strerror,
                        remedy="make room or mend the folder's permissions")  # fmt: skip
        await asyncio.sleep(_STATUS_EVERY)


async def keep_house(engine: Engine, blobs: BlobStore, journal: Journal) -> None:
    """Forgets what nothing needs any more: pins of ended rounds, blobs over the budget, old empty blocks."""
    while True:
        await asyncio.sleep(_HOUSE_EVERY)
        tell_repeated()
        release_ended(engine.state, blobs)
        await asyncio.to_thread(blobs.collect)
        await asyncio.to_thread(journal.forget_empty_blocks, kept=_BLOCKS_KEPT, at_once=_BLOCKS_AT_ONCE)


def release_ended(state: NodeState, blobs: BlobStore) -> None:
    """Ends the pins of rounds that are kept no longer, also of those that the state has forgotten: a node
    that was down for many rounds passes over them when it catches up."""
    kept = kept_rounds(state)
    newest = max(state.rounds, default=0)
    for owner in blobs.owners():
        number = pinning_round(owner)
        if number is not None and number not in kept and number <= newest:
            blobs.unpin_owner(owner)


async def watch_network(network: P2PNode, bootstrap: Sequence[str]) -> None:
    """Ends with the network thread's error if that dies; warns as long as nobody is connected."""
    failure = asyncio.ensure_future(asyncio.shield(network.failure))
    lonely_since: float | None = time.monotonic()
    while True:
        done, _ = await asyncio.wait({failure}, timeout=5.0)
        if done:
            failure.result()
        if await network.peers():
            lonely_since = None
        elif lonely_since is None:
            lonely_since = time.monotonic()
        elif time.monotonic() - lonely_since > _NO_PEERS_PATIENCE and bootstrap:
            log.warning("network.isolated", tried=list(bootstrap),
                        remedy="check the addresses in p2p.bootstrap and the firewall")  # fmt: skip
            lonely_since = time.monotonic()
