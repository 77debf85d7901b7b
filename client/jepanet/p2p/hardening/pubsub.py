"""The one gossip topic: signed, validated, then relayed.

py-libp2p's Pubsub is subclassed because stock 0.8.1 ends the process on one malformed packet, delivers
duplicates when validation takes time, and drops in silence. What arrives here goes through

    size, shape, secp256k1 origin, signature     any failure: the forwarder is charged
    rate of the forwarder, rate of the origin    over it: dropped, not charged (a relay is not the author)
    the application's verdict                    ACCEPT relays, IGNORE drops, REJECT drops and charges both

Nothing that our own node publishes is validated or delivered here. Gossip is not reliable: announcements
must be idempotent and are repeated by whoever needs them delivered.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING

import trio
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.utils import maybe_consume_signed_record
from libp2p.pubsub.validators import signature_validator

from jepanet.errors import Rejected
from jepanet.p2p.hardening.router import TopicRouter
from jepanet.p2p.hardening.streams import SafeStream, StreamLost
from jepanet.p2p.hardening.swarm import contain_tasks
from jepanet.p2p.identity import is_secp256k1
from jepanet.p2p.verdicts import Admission, Gossip, GossipRules, Meter
from jepanet.telemetry import get_logger
from jepanet.traffic import Flow

if TYPE_CHECKING:
    from libp2p.abc import IHost, INetConn, INetStream

REJECTED_POINTS = 20.0
MALFORMED_POINTS = 50.0
ENVELOPE_BYTES = 8 * 1024
"""Room in a packet for signature, key, topic and the sender's signed address record."""
PACKET_SECONDS = 60.0
_QUEUE_PACKETS = 256
_RELAY_FACTOR = 4.0

_log = get_logger("p2p")


