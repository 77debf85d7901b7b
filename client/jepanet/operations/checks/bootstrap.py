"""Checks of the network: each bootstrap peer is there and is who it should be; own names can be looked up."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Exit, JepanetError
from jepanet.operations.checks.findings import Finding, failed, fine, from_error, warned
from jepanet.operations.reading.visit import open_visit
from jepanet.p2p.host import P2PNode
from jepanet.settings.config import P2PSection

_DIAL_SECONDS = 15.0


async def check_peers(section: P2PSection, deployment: Deployment) -> list[Finding]:
    """Dials every bootstrap peer. All dead: a failure, for this node would be alone; some: a warning."""
    rows = [row for text in section.announce if (row := await _named(text)) is not None]
    if not section.bootstrap:
        return rows
    found: list[Finding] = []
    for wave in _waves(section.bootstrap):
        with tempfile.TemporaryDirectory(prefix="jepanet-check-") as folder:
            try:
                async with open_visit(deployment, Path(folder), ()) as network:
                    found += await asyncio.gather(*(_dial(network, address) for address in wave))
            except JepanetError as error:
                return [*rows, from_error("peers", error, final=False)]
    dead = [row for row in found if row.code is Exit.NO_PEERS]
    if dead and len(dead) < len(found):
        found = [
            warned(row.check, row.text, row.remedy or "") if row.code is Exit.NO_PEERS else row
            for row in found
        ]
    return [*rows, *found]


def _waves(addresses: tuple[str, ...]) -> list[list[str]]:
    """Each with one address a peer: a peer that is connected already would answer for its other addresses."""
    waves: list[dict[str, str]] = []
    for address in dict.fromkeys(addresses):
        peer = address.rpartition("/p2p/")[2]
        wave = next((wave for wave in waves if peer not in wave), None)
        if wave is None:
            waves.append(wave := {})
        wave[peer] = address
    return [list(wave.values()) for wave in waves]


async def _dial(network: P2PNode, address: str) -> Finding:
    try:
        async with asyncio.timeout(_DIAL_SECONDS):
            await network.connect(address)
    except (JepanetError, TimeoutError) as error:
        why = error.message if isinstance(error, JepanetError) else f"no answer in {_DIAL_SECONDS:g} s"
        return failed(
            "peer",
            f"{address}: {why}",
            "ask its operator for the address (`jepanet status` shows it), and look at the firewall",
            Exit.NO_PEERS,
        )
    return fine("peer", f"{address} answers")


async def _named(address: str) -> Finding | None:
    """Whether a name that is announced can be looked up at all."""
    kind, name = address.split("/")[1:3]
    if not kind.startswith("dns"):
        return None
    try:
        await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return failed(
            "announce",
            f"p2p.announce: {name} cannot be looked up ({error.strerror})",
            "correct the name, or wait for its DNS entry",
            Exit.CONFIG,
        )
    return fine("announce", f"{name} can be looked up")
