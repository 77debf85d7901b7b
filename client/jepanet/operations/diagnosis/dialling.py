"""Whether others can dial this node: a bootstrap peer knocks at its port, from where it is."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import JepanetError
from jepanet.operations.checks.findings import Finding, fine, from_error, warned
from jepanet.operations.reading.visit import VISIT, open_visit
from jepanet.p2p.host import P2PNode, Verdict
from jepanet.p2p.options import parse_listen
from jepanet.settings.config import P2PSection

_SECONDS = 30.0
_REMEDY = (
    "open the port in the firewall and forward it on the router, and write where others reach you into "
    "p2p.announce"
)


async def check_dialable(section: P2PSection, deployment: Deployment, *, running: bool) -> list[Finding]:
    """Asks every bootstrap peer that answers to knock at this node's port.

    Where the node does not run, this process answers at its port meanwhile. Without bootstrap peers there is
    nobody to ask: the first node of a network is dialled by the others.
    """
    port = _port(section)
    if not section.bootstrap or not port:
        return []
    listen = VISIT if running else section.listen
    found: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="jepanet-doctor-") as folder:
        try:
            async with open_visit(deployment, Path(folder), (), listen=listen) as visit:
                for address in section.bootstrap:
                    found += await _asked(visit, address, port)
        except JepanetError as error:
            return [from_error("dialable", error, final=False)]
    return found or [warned("dialable", "no bootstrap peer could be asked", "look again when one answers")]


async def _asked(visit: P2PNode, address: str, port: int) -> list[Finding]:
    """What one peer says; nothing where it is away (the row `peer` says so), or of another version."""
    try:
        async with asyncio.timeout(_SECONDS):
            await visit.connect(address)
            return [
                judge_knock(address, port, await visit.dialled_back(address.rpartition("/p2p/")[2], port))
            ]
    except (JepanetError, TimeoutError):
        return []


def judge_knock(address: str, port: int, verdict: Verdict) -> Finding:
    """What a peer says of this node's port."""
    who = address.split("/")[2]
    if verdict is Verdict.ANSWERED:
        return fine("dialable", f"{who} reaches port {port} of this node")
    if verdict is Verdict.SILENT:
        text = f"{who} cannot reach port {port} of this node: others will not get its deltas from it"
        return warned("dialable", text, _REMEDY)
    why = "is busy" if verdict is Verdict.BUSY else "sees this node at an address that it does not dial"
    return fine("dialable", f"not known: {who} {why}")


def _port(section: P2PSection) -> int:
    """The port at which others dial this node: the announced one, or where it listens."""
    if section.announce:
        return int(section.announce[0].split("/")[4])
    return parse_listen(section.listen)[2]
