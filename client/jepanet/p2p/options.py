"""Settings of the network's host, and what it reports about its peers."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from multiaddr import Multiaddr

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.p2p.identity import key_pair, parse_address, peer_id_of
from jepanet.p2p.peers.reach import check_endpoint
from jepanet.telemetry import Secret

_HOSTS = ("ip4", "ip6", "dns", "dns4", "dns6")


@dataclass(frozen=True)
class P2PConfig:
    """Sizes in bytes, times in seconds.

    `listen` is one TCP multiaddr (`/ip4/127.0.0.1/tcp/0` takes a free port). `bootstrap` and
    `announce_addresses` are multiaddrs; the former end in `/p2p/PEER`. `directory` is this node's alone: it
    holds the lock file, the ban list and the address book. A chunk that takes longer than four
    `stall_timeout`s, or no byte for one, costs its sender one of `per_peer_retries`.
    """

    listen: str
    bootstrap: tuple[str, ...]
    node_key: Secret[bytes]
    directory: Path
    topic: str
    max_message_bytes: int = 256 * 1024
    max_connections: int = 64
    max_uploads: int = 8
    stall_timeout: float = 15.0
    per_peer_retries: int = 3
    announce_addresses: tuple[str, ...] = ()
    dial_private: bool = False
    """Dial private and loopback addresses although this node announces none: for short visits."""
    max_connections_per_ip: int = 16
    max_messages_per_second: float = 200.0
    """Of one author, with bursts of five seconds' worth; a relay may pass on four times that."""
    validation_timeout: float = 10.0
    max_validations: int = 256
    max_inbox: int = 1024
    redial_seconds: float = 1.0
    """First wait before a lost peer is dialled again; doubled per failure, to five minutes at most."""

    def check(self) -> None:
        """Raises:
        Fatal: an address, the key, the topic or a limit is unusable.
        """
        try:
            key_pair(self.node_key)
        except Rejected as error:
            raise Fatal(str(error), remedy="correct the p2p settings", code=Exit.CONFIG) from error
        check_addresses(self.listen, self.bootstrap)
        check_announced(self.announce_addresses)
        own = peer_id_of(self.node_key)
        if any(parse_address(address).peer_id == own for address in self.bootstrap):
            raise Fatal(
                f"p2p.bootstrap names this node itself ({own})",
                remedy="remove that address; the first node of a network has no bootstrap peer and "
                "sets p2p.allow_isolated",
                code=Exit.CONFIG,
            )
        limits = (self.max_connections, self.max_uploads, self.max_validations, self.max_inbox)
        if not self.topic or len(self.topic) > 200 or min(limits) < 1 or self.max_connections_per_ip < 1:
            raise Fatal(
                "a p2p limit or the topic is empty", remedy="correct the p2p settings", code=Exit.CONFIG
            )
        if not 1 <= self.max_message_bytes <= 900 * 1024:
            raise Fatal(
                f"max_message_bytes is {self.max_message_bytes}, gossip carries 1 byte to 900 KiB",
                remedy="send larger things as blobs",
                code=Exit.CONFIG,
            )


def check_addresses(listen: str, bootstrap: Iterable[str]) -> None:
    """Raises:
    Fatal: an address that nobody could listen on or dial (exit code `CONFIG`).
    """
    parse_listen(listen)
    for address in bootstrap:
        try:
            parse_address(address)
        except Rejected as error:
            raise Fatal(
                error.message,
                remedy="write peers (p2p.bootstrap, --peer) as /ip4/HOST/tcp/PORT/p2p/PEER",
                code=Exit.CONFIG,
            ) from error


def check_announced(announce: Iterable[str]) -> None:
    """Raises:
    Fatal: an address nobody could dial (exit code `CONFIG`).
    """
    for text in announce:
        try:
            address = Multiaddr(text)
            names = [protocol.name for protocol in address.protocols()]
            if len(names) != 2 or names[0] not in _HOSTS or names[1] != "tcp":
                raise ValueError("it must be /dns4/NAME/tcp/PORT, /ip4/HOST/tcp/PORT or /ip6/HOST/tcp/PORT")
            host, port = str(address.value_for_protocol(names[0])), address.value_for_protocol("tcp")
            check_endpoint(names[0], host, int(port))
        except Exception as error:  # py-multiaddr raises many types
            raise Fatal(
                f"{text!r} cannot be announced: {error}",
                remedy="write in p2p.announce where peers reach you, like /dns4/node.example.org/tcp/4701",
                code=Exit.CONFIG,
            ) from error


def parse_listen(text: str) -> tuple[socket.AddressFamily, str, int]:
    """Family, host and port of a listen address.

    Raises:
        Fatal: not one TCP multiaddr (exit code `CONFIG`).
    """
    try:
        address = Multiaddr(text)
        names = [protocol.name for protocol in address.protocols()]
        if len(names) != 2 or names[0] not in ("ip4", "ip6") or names[1] != "tcp":
            raise ValueError("it must be /ip4/HOST/tcp/PORT or /ip6/HOST/tcp/PORT")
        host, port = str(address.value_for_protocol(names[0])), int(address.value_for_protocol("tcp"))
    except Exception as error:  # py-multiaddr raises many types
        raise Fatal(
            f"{text!r} is not a listen address: {error}",
            remedy="write p2p.listen like /ip4/0.0.0.0/tcp/4701",
            code=Exit.CONFIG,
        ) from error
    return socket.AF_INET6 if names[0] == "ip6" else socket.AF_INET, host, port


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A connected peer: the remote address of its connection, whether we dialled it, whether it gossips, and
    the seconds that its newest answer to a ping took, None without one."""

    peer_id: str
    address: str
    outbound: bool
    gossiping: bool
    latency: float | None = None
