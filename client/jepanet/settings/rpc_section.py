"""`[rpc]`: where a node answers JSON-RPC, to whom, and within which limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from jepanet.records.marks import Range
from jepanet.settings.section_reader import bad

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class RpcSection:
    enabled: Annotated[
        bool, "answer JSON-RPC; off unless set, so that no port is open that nobody asked for"
    ] = False
    host: Annotated[str, "IP address to listen at; any but a loopback address needs `allowed_hosts`"] = (
        "127.0.0.1"
    )
    port: Annotated[int, Range(1, 65535)] = 4780
    allowed_hosts: Annotated[
        tuple[str, ...],
        "names and addresses, without ports, by which clients may call this server beside those of loopback",
    ] = ()
    max_body_kb: Annotated[int, Range(1, 16384), "KiB of a request's body"] = 256
    max_batch: Annotated[int, Range(1, 1000), "calls in one request"] = 50
    max_connections: Annotated[int, Range(1, 10000), "open at once; a new one ends the oldest idle one"] = 64
    timeout_seconds: Annotated[float, Range(0.1, 600.0), "that one call may take"] = 10.0


def check_rpc(section: RpcSection) -> None:
    """Raises: Fatal (`CONFIG`): no address to listen at, or nobody could call a server that others reach."""
    try:
        address = ip_address(section.host)
    except ValueError:
        raise bad(
            f"rpc.host, {section.host!r:.60}, is no IP address", 'write one, for example "127.0.0.1" or "::1"'
        ) from None
    if not address.is_loopback and not section.allowed_hosts:
        raise bad(
            f"rpc.host, {section.host}, is reached from other machines, and rpc.allowed_hosts names nobody",
            "name the hosts by which clients call it, or listen at 127.0.0.1 behind a proxy that speaks TLS",
        )
    for name in section.allowed_hosts:
        if not _is_host(name):
            raise bad(
                f"rpc.allowed_hosts holds {name!r:.60}, which is no host name or IP address",
                "write names as in http://NAME:PORT/, without scheme, port or brackets",
            )


def _is_host(name: str) -> bool:
    if _HOST_NAME.fullmatch(name):
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
