"""Getting and keeping connections: dialling, redialling, streams that survive their callers."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio
from libp2p.custom_types import TProtocol
from multiaddr import Multiaddr

from jepanet.errors import Rejected, Transient
from jepanet.p2p.hardening.streams import StreamLost
from jepanet.p2p.hardening.swarm import HardenedSwarm
from jepanet.p2p.identity import PeerAddress, parse_address, parse_peer_id
from jepanet.p2p.peers.address_book import MAX_ADDRESSES, AddressBook
from jepanet.p2p.peers.horizon import Horizon
from jepanet.p2p.peers.patience import Patience
from jepanet.p2p.transfer.frames import PROTOCOL
from jepanet.telemetry import get_logger

if TYPE_CHECKING:
    from libp2p.abc import IHost
    from libp2p.network.stream.net_stream import NetStream

DIAL_SECONDS = 20.0
REACH_SECONDS = 30.0
STREAM_SECONDS = 15.0
FAMILIAR_PEERS = 24
"""With so many connections only bootstrap peers are still dialled."""
_DIALS_AT_ONCE = 4

_log = get_logger("p2p")


class Dialler:
    """One dial per peer at a time. `nursery` is set before the first call and outlives all of them."""

    nursery: trio.Nursery

    def __init__(
        self,
        swarm: HardenedSwarm,
        host: IHost,
        book: AddressBook,
        horizon: Horizon,
        patience: Patience,
        refuse: Callable[[str], bool],
    ) -> None:
        self._swarm = swarm
        self._host = host
        self._book = book
        self._horizon = horizon
        self._patience = patience
        self._refuse = refuse
        self._dialling: defaultdict[str, trio.Lock] = defaultdict(trio.Lock)
        self._strangers = trio.CapacityLimiter(_DIALS_AT_ONCE)
        self._own_id = str(swarm.get_peer_id())

    def connected(self, peer_id: str) -> bool:
        return any(not item.is_closed for item in self._swarm.get_connections(parse_peer_id(peer_id)))

    async def reachable(self, providers: Sequence[str]) -> list[str]:
        """Connected peers: the given ones in the given order, or everybody in random order.

        Those who are not connected are dialled, a few at once. What strangers announce may lead anywhere, so
        an announcer whose addresses fail waits twice as long each time, whatever it announces next.

        Raises:
            Rejected: a malformed provider.
        """
        if not providers:
            everybody = [str(peer_id) for peer_id in self._swarm.get_connections_map()]
            random.shuffle(everybody)
            return everybody
        wanted: dict[str, list[PeerAddress]] = {}
        for text in providers:
            address = parse_address(text) if text.startswith("/") else None
            peer_id = address.peer_id if address else str(parse_peer_id(text))
            wanted.setdefault(peer_id, []).extend([address] if address else [])
        reached: set[str] = set()

        async def reach(peer_id: str) -> None:
            if peer_id == self._own_id or self._refuse(peer_id):
                return
            addresses = wanted[peer_id] or self._book.addresses_of(peer_id)
            # Without an address nobody was knocked at: that is no failure to wait for.
            if not self.connected(peer_id) and addresses:
                if not self._patience.over(peer_id):
                    return
                async with self._strangers:
                    await self._dial_stranger(peer_id, addresses)
            if self.connected(peer_id):
                reached.add(peer_id)

        # However many announce a blob, those who are there are asked for it in time.
        with trio.move_on_after(REACH_SECONDS):
            async with trio.open_nursery() as nursery:
                for peer_id in wanted:
                    nursery.start_soon(reach, peer_id)
        return [peer_id for peer_id in wanted if peer_id in reached]

    async def _dial_stranger(self, peer_id: str, addresses: Sequence[PeerAddress]) -> None:
        reached = False
        try:
            await self.dial(peer_id, addresses[:MAX_ADDRESSES])
            reached = True
        except Transient as error:
            _log.info("provider.unreached", peer=peer_id, why=str(error))
        finally:
            (self._patience.succeeded if reached else self._patience.failed)(peer_id)

    async def dial(self, peer_id: str, addresses: Sequence[PeerAddress], *, given: bool = False) -> None:
        """Connects unless connected, trying the addresses in order. `given`: this node's operator named them.

        Raises:
            Transient: none of them leads to this peer, or may be dialled.
        """
        async with self._dialling[peer_id]:
            why = "no address is known"
            for address in addresses:
                if self.connected(peer_id):
                    break
                with trio.move_on_after(DIAL_SECONDS) as scope:
                    why = await self._try(address, given or self._book.is_given(address)) or why
                if scope.cancelled_caught:
                    why = f"no answer within {DIAL_SECONDS:.0f} s"
        lock = self._dialling[peer_id]
        if not lock.locked() and not lock.statistics().tasks_waiting:
            self._dialling.pop(peer_id, None)
            self._swarm.forget_dial(parse_peer_id(peer_id))
        if not self.connected(peer_id):
            raise Transient(f"cannot reach peer {peer_id}: {why}", remedy="it is retried later")

    async def _try(self, address: PeerAddress, given: bool) -> str:
        """Dials one address, in all that it resolves to; why that led nowhere, or nothing if it did."""
        peer_id = address.peer_id
        try:
            targets = await self._horizon.targets(address, given=given)
        except (Rejected, OSError) as error:
            tell = _log.warning if given else _log.info
            tell("address.refused", address=str(address), why=str(error))
            return error.message if isinstance(error, Rejected) else f"{address.host}: {error}"
        why = ""
        trusted = given or self._book.is_proven(peer_id)
        for target in targets:
            if not trusted and not self._patience.over(target):
                why = f"nothing answered at {target} a while ago"
                continue
            try:
                await self._swarm.dial(Multiaddr(target), parse_peer_id(peer_id))
            except Exception as error:  # the library lets socket and handshake errors through
                why = str(error) or type(error).__name__
            finally:
                # Many identities must not make this node knock at one silent host again and again. A host
                # where somebody else answers is not held against its true peer, whose dial comes later.
                answered = self._swarm.answered(parse_peer_id(peer_id))
                (self._patience.succeeded if answered else self._patience.failed)(target)
            if self.connected(peer_id):
                self._book.led_to(address)
                return ""
        return why

    async def open_stream(self, peer_id: str, protocol: str = PROTOCOL) -> NetStream:
        """A negotiated stream, for blobs unless told. Runs on its own, so that a cancelled download leaves no
        half-open one."""
        opened = trio.Event()
        box: list[NetStream] = []
        wanted = True

        async def negotiate() -> None:
            stream = None
            try:
                if self.connected(peer_id):
                    stream = await self._host.new_stream(parse_peer_id(peer_id), [TProtocol(protocol)])
            except Exception as error:  # negotiation, muxer and transport errors have no common base
                _log.debug("stream.refused", peer=peer_id, error=repr(error)[:200])
            if stream is not None and not wanted:
                await stream.reset()
            elif stream is not None:
                box.append(stream)
            opened.set()

        self.nursery.start_soon(negotiate)
        try:
            with trio.move_on_after(STREAM_SECONDS):
                await opened.wait()
        finally:
            wanted = False
            if not opened.is_set():
                box.clear()
        if not box:
            raise StreamLost(f"no stream to {peer_id}")
        return box[0]

    async def redial(self, every: float, max_connections: int) -> None:
        """Keeps dialling those who should be here and are not."""
        limit = trio.CapacityLimiter(_DIALS_AT_ONCE)
        under_way: set[str] = set()

        async def attempt(peer_id: str) -> None:
            try:
                async with limit:
                    await self.dial(peer_id, self._book.addresses_of(peer_id))
            except Transient as error:
                self._book.failed(peer_id)
                _log.debug("peer.unreached", peer=peer_id, why=str(error))
            finally:
                under_way.discard(peer_id)

        while True:
            connected = [str(peer_id) for peer_id in self._swarm.get_connections_map()]
            enough = len(connected) >= min(FAMILIAR_PEERS, max_connections // 2)
            for peer_id in self._book.due([*connected, self._own_id], bootstrap_only=enough):
                if peer_id not in under_way and not self._refuse(peer_id):
                    under_way.add(peer_id)
                    self.nursery.start_soon(attempt, peer_id)
            await trio.sleep(every)
