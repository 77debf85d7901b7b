"""A short stay in the peer-to-peer network under a new identity, serving and publishing nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.p2p.host import Admission, Gossip, P2PConfig, P2PNode
from jepanet.settings.network import topic_of
from jepanet.telemetry import Secret

VISIT = "/ip4/127.0.0.1/tcp/0"
"""Where a visitor listens: it is dialled by nobody."""


@asynccontextmanager
async def open_visit(
    deployment: Deployment, directory: Path, peers: tuple[str, ...], *, listen: str = VISIT
) -> AsyncIterator[P2PNode]:
    """A network node of this deployment that dials `peers`. `directory` is made if need be.

    Raises: Fatal as `P2PNode.start`.
    """
    config = P2PConfig(
        listen=listen,
        bootstrap=peers,
        node_key=Secret(os.urandom(32)),
        directory=directory,
        dial_private=True,
        topic=topic_of(deployment),
    )
    config.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    network = P2PNode(config, _Nothing(), _ignore)
    await network.start()
    try:
        yield network
    finally:
        await network.stop()


class _Nothing:
    """Serves no blob."""

    def open_public(self, digest: bytes) -> Path | None:
        return None


async def _ignore(gossip: Gossip) -> Admission:
    return Admission.IGNORE
