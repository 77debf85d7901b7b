"""Whom this node dials: every address is judged here, names by what they resolve to, just before dialling.

The address that was judged is the one that is dialled, so a name that resolves differently a moment later
changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import trio

from jepanet.errors import Rejected
from jepanet.p2p.identity import PeerAddress
from jepanet.p2p.interfaces import announced_for, broadcast_addresses
from jepanet.p2p.peers.reach import Reach, reach_of
from jepanet.telemetry import get_logger

RESOLVE_SECONDS = 10.0
_MOST_TARGETS = 3
_FAMILIES = {"dns": socket.AF_UNSPEC, "dns4": socket.AF_INET, "dns6": socket.AF_INET6}

_log = get_logger("p2p")


class Horizon:
    """What this node announces, and what it therefore dials.

    `announce`: as configured; without it the addresses at which the node listens, a wildcard as the addresses
    of its interfaces. `private`: also dial private and loopback addresses that the node announces none of.
    """

    def __init__(self, announce: Sequence[str], *, private: bool) -> None:
        self._configured = tuple(announce)
        self._private = private
        self._broadcasts: frozenset[str] = frozenset()
        self._hosts: frozenset[str] = frozenset()
        self._named: frozenset[str] = frozenset()
        self.announced: tuple[str, ...] = ()

    def look(self, listening: Sequence[str]) -> bool:
        """Looks at the interfaces; True when what is announced has changed.

        `listening`: the node's sockets as `/ip4|ip6/HOST/tcp/PORT`.
        """
        before = self.announced
        self.announced = self._configured or tuple(each for item in listening for each in announced_for(item))
        self._broadcasts = broadcast_addresses()
        self._hosts = frozenset(item.split("/")[2] for item in self.announced if item.startswith("/ip"))
        return self.announced != before

    async def look_up(self) -> None:
        """Resolves the names among what is announced: whether they are private or not."""
        found: set[str] = set()
        for text in self.announced:
            _, kind, name, _, port = text.split("/")
            if kind.startswith("dns"):
                try:
                    found.update(await _resolve(kind, name, int(port)))
                except OSError as error:
                    _log.warning("announce.unresolved", name=name, why=str(error))
        self._named = frozenset(found)

    async def targets(self, address: PeerAddress, *, given: bool = False) -> list[str]:
        """The addresses `/ip4|ip6/HOST/tcp/PORT` to dial for a peer's address, at most three.

        `given`: by this node's operator, whose word for a private or loopback address is taken (not for a
        name, which somebody else may resolve).

        Raises:
            Rejected: reason `out-of-reach`; none of them may be dialled.
            OSError: the name cannot be resolved (in time).
        """
        kind, host, port = address.kind, address.host, address.port
        if kind.startswith("ip"):
            hosts = [host]
        else:
            hosts, given = await _resolve(kind, host, port), False
        allowed = [item for item in dict.fromkeys(hosts) if given or self.admits(item)]
        if not allowed:
            leads = ", ".join(sorted({f"{item} ({reach_of(item).value})" for item in hosts})[:_MOST_TARGETS])
            raise Rejected(
                f"{address.address} leads to {leads}, and this node announces no such address",
                reason="out-of-reach",
            )
        return [f"/{'ip6' if ':' in item else 'ip4'}/{item}/tcp/{port}" for item in allowed[:_MOST_TARGETS]]

    def admits(self, host: str) -> bool:
        """Whether this node dials an IP address on the word of others."""
        reach = reach_of(host)
        if reach is Reach.NOWHERE or host in self._broadcasts:
            return False
        return reach is Reach.PUBLIC or self._private or reach in map(reach_of, self._hosts | self._named)


async def _resolve(kind: str, name: str, port: int) -> list[str]:
    """Raises: OSError."""
    with trio.move_on_after(RESOLVE_SECONDS):
        found = await trio.socket.getaddrinfo(name, port, family=_FAMILIES[kind], type=socket.SOCK_STREAM)
        return [str(entry[4][0]) for entry in found]
    raise OSError(f"{name} was not resolved within {RESOLVE_SECONDS:.0f} s")
