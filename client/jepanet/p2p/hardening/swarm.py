"""Connections, hardened: what py-libp2p 0.8.1 leaves open is closed here, from outside the library.

inbound slots     returned when the connection ends; the library keeps them for good, so a node goes deaf
sockets           closed with their connection, so no descriptor leaks
one IP address    a bounded share of the connections, those still shaking hands included
identities        secp256k1 only, banned ids refused, in both directions
failing tasks     contained: no peer's input may end the process
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from libp2p.crypto.keys import KeyPair
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore

from jepanet.p2p.hardening.streams import shielded
from jepanet.p2p.hardening.wire import MeteredStream, MeteredTCP, Upgrader, harden_library
from jepanet.p2p.identity import is_secp256k1
from jepanet.telemetry import get_logger

if TYPE_CHECKING:
    from libp2p.abc import IMuxedConn, INetConn, INetStream, IRawConnection
    from libp2p.io.trio import TrioTCPStream
    from libp2p.network.connection.swarm_connection import SwarmConn
    from libp2p.tools.anyio_service.api import ManagerAPI
    from multiaddr import Multiaddr

HANDSHAKE_SECONDS = 10.0

_log = get_logger("p2p")


class HardenedSwarm(Swarm):  # type: ignore[misc]  # libp2p has no types
    """A swarm with Noise and Yamux only, and the limits of this module."""

    def __init__(
        self,
        keys: KeyPair,
        *,
        max_connections: int,
        max_per_ip: int,
        refuse: Callable[[str], bool],
        on_flood: Callable[[ID, str], None],
    ) -> None:
        harden_library()
        own_id = ID.from_pubkey(keys.public_key)
        peerstore = PeerStore()
        peerstore.add_key_pair(own_id, keys)

        super().__init__(
            own_id,
            peerstore,
            Upgrader(keys, on_flood),
            [MeteredTCP()],
            # Redialling is the address book's task, with its own patience.
            retry_config=RetryConfig(max_retries=0),
            connection_config=ConnectionConfig(
                max_connections=max_connections,
                min_connections=0,
                low_watermark=0,
                high_watermark=max_connections,
                inbound_upgrade_timeout=HANDSHAKE_SECONDS,
                outbound_upgrade_timeout=HANDSHAKE_SECONDS,
            ),
        )
        # It would dial whatever addresses strangers claim to have, up to half of `max_connections`.
        self.auto_connector.maybe_connect = _do_nothing
        self._max_inbound = max(1, max_connections * 3 // 4)
        self._max_per_ip = max_per_ip
        self._refuse = refuse
        self._streams: dict[MeteredStream, bool] = {}
        self._per_ip: Counter[str] = Counter()
        self._answered: set[ID] = set()

    async def run(self) -> None:
        contain_tasks(self.manager, "swarm")
        await super().run()

    def set_stream_handler(self, stream_handler: Callable[[INetStream], Awaitable[None]]) -> None:
        async def contained(stream: INetStream) -> None:
            try:
                await stream_handler(stream)
            except Exception as error:
                _log.debug("stream.failed", peer=str(stream.muxed_conn.peer_id), error=repr(error)[:200])
                with shielded(5):
                    await stream.reset()

        super().set_stream_handler(contained)

    async def dial_peer(self, peer_id: ID) -> list[INetConn]:
        """The connections there are. The library would dial whatever the peer claims to listen at; here the
        dialler alone dials, and only what it has judged."""
        found = [item for item in self.get_connections(peer_id) if not item.is_closed]
        if not found:
            raise SwarmException(f"peer {peer_id} is not connected")
        return found

    async def dial_peer_replacement(self, peer_id: ID) -> INetConn | None:
        return None

    async def dial(self, address: Multiaddr, peer_id: ID) -> None:
        """Connects to one address; one call at a time for one peer.

        Raises:
            SwarmException: no connection, another identity, banned, or no room.
        """
        self._answered.discard(peer_id)
        await self.dial_addr(address, peer_id)

    def answered(self, peer_id: ID) -> bool:
        """Whether somebody, the peer or not, took the connection of the last `dial` for it."""
        return peer_id in self._answered

    def forget_dial(self, peer_id: ID) -> None:
        self._answered.discard(peer_id)

    async def _do_handle_inbound_connection(
        self, stream: TrioTCPStream, maddr: Multiaddr, failure_event: object
    ) -> None:
        metered = MeteredStream(stream.stream)
        ip = neighbourhood(metered.get_remote_address())
        inbound = sum(1 for is_inbound in self._streams.values() if is_inbound)
        if inbound >= self._max_inbound or self._per_ip[ip] >= self._max_per_ip:
            metered.abort()
            return
        self._streams[metered] = True
        self._per_ip[ip] += 1
        try:
            muxed = await self.upgrade_inbound_raw_conn(RawConnection(metered, False), maddr)
            await muxed.event_closed.wait()
        except SwarmException:
            return
        finally:
            self._forget(metered)
            self._per_ip[ip] -= 1
            if not self._per_ip[ip]:
                del self._per_ip[ip]

    async def upgrade_outbound_raw_conn(
        self, raw_conn: IRawConnection, peer_id: ID, pre_scope: object = None
    ) -> SwarmConn:
        metered: MeteredStream = raw_conn.stream
        self._streams[metered] = False
        self._answered.add(peer_id)
        try:
            with trio.fail_after(2 * HANDSHAKE_SECONDS):
                connection = await super().upgrade_outbound_raw_conn(raw_conn, peer_id, pre_scope)
        except trio.TooSlowError as error:
            self._forget(metered)
            raise SwarmException(f"handshake with {peer_id} took too long") from error
        except BaseException:
            self._forget(metered)
            raise
        self.manager.run_task(self._outlive, connection.muxed_conn, metered)
        return connection

    async def _outlive(self, muxed: IMuxedConn, metered: MeteredStream) -> None:
        try:
            await muxed.event_closed.wait()
        finally:
            self._forget(metered)

    def _forget(self, metered: MeteredStream) -> None:
        self._streams.pop(metered, None)
        metered.abort()

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> SwarmConn:
        peer_id = muxed_conn.peer_id
        if not is_secp256k1(peer_id) or peer_id == self.get_peer_id() or self._refuse(str(peer_id)):
            await muxed_conn.close()
            raise SwarmException(f"peer {peer_id} is not welcome")
        muxed_conn.secured_conn.socket.trust()
        return await super().add_conn(muxed_conn, direction)

    def abort_all(self) -> None:
        """Closes every socket at once, so that nothing shielded outlives the node."""
        for metered in list(self._streams):
            metered.abort()

    @property
    def sockets(self) -> int:
        """Open TCP connections, those still shaking hands included."""
        return len(self._streams)


async def _do_nothing() -> None:
    await trio.lowlevel.checkpoint()


def neighbourhood(remote: tuple[str, int] | None) -> str:
    """What counts as one address: an IPv4 host, or the /64 network that one IPv6 customer has to himself."""
    try:
        address = ipaddress.ip_address(remote[0].partition("%")[0] if remote else "")
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def contain_tasks(manager: ManagerAPI, service: str) -> None:
    """Makes every task of a libp2p service manager log its exception instead of ending the node."""
    start = manager.run_task

    def run_task(function: Callable[..., Awaitable[None]], *args: object, **options: object) -> None:
        if options.get("daemon") or options.get("_internal"):
            start(function, *args, **options)
            return

        async def contained() -> None:
            try:
                await function(*args)
            except Exception as error:
                _log.warning("task.failed", service=service, task=_name(function), error=repr(error)[:300])

        start(contained, name=options.get("name") or _name(function))

    manager.run_task = run_task


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", function))
