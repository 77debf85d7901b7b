"""Whether others can dial a running node: somebody did, or connected peers are asked to knock at its port."""

from __future__ import annotations

import asyncio
import random
from typing import Final, Protocol

from jepanet.errors import JepanetError
from jepanet.p2p.host import PeerInfo, Verdict
from jepanet.telemetry import get_logger

log = get_logger("node")

_FIRST: Final = 60.0
"""Seconds after the start: by then peers were dialled."""
_EVERY: Final = 900.0
_ASKED: Final = 3
"""Peers that are asked at a time; one that was answered is enough."""


class _Network(Protocol):
    @property
    def addresses(self) -> tuple[str, ...]: ...

    async def peers(self) -> tuple[PeerInfo, ...]: ...

    async def dialled_back(self, peer_id: str, port: int) -> Verdict: ...


class Reachable:
    """`found`: the newest answer; None where nobody could tell yet.

    After a restart a node dials its peers itself, and nobody has to dial it: that none of its connections is
    inbound says nothing.
    """

    def __init__(self, network: _Network) -> None:
        self._network = network
        self.found: bool | None = None

    async def watch(self) -> None:
        """Looks again and again, sooner as long as nobody could tell."""
        while True:
            await asyncio.sleep(_FIRST if self.found is None else _EVERY)
            await self.look()

    async def look(self) -> None:
        """Looks once. What nobody can tell now leaves what was found before."""
        peers = await self._network.peers()
        if any(not item.outbound for item in peers):
            self.found = True
            return
        silent, port = False, int(self._network.addresses[0].split("/")[4])
        for item in random.sample(peers, min(_ASKED, len(peers))):
            try:
                said = await self._network.dialled_back(item.peer_id, port)
            except JepanetError as error:  # it went, or is of a version that does not know this
                log.debug("reach.unanswered", peer=item.peer_id, why=str(error))
                continue
            if said is Verdict.ANSWERED:
                self.found = True
                return
            silent = silent or said is Verdict.SILENT
        if silent:
            self.found = False
