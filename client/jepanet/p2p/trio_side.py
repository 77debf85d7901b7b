"""The node on the trio side: host, gossip, blobs, redialling, upkeep. `host.P2PNode` wraps it for asyncio."""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from libp2p.abc import INotifee
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify_push.identify_push import ID_PUSH
from libp2p.peer.peerstore import PeerStoreError
from libp2p.rcmgr import Direction
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.p2p.hardening.pubsub import SafePubsub
from jepanet.p2p.hardening.router import TopicRouter
from jepanet.p2p.hardening.streams import shielded
from jepanet.p2p.hardening.swarm import HardenedSwarm
from jepanet.p2p.identity import key_pair, parse_address, parse_peer_id, peer_id_of
from jepanet.p2p.options import P2PConfig, PeerInfo
from jepanet.p2p.peers.address_book import AddressBook
from jepanet.p2p.peers.bans import BanList
from jepanet.p2p.peers.dial_back import DIAL_BACK, DialBack, Verdict, ask
from jepanet.p2p.peers.dialler import Dialler
from jepanet.p2p.peers.horizon import Horizon
from jepanet.p2p.peers.latency import PING, Latencies
from jepanet.p2p.peers.patience import Patience
from jepanet.p2p.peers.pings import Pings
from jepanet.p2p.transfer import download
from jepanet.p2p.transfer.frames import PROTOCOL
from jepanet.p2p.transfer.server import BlobServer
from jepanet.p2p.verdicts import Admission, Gossip, GossipRules
from jepanet.telemetry import get_logger
from jepanet.traffic import BlobKind, Flow, Traffic

if TYPE_CHECKING:
    from libp2p.abc import INetConn, INetStream, INetwork

FLOOD_POINTS = 50.0
_FD_SLACK = 256
_LONGEST_DOUBT = 120.0
"""Seconds an announcer whose addresses failed, or a host where nobody answered, is left alone at most."""

_log = get_logger("p2p")


@dataclass(frozen=True)
class Hooks:
    """The asyncio side: the verdict on a message (None: too busy), its delivery, a public blob's path, and
    what it is, which is asked in other threads."""

    admit: Callable[[Gossip], Awaitable[Admission | None]]
    deliver: Callable[[Gossip], None]
    find_blob: Callable[[bytes], Awaitable[Path | None]]
    kind_of: Callable[[Path], BlobKind]


