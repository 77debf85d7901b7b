"""The peer-to-peer network of a configuration: whether its addresses can be used, and what it is called."""

from __future__ import annotations

from jepanet.chain.contracts.deployment import Deployment
from jepanet.p2p.options import check_addresses, check_announced
from jepanet.settings.config import P2PSection

GOSSIP = "/jepanet/1"
"""What every topic begins with; the number is the protocol's."""


def check_network(section: P2PSection) -> None:
    """Raises:
    Fatal: an address of `[p2p]` that nobody could listen on or dial (exit code `CONFIG`).
    """
    check_addresses(section.listen, section.bootstrap)
    check_announced(section.announce)


def topic_of(deployment: Deployment) -> str:
    """The gossip topic of a deployment: nodes of other chains or contracts are never in it."""
    return f"{GOSSIP}/{deployment.chain_id}/{deployment.rounds.lower()}"
