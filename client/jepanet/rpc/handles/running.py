"""What the methods need of a running node. `node` has it; neither room imports the other."""

from __future__ import annotations

from typing import Protocol

from jepanet.chain.contracts.deployment import Deployment
from jepanet.protocol.state import NodeState
from jepanet.settings.config import Config
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal


class RunningNode(Protocol):
    """Open handles of a node; everything is read on its event loop."""

    @property
    def config(self) -> Config: ...

    @property
    def deployment(self) -> Deployment: ...

    @property
    def journal(self) -> Journal: ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def state(self) -> NodeState: ...

    @property
    def caught_up(self) -> bool:
        """Whether its state is that of the newest confirmed block."""

    async def status(self) -> dict[str, object]:
        """What it writes for `jepanet status`."""
