"""What an IP address leads to, and which endpoints no peer can be at: one rule for every way in.

never               this host's wildcard, multicast, link-local, broadcast, reserved, port 0
loopback, private   only where this node announces such itself (`horizon`)
names               judged by what they resolve to, at the moment of dialling (`horizon`)

IPv6 forms that carry an IPv4 address are judged by that address: https://www.rfc-editor.org/rfc/rfc4291
(mapped), https://www.rfc-editor.org/rfc/rfc6052 (NAT64), https://www.rfc-editor.org/rfc/rfc3056 (6to4).
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_network

from jepanet.errors import Rejected


class Reach(Enum):
    """How far away an address can be."""

    NOWHERE = "nowhere"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    PUBLIC = "public"


_PRIVATE = tuple(
    # The last of the first row is the space behind carrier-grade NAT, which overlay networks use too.
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_FOR_EXAMPLES = tuple(
    # They lead nowhere, and harm nobody who copies them from a manual.
    map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
)
_ASSIGNMENTS, _RELAYS = ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24")
_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_MAX_NAME = 253


def reach_of(text: str) -> Reach:
    """Where an IP address leads; a zone (`%eth0`) or anything that is no address leads nowhere."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return Reach.NOWHERE
    if isinstance(address, IPv4Address):
        return _reach_of_4(address)
    if address.scope_id is not None:
        return Reach.NOWHERE
    if address.ipv4_mapped is not None:
        return _reach_of_4(address.ipv4_mapped)
    carried = _carried(address)
    if carried is not None:
        return Reach.PUBLIC if _reach_of_4(carried) is Reach.PUBLIC else Reach.NOWHERE
    if address.is_loopback:
        return Reach.LOOPBACK
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if any(address in network for network in _FOR_EXAMPLES):
        return Reach.PUBLIC
    return Reach.PUBLIC if address in _UNICAST and address.is_global else Reach.NOWHERE


def _reach_of_4(address: IPv4Address) -> Reach:
    if address.is_loopback:
        return Reach.LOOPBACK
    if any(address in network for network in _PRIVATE):
        return Reach.PRIVATE
    if any(address in network for network in _FOR_EXAMPLES):
        return Reach.PUBLIC
    odd = address.is_multicast or address.is_reserved or address in _ASSIGNMENTS or address in _RELAYS
    return Reach.PUBLIC if address.is_global and not odd else Reach.NOWHERE


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    # Teredo hides a server and a client: whoever is behind it, no node is reached there.
    return IPv4Address(0) if address.teredo is not None else None


def check_endpoint(kind: str, host: str, port: int) -> None:
    """Refuses what no peer can be at; `kind` is `ip4`, `ip6`, `dns`, `dns4` or `dns6`.

    Raises:
        Rejected: reason `bad-address`; a wildcard, multicast, link-local, broadcast or reserved address, a
            name that is none, or port 0.
    """
    if not 1 <= port <= 65535:
        raise Rejected(f"nobody can be dialled at port {port}", reason="bad-address")
    if kind.startswith("ip"):
        if reach_of(host) is Reach.NOWHERE:
            raise Rejected(
                f"nobody can be dialled at {host}: a wildcard, multicast, link-local or reserved address",
                reason="bad-address",
            )
        return
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_NAME or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        # The C library takes 127.1, 0x7f000001 and 2130706433 for addresses.
        raise Rejected(f"{host[:80]!r} is no host name", reason="bad-address")