class SafePubsub(Pubsub):  # type: ignore[misc]  # libp2p has no types
    """Pubsub for one topic that survives its peers."""

    def __init__(self, host: IHost, router: TopicRouter, rules: GossipRules, flow: Flow) -> None:
        self._flow = flow
        packet = rules.max_message_bytes + 2 * ENVELOPE_BYTES
        super().__init__(
            host,
            router,
            strict_signing=True,
            max_inbound_rpc_size=packet,
            allowed_topics={rules.topic},
        )
        self._rules = rules
        self._max_outbound = rules.max_message_bytes + ENVELOPE_BYTES
        self._started = trio.Event()
        self._deciding: dict[bytes, set[ID]] = {}
        self._reading: dict[ID, SafeStream] = {}
        self._undecided: Counter[ID] = Counter()
        self._subscriptions = Meter(1.0)
        self._relays = Meter(rules.max_messages_per_second * _RELAY_FACTOR)
        self._authors = Meter(rules.max_messages_per_second)
        # The library starts at the clock in seconds and adds one a message: after a restart, a busy node
        # would reuse numbers its peers have seen and be taken for an echo.
        self.counter = time.time_ns()

    async def run(self) -> None:
        contain_tasks(self.manager, "gossip")
        # Messages get tasks here: the library's task manager walks through all its tasks to start one.
        async with trio.open_nursery() as self._tasks:
            self._started.set()
            await super().run()
            self._tasks.cancel_scope.cancel()

    async def stream_handler(self, stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        safe = SafeStream(stream, math.inf, self._flow)
        await self._started.wait()
        previous = self._reading.get(peer)
        self._reading[peer] = safe
        if previous is not None:  # one stream a peer: a second one replaces the first
            await previous.reset()
        try:
            await self._read_packets(peer, safe)
        except StreamLost:
            _log.debug("stream.ended", peer=str(peer))
        except Exception as error:  # whatever the bytes provoked: protobuf, Unicode, key and id parsing
            why = str(error) if isinstance(error, Rejected) else type(error).__name__
            self._rules.charge(str(peer), MALFORMED_POINTS, f"malformed gossip packet: {why}")
        finally:
            current = self._reading.get(peer) is safe
            if current:
                del self._reading[peer]
            await safe.reset()
        if current:  # its subscription came on this stream, and ends with it
            self._forget_all_subscriptions(peer)
            self.router.leave_mesh(peer)

    async def _read_packets(self, peer: ID, safe: SafeStream) -> None:
        record = b""
        while self.manager.is_running:
            packet = rpc_pb2.RPC.FromString(await self._read_packet(safe))
            # The same signed addresses come with every packet; checking them each time would cost more than
            # the rest. A bad record is ignored: it is only a hint where to dial.
            if packet.HasField("senderRecord") and packet.senderRecord != record:
                record = packet.senderRecord
                if len(record) <= ENVELOPE_BYTES:
                    maybe_consume_signed_record(packet, self.host, peer)
            for subscription in packet.subscriptions:
                # Each one makes us send all recent messages again.
                if not self._subscriptions.allows(peer.to_bytes()):
                    raise Rejected("too many subscriptions", reason="malformed")
                self.handle_subscription(peer, subscription)
            for message in packet.publish:
                if self._rules.topic in message.topicIDs:
                    self._receive(peer, message)
                    await trio.lowlevel.checkpoint()
            if packet.HasField("control"):
                await self.router.handle_rpc(packet, peer)

    async def _read_packet(self, safe: SafeStream) -> bytes:
        length = 0
        for shift in range(0, 28, 7):
            (byte,) = await safe.read_exactly(1)
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise Rejected("packet length over the cap", reason="malformed")
        if length > self.max_inbound_rpc_size:
            raise Rejected("packet length over the cap", reason="malformed")
        return await safe.read_exactly(length, within=PACKET_SECONDS)

    def _forget_all_subscriptions(self, peer_id: ID) -> None:
        """The library also forgets what a peer wants when our stream to it fails. The peer, whose own stream
        is fine, would not send it again: the two would ignore each other for good."""
        if peer_id not in self._reading:
            super()._forget_all_subscriptions(peer_id)

    def revive(self) -> None:
        """Opens a new stream to every peer whose last one ended unnoticed. Called every few seconds."""
        for peer in self.host.get_connected_peers():
            stream = self.peers.get(peer)
            if stream is None:
                self._schedule_peer_stream_retry(peer)
            elif stream.muxed_stream.closed or stream.muxed_stream.send_closed:
                self._handle_dead_peer(peer)

    def connection_lost(self, connection: INetConn) -> None:
        """The library keeps a stream on a dead connection as long as the peer has another one, so a peer that
        reconnects at once would stay deaf to us until our next message fails."""
        peer = connection.muxed_conn.peer_id
        stream = self.peers.get(peer)
        if stream is not None and stream.muxed_conn is connection.muxed_conn:
            self._handle_dead_peer(peer)

    async def _handle_new_peer(self, peer_id: ID) -> None:
        if self._rules.is_banned(str(peer_id)):
            return
        await super()._handle_new_peer(peer_id)
        queue = self.peer_queues.get(peer_id)
        if queue is not None:
            queue.max_message_size = self._max_outbound
            queue._queue.max_size = _QUEUE_PACKETS

    def get_hello_packet(self) -> rpc_pb2.RPC:
        """What a stream to a peer begins with. The library makes it to write it at once, past `write_msg`."""
        hello: rpc_pb2.RPC = super().get_hello_packet()
        self._flow.went(_on_the_wire(hello))
        return hello

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC) -> bool:
        written: bool = await super().write_msg(stream, rpc_msg)
        if written:
            self._flow.went(_on_the_wire(rpc_msg))
        return written

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Sends a message of our own; those of others go through `_receive`."""
        self._mark_msg_seen(msg)
        await self.router.publish(msg_forwarder, msg)

    def _receive(self, forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Everything that can be decided at once; what remains gets a task.

        Raises:
            Rejected: no honest peer sends this; the stream ends.
        """
        key: bytes = self.get_message_id(msg)
        if key in self._deciding:
            self._deciding[key].add(forwarder)  # it has the message: no need to send it there
            return
        if self._is_msg_seen(msg) or not self.router.scorer.allow_publish(forwarder, [self._rules.topic]):
            return
        if (
            not self._relays.allows(forwarder.to_bytes())
            or self._undecided[forwarder] >= self._rules.max_undecided
        ):
            return
        origin = ID(msg.from_id)
        if (
            origin == self.my_id
            or self._rules.is_banned(str(origin))
            or self._rules.is_banned(str(forwarder))
        ):
            return
        if fault := self._fault(origin, msg):
            raise Rejected(fault, reason="malformed")
        if self._authors.allows(origin.to_bytes()):
            self._deciding[key] = {forwarder}
            self._undecided[forwarder] += 1
            self._tasks.start_soon(self._decide, key, forwarder, origin, msg)

    def _fault(self, origin: ID, msg: rpc_pb2.Message) -> str | None:
        if list(msg.topicIDs) != [self._rules.topic]:
            return "message for another topic"
        if len(msg.data) > self._rules.max_message_bytes:
            return "message over the size cap"
        if len(msg.seqno) != 8 or not is_secp256k1(origin):
            return "message without a valid author"
        # The author's key is its id, so a separate key field is either redundant or a lie.
        if not signature_validator(msg):
            return "message with a bad or missing signature"
        return None

    async def _decide(self, key: bytes, forwarder: ID, origin: ID, msg: rpc_pb2.Message) -> None:
        try:
            gossip = Gossip(str(origin), bytes(msg.data))
            verdict = await self._rules.admit(gossip)
            if verdict is None:  # too busy: not marked as seen, a later copy gets its chance
                return
            self._mark_msg_seen(msg)
            if verdict is Admission.ACCEPT:
                self._rules.deliver(gossip)
                await self.router.relay(msg, self._deciding[key])
            elif verdict is Admission.REJECT:
                self.router.scorer.on_invalid_message(forwarder, self._rules.topic)
                for peer in {str(forwarder), str(origin)}:
                    self._rules.charge(peer, REJECTED_POINTS, "message rejected by its rules")
        except Exception as error:
            _log.warning("message.lost", author=str(origin), error=repr(error)[:300])
        finally:
            del self._deciding[key]
            self._undecided[forwarder] -= 1
            if not self._undecided[forwarder]:
                del self._undecided[forwarder]


def _on_the_wire(packet: rpc_pb2.RPC) -> int:
    """Bytes of a packet behind the number that says how long it is."""
    length: int = packet.ByteSize()
    return length + max(1, -(-length.bit_length() // 7))
