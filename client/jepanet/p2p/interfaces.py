"""The addresses of this machine's interfaces: what a node that listens on all of them announces."""

from __future__ import annotations

import ipaddress
import socket

import psutil

from jepanet.p2p.peers.reach import Reach, reach_of

_MOST = 4


def announced_for(listen: str) -> tuple[str, ...]:
    """Where others can dial a node that listens at `listen` (`/ip4|ip6/HOST/tcp/PORT`).

    A wildcard stands for the addresses of the interfaces that are up: the public ones if there are any, or
    the private ones, or else loopback; at most four.
    """
    _, kind, host, _, port = listen.split("/")
    if not ipaddress.ip_address(host).is_unspecified:
        return (listen,)
    families = {socket.AF_INET: "ip4"}
    if kind == "ip6":  # such a socket takes both
        families[socket.AF_INET6] = "ip6"
    found: dict[Reach, list[str]] = {}
    status = psutil.net_if_stats()
    for name, entries in sorted(psutil.net_if_addrs().items()):
        if name in status and not status[name].isup:
            continue
        for entry in entries:
            if entry.family in families:
                address = f"/{families[entry.family]}/{entry.address}/tcp/{port}"
                found.setdefault(reach_of(entry.address), []).append(address)
    for reach in (Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK):
        if reach in found:
            return tuple(dict.fromkeys(found[reach]))[:_MOST]
    return ()


def broadcast_addresses() -> frozenset[str]:
    """The broadcast addresses of the networks this machine is on."""
    return frozenset(
        entry.broadcast
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET and entry.broadcast
    )