class Network:
    """All methods are for the trio thread, and valid once `ready` was called."""

    def __init__(self, config: P2PConfig, bans: BanList, hooks: Hooks, traffic: Traffic) -> None:
        self._config = config
        self._bans = bans
        self._book = AddressBook(config.directory / "peers.json", time.monotonic, config.redial_seconds,
                                 peer_id_of(config.node_key))  # fmt: skip
        self._book.load(config.bootstrap)
        self.horizon = Horizon(config.announce_addresses, private=config.dial_private)
        keys = key_pair(config.node_key)
        self._swarm = HardenedSwarm(
            keys,
            max_connections=config.max_connections,
            max_per_ip=config.max_connections_per_ip,
            refuse=bans.is_banned,
            on_flood=lambda peer_id, what: self._charge(str(peer_id), FLOOD_POINTS, what),
        )
        self._host = BasicHost(
            network=self._swarm,
            negotiate_timeout=10,
            addrs_factory=lambda _: [Multiaddr(address) for address in self.horizon.announced],
            disable_identify_address_discovery=True,
        )
        self._host.remove_stream_handler(ID_PUSH)
        self._swarm.register_notifee(_Meetings(self._book, self._lost))
        rules = GossipRules(
            topic=config.topic,
            max_message_bytes=config.max_message_bytes,
            max_messages_per_second=config.max_messages_per_second,
            max_undecided=max(1, config.max_validations // 4),
            admit=hooks.admit,
            deliver=hooks.deliver,
            charge=self._charge,
            is_banned=bans.is_banned,
        )
        self._router = TopicRouter(rules)
        self._pubsub = SafePubsub(self._host, self._router, rules, traffic.gossip)
        server = BlobServer(
            hooks.find_blob,
            max_uploads=config.max_uploads,
            stall=config.stall_timeout,
            charge=self._charge,
            flow=traffic.blobs("other"),
            flow_of=lambda path: traffic.blobs(hooks.kind_of(path)),
        )
        self._host.set_stream_handler(TProtocol(PROTOCOL), server.handle)
        self._other = traffic.blobs("other")
        self._host.set_stream_handler(TProtocol(DIAL_BACK), DialBack(self.horizon.admits, self._other).handle)
        self._host.set_stream_handler(TProtocol(PING), Pings(self._other).handle)
        self._dialler = Dialler(
            self._swarm,
            self._host,
            self._book,
            self.horizon,
            Patience(time.monotonic, config.redial_seconds, _LONGEST_DOUBT),
            bans.is_banned,
        )
        self._transport = download.Transport(
            self._dialler.open_stream, self.ban, config.stall_timeout, config.per_peer_retries
        )
        self._latencies = Latencies(self._dialler.open_stream)
        self._fetching: defaultdict[Path, trio.Lock] = defaultdict(trio.Lock)
        self._nursery: trio.Nursery
        self.peer_id = str(self._host.get_id())

    async def run(self, ready: Callable[[], None]) -> None:
        """Runs until cancelled.

        Raises:
            Fatal: nothing could be listened on.
        """
        try:
            async with (
                self._host.run([Multiaddr(self._config.listen)]),
                background_trio_service(self._pubsub),
                background_trio_service(self._router),
                trio.open_nursery() as self._nursery,
            ):
                if not self._host.get_transport_addrs():
                    raise Fatal(
                        f"cannot listen on {self._config.listen}",
                        remedy="choose another address or port",
                        code=Exit.PORT_IN_USE,
                    )
                self._look_around()
                await self._pubsub.wait_until_ready()
                await self._pubsub.subscribe(self._config.topic)
                self._dialler.nursery = self._nursery
                pause = min(0.25, self._config.redial_seconds / 2)
                self._nursery.start_soon(self._dialler.redial, pause, self._config.max_connections)
                self._nursery.start_soon(self._housekeep)
                self._nursery.start_soon(self.horizon.look_up)
                ready()
                try:
                    await trio.sleep_forever()
                finally:
                    self._swarm.abort_all()
        finally:
            self._swarm.abort_all()
            self._book.store()
            self._bans.store()

    def addresses(self) -> tuple[str, ...]:
        """What is announced, with this node's id; for any thread."""
        return tuple(f"{address}/p2p/{self.peer_id}" for address in self.horizon.announced)

    async def introduce(self, addresses: Sequence[str]) -> None:
        """Dials what peers announced of themselves, as `Dialler.reachable` does.

        Raises:
            Rejected: not addresses of peers.
        """
        await self._dialler.reachable(addresses)

    def _look_around(self) -> None:
        listening = [str(address).split("/p2p/")[0] for address in self._host.get_transport_addrs()]
        if self.horizon.look(listening):
            _log.info("address.announced", addresses=list(self.addresses()))

    async def peers(self) -> tuple[PeerInfo, ...]:
        found = []
        for peer_id, connections in self._swarm.get_connections_map().items():
            if connections:
                remote = connections[0].muxed_conn.get_remote_address() or ("", 0)
                outbound = any(item.direction is Direction.OUTBOUND for item in connections)
                gossiping = peer_id in self._pubsub.peer_topics.get(self._config.topic, ())
                name = str(peer_id)
                latency = self._latencies.of(name)
                found.append(PeerInfo(name, f"{remote[0]}:{remote[1]}", outbound, gossiping, latency))
        return tuple(sorted(found, key=lambda peer: peer.peer_id))

    async def publish(self, payload: bytes) -> None:
        await self._pubsub.publish(self._config.topic, payload)

    async def connect(self, text: str) -> None:
        """Raises:
        Rejected: not an address, or a banned peer. Transient: nobody with that identity answers there.
        """
        address = parse_address(text)
        if self._bans.is_banned(address.peer_id):
            raise Rejected(f"peer {address.peer_id} is banned", reason="banned")
        if address.peer_id == self.peer_id:
            raise Rejected(f"{text} is this node itself", reason="own-address")
        await self._dialler.dial(address.peer_id, [address], given=True)
        self._book.give(address)

    async def dialled_back(self, peer_id: str, port: int) -> Verdict:
        """Raises: Transient: the peer is not connected, or does not answer that."""
        return await ask(await self._dialler.open_stream(peer_id, DIAL_BACK), port, self._other)

    async def ban(self, peer_id: str, reason: str) -> None:
        self._bans.ban(peer_id, reason)
        await self._expel(peer_id)

    async def fetch(
        self,
        digest: bytes,
        max_bytes: int,
        directory: Path,
        providers: Sequence[str],
        progress: Callable[[int, int], None],
        came: Callable[[str, int], None],
        flow: Flow,
    ) -> Path:
        key = directory / digest.hex()
        lock = self._fetching[key]
        try:
            async with lock:
                return await download.fetch(
                    self._transport,
                    digest,
                    max_bytes=max_bytes,
                    directory=directory,
                    providers=await self._dialler.reachable(providers),
                    progress=progress,
                    came=came,
                    flow=flow,
                )
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._fetching.pop(key, None)

    def _charge(self, peer_id: str, points: float, reason: str) -> None:
        if peer_id != self.peer_id and self._bans.offence(peer_id, points, reason):
            self._nursery.start_soon(self._expel, peer_id)

    async def _expel(self, peer_id: str) -> None:
        self._book.forget(peer_id)
        with shielded(5):
            await self._swarm.close_peer(parse_peer_id(peer_id))

    def _lost(self, connection: INetConn) -> None:
        self._pubsub.connection_lost(connection)
        peer_id = connection.muxed_conn.peer_id
        if not self._swarm.get_connections(peer_id):
            store = self._host.get_peerstore()
            store.clear_peerdata(peer_id)
            store.peer_record_map.pop(peer_id, None)

    async def _housekeep(self) -> None:
        baseline = _open_descriptors() - self._swarm.sockets
        ticks = 0
        while True:
            await trio.sleep(5)
            ticks += 1
            self._pubsub.revive()
            here = await self.peers()
            self._latencies.look([peer.peer_id for peer in here], self._nursery)
            for peer in here:
                self._book.learned(peer.peer_id, self._claimed(peer.peer_id), peer.address.rpartition(":")[0])
            if ticks % 6:
                continue
            self._router.forget_strangers()
            self._look_around()
            await self.horizon.look_up()
            self._book.store()
            if ticks % 60 == 0:
                self._bans.store()
            descriptors = _open_descriptors()
            grown = descriptors - self._swarm.sockets - baseline
            if grown > _FD_SLACK or descriptors > 0.8 * resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
                _log.warning(
                    "descriptor.leaked", open=descriptors, grown=grown, remedy="restart the node soon"
                )

    def _claimed(self, peer_id: str) -> list[str]:
        """Where the peer says it listens: from its signed record or the identify protocol."""
        try:
            known = self._host.get_peerstore().addrs(parse_peer_id(peer_id))
        except PeerStoreError:  # it has not said yet
            return []
        return [str(address).split("/p2p/")[0] for address in known]


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class _Meetings(INotifee):  # type: ignore[misc]  # libp2p has no types
    """Reports to the address book who connects and disconnects."""

    def __init__(self, book: AddressBook, gone: Callable[[INetConn], None]) -> None:
        self._book = book
        self._gone = gone

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        self._book.met(str(conn.muxed_conn.peer_id))

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        peer_id = conn.muxed_conn.peer_id
        if not network.get_connections(peer_id):
            self._book.lost(str(peer_id))
        self._gone(conn)

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...
