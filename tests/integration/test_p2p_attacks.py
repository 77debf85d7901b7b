"""Attackers on the wire: the node stays up, honest traffic goes on, the attacker is charged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import libp2p.security.secio.transport as secio
import psutil
import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_SYN,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
)
from libp2p.utils import encode_varint_prefixed
from multiaddr import Multiaddr
from p2p_fixtures import BLOB, MESHSUB, TOPIC, Group, Member, Stranger, delivers, gossiping, packet, until
from p2p_fixtures import group as group

from jepanet.p2p.hardening import pubsub, router, swarm, wire
from jepanet.p2p.transfer.frames import Kind, Request

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

GARBAGE = encode_varint_prefixed(os.urandom(49) + b"\xff")


@pytest.fixture
async def victim(group: Group) -> AsyncIterator[Member]:
    """A node with an honest friend; whatever the test does, the two can still talk at the end."""
    victim = await group.start()
    friend = await group.start()
    await friend.node.connect(victim.address)
    await gossiping(victim, 1)
    yield victim
    assert victim.alive()
    await delivers(friend, victim)
    await delivers(victim, friend)


def malformed_author() -> Any:
    """An author id that is a hash, with a key field that is no key: the library tries to parse it."""
    return rpc_pb2.Message(
        data=b"x",
        topicIDs=[TOPIC],
        from_id=bytes.fromhex("1220") + os.urandom(32),
        seqno=bytes(8),
        signature=b"s" * 64,
        key=b"\xff\xff\xff",
    )


async def test_garbage_instead_of_protobuf_does_not_end_the_process(victim: Member) -> None:
    for protocol in (MESHSUB, "/meshsub/1.0.0"):
        async with Stranger() as stranger:
            await stranger.connect(victim.address)
            for _ in range(4):
                with contextlib.suppress(Exception):
                    await stranger.send(victim, protocol, GARBAGE)
            await until(lambda stranger=stranger: stranger.id in victim.node.bans(), what="ban")


async def test_a_hashed_author_with_a_junk_key_does_not_end_the_process(victim: Member) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for _ in range(4):
            with contextlib.suppress(Exception):
                await stranger.send(victim, MESHSUB, packet(malformed_author()))
        await until(lambda: stranger.id in victim.node.bans(), what="ban")
    assert victim.validated == []


def _forgeries(stranger: Stranger, honest: Member) -> dict[str, Any]:
    unsigned = stranger.message(b"unsigned", number=1, sign=False)
    tampered = stranger.message(b"tampered", number=2)
    tampered.data = b"changed"
    impersonated = stranger.message(b"impersonated", number=3)
    impersonated.from_id = info_from_p2p_addr(Multiaddr(honest.address)).peer_id.to_bytes()
    elsewhere = stranger.message(b"elsewhere", number=4)
    elsewhere.topicIDs.append("another")
    unnumbered = stranger.message(b"unnumbered", number=5)
    unnumbered.seqno = b""
    oversized = stranger.message(b"x" * (256 * 1024 + 1), number=6)
    return {
        "unsigned": unsigned,
        "tampered": tampered,
        "impersonated": impersonated,
        "elsewhere": elsewhere,
        "unnumbered": unnumbered,
        "oversized": oversized,
    }


@pytest.mark.parametrize(
    "kind", ["unsigned", "tampered", "impersonated", "elsewhere", "unnumbered", "oversized"]
)
async def test_forged_messages_are_neither_delivered_nor_free(
    group: Group, victim: Member, kind: str
) -> None:
    author = await group.start()
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        forged = _forgeries(stranger, author)[kind]
        for number in range(3):
            if kind not in ("unnumbered", "tampered"):
                forged.seqno = number.to_bytes(8, "big")
            await stranger.send(victim, MESHSUB, packet(forged))
        await until(lambda: stranger.id in victim.node.bans(), what="ban")
    assert victim.validated == []
    assert author.id not in victim.node.bans()


async def test_a_packet_of_ten_thousand_messages_does_not_stop_the_clock(
    group: Group, victim: Member
) -> None:
    """The library starts a task per message, and walks through all its tasks to start one."""
    unsigned = rpc_pb2.Message(topicIDs=[TOPIC])
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for _ in range(3):
            with contextlib.suppress(Exception):
                await stranger.send(victim, MESHSUB, packet(*[unsigned] * 12_000), hold=0.1)
        started = time.monotonic()
        await victim.node.peers()
        assert time.monotonic() - started < 3
        await until(lambda: stranger.id in victim.node.bans(), what="ban")


async def test_subscribing_over_and_over_is_charged(victim: Member) -> None:
    """Every subscription is answered with all recent messages."""
    toggle = [rpc_pb2.RPC.SubOpts(subscribe=number % 2 == 0, topicid=TOPIC) for number in range(40)]
    data = encode_varint_prefixed(rpc_pb2.RPC(subscriptions=toggle).SerializeToString())
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for _ in range(3):
            with contextlib.suppress(Exception):
                await stranger.send(victim, MESHSUB, data)
        await until(lambda: stranger.id in victim.node.bans(), what="ban")


async def test_a_second_gossip_stream_replaces_the_first(victim: Member) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        peer = info_from_p2p_addr(Multiaddr(victim.address)).peer_id
        streams = []

        async def open_many() -> None:
            for _ in range(10):
                stream = await stranger.host.new_stream(peer, [TProtocol(MESHSUB)])
                await stream.write(packet(stranger.message(b"hello", number=len(streams))))
                streams.append(stream)
                await trio.sleep(0.05)

        await stranger.do(open_many)
        await until(lambda: len(victim.heard) == 10)
        assert len(victim.node._network._pubsub._reading) <= 2


async def test_a_packet_over_the_cap_is_refused_before_it_is_read(victim: Member) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        await stranger.send(victim, MESHSUB, b"\xff\xff\xff\xff\x7f" + bytes(1000))
        await stranger.send(victim, MESHSUB, b"\x80" * 11)


async def test_someone_elses_signed_message_is_relayed_but_ours_never_comes_back(victim: Member) -> None:
    async with Stranger() as author, Stranger() as relay:
        await relay.connect(victim.address)
        message = author.message(b"relayed")
        await relay.send(victim, MESHSUB, packet(message))
        await until(lambda: victim.heard)
        echo = relay.message(b"echo")
        echo.from_id = info_from_p2p_addr(Multiaddr(victim.address)).peer_id.to_bytes()
        await relay.send(victim, MESHSUB, packet(echo))
        assert [gossip.peer_id for gossip in victim.heard] == [author.id]


async def test_control_floods_leave_nothing_behind(victim: Member) -> None:
    """Back-off entries for thousands of invented topics, and peers to dial, are not kept."""
    control = rpc_pb2.ControlMessage(
        prune=[rpc_pb2.ControlPrune(topicID=f"topic {n}", backoff=2**40) for n in range(100)],
        ihave=[rpc_pb2.ControlIHave(topicID=f"topic {n}", messageIDs=[b"x"]) for n in range(20)],
    )
    state = victim.node._network._router
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for _ in range(10):
            data = encode_varint_prefixed(rpc_pb2.RPC(control=control).SerializeToString())
            await stranger.send(victim, MESHSUB, data, hold=0.05)
        assert set(state.back_off) <= {TOPIC}
        assert all(set(topics) <= {TOPIC} for topics in state.graft_flood_tracking.values())
        grafts = rpc_pb2.ControlMessage(graft=[rpc_pb2.ControlGraft(topicID=TOPIC)] * 200)
        data = encode_varint_prefixed(rpc_pb2.RPC(control=grafts).SerializeToString())
        for _ in range(4):
            with contextlib.suppress(Exception):
                await stranger.send(victim, MESHSUB, data)
        await until(lambda: stranger.id in victim.node.bans(), what="ban")


async def test_nobody_tells_the_node_whom_to_dial(victim: Member) -> None:
    async with Stranger() as target, Stranger() as stranger:
        await stranger.connect(victim.address)
        peer = rpc_pb2.PeerInfo(peerID=info_from_p2p_addr(Multiaddr(target.address)).peer_id.to_bytes())
        prune = rpc_pb2.ControlPrune(topicID=TOPIC, peers=[peer], backoff=60)
        rpc = rpc_pb2.RPC(control=rpc_pb2.ControlMessage(prune=[prune]))
        await stranger.send(victim, MESHSUB, encode_varint_prefixed(rpc.SerializeToString()))
        await asyncio.sleep(1)
        assert target.id not in await victim.peer_ids()


@pytest.mark.parametrize(
    "security",
    [
        lambda keys: {TProtocol(PLAINTEXT_PROTOCOL_ID): InsecureTransport(keys)},
        lambda keys: {TProtocol(secio.ID): secio.Transport(keys)},
        lambda keys: {TLS: TLSTransport(keys)},
    ],
    ids=["plaintext", "secio", "tls"],
)
async def test_only_noise_is_spoken(victim: Member, security: Callable[[Any], Any]) -> None:
    async with Stranger(security=security) as stranger:
        with pytest.raises(Exception, match=r"upgrade|connect|negotiate"):
            await stranger.connect(victim.address)
        await asyncio.sleep(0.3)
        assert stranger.id not in await victim.peer_ids()


async def test_only_secp256k1_peers_are_welcome(victim: Member) -> None:
    async with Stranger(ed25519=True) as stranger:
        with contextlib.suppress(Exception):
            await stranger.connect(victim.address)
        await asyncio.sleep(0.5)
        assert stranger.id not in await victim.peer_ids()
        with pytest.raises(Exception, match="secp256k1"):
            await victim.node.connect(stranger.address)


async def test_another_identity_than_dialled_is_refused(group: Group, victim: Member) -> None:
    other = await group.start()
    wrong = f"{victim.address.split('/p2p/')[0]}/p2p/{other.id}"
    third = await group.start()
    with pytest.raises(Exception, match="cannot reach"):
        await third.node.connect(wrong)
    assert await third.peer_ids() == set()


def _port(member: Member) -> int:
    return int(member.address.split("/")[4])


async def test_bytes_before_authentication_are_bounded(victim: Member) -> None:
    """A protocol name of 2**62 bytes, endless noise, and silence."""
    before = psutil.Process().memory_info().rss
    port = _port(victim)
    for opening in (
        b"\x13/multistream/1.0.0\n" + b"\xff" * 8 + b"\x3f",
        b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff",
        os.urandom(100),
        b"\x13/multistream/1.0.0\n" + b"\x03ls\n" * 1000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(opening)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):  # 200 MB, if they are taken
                writer.write(b"A" * 1_000_000)
                await asyncio.wait_for(writer.drain(), 2)
        writer.transport.abort()
        del reader
    await asyncio.sleep(0.5)
    assert psutil.Process().memory_info().rss - before < 60_000_000


async def test_idle_connections_are_bounded_per_address_and_dropped(group: Group) -> None:
    victim = await group.start(max_connections_per_ip=5)
    sockets = [socket.create_connection(("127.0.0.1", _port(victim))) for _ in range(40)]
    await asyncio.sleep(0.5)
    assert victim.node._network._swarm.sockets <= 5
    for item in sockets:
        item.close()
    friend = group.make(max_connections_per_ip=5)
    await friend.start()

    async def reached() -> bool:
        with contextlib.suppress(Exception):
            await friend.node.connect(victim.address)
        return victim.id in await friend.peer_ids()

    await until(reached)
    await delivers(friend, victim)


async def test_slots_and_descriptors_come_back_when_connections_end(group: Group) -> None:
    """The library never returns an inbound slot: a node would go deaf for good."""
    victim = await group.start(max_connections=4)

    def accepted() -> int:
        connections = psutil.Process().net_connections("tcp")
        return sum(item.laddr.port == _port(victim) and item.status != "LISTEN" for item in connections)

    for _ in range(12):
        async with Stranger() as stranger:
            await stranger.connect(victim.address)
        await until(lambda: victim.node._network._swarm.sockets == 0)
    await until(lambda: accepted() == 0)
    friend = await group.start()
    await friend.node.connect(victim.address)
    await gossiping(victim, 1)
    await delivers(friend, victim)


async def _raw_frames(stranger: Stranger, member: Member, *frames: bytes) -> None:
    peer = info_from_p2p_addr(Multiaddr(member.address)).peer_id

    async def run() -> None:
        connection = stranger.host.get_network().get_connections(peer)[0].muxed_conn
        for frame in frames:
            with trio.move_on_after(5):
                await connection._write_frame(frame)

    await stranger.do(run)


async def test_streams_without_end_cost_the_connection(victim: Member) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        opening = b"".join(
            struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, FLAG_SYN, 1001 + 2 * number, 0)
            for number in range(2000)
        )
        with contextlib.suppress(Exception):
            await _raw_frames(stranger, victim, *[opening])
        await until(lambda: _gone(victim, stranger), what="disconnect")


async def _gone(victim: Member, stranger: Stranger) -> bool:
    return stranger.id not in await victim.peer_ids()


async def test_data_beyond_the_window_costs_the_connection(victim: Member) -> None:
    """The library logs a window overrun and keeps the bytes: any peer could fill the memory."""
    before = psutil.Process().memory_info().rss
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        number = 1001
        opening = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, FLAG_SYN, number, 0)
        body = b"\0" * 65_000
        data = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, number, len(body)) + body
        with contextlib.suppress(Exception):
            await _raw_frames(stranger, victim, opening, *[data] * 3000)
        await until(lambda: _gone(victim, stranger), what="disconnect")
    assert psutil.Process().memory_info().rss - before < 150_000_000


async def test_oversized_protocol_names_on_streams_are_refused(victim: Member) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        peer = info_from_p2p_addr(Multiaddr(victim.address)).peer_id

        async def run() -> bool:
            stream = await stranger.host.get_network().new_stream(peer)
            await stream.write(b"\x13/multistream/1.0.0\n" + b"\xff" * 8 + b"\x3f" + b"A" * 2000)
            with trio.fail_after(5):
                try:
                    while await stream.read(1000):
                        pass
                except Exception:
                    return True
            return False

        assert await stranger.do(run)


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 41,
        Request(Kind.CHUNKS, bytes(32), 0, 1).encode()[:-4] + b"\xff\xff\xff\xff",
        os.urandom(500),
    ],
)
async def test_malformed_blob_requests_are_charged(victim: Member, data: bytes) -> None:
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        for _ in range(3):
            with contextlib.suppress(Exception):
                await stranger.send(victim, BLOB, data)
        await until(lambda: stranger.id in victim.node.bans(), what="ban")


async def test_garbage_on_every_other_protocol_is_survived(victim: Member) -> None:
    for protocol in ("/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/unknown/1"):
        async with Stranger() as stranger:
            await stranger.connect(victim.address)
            for data in (b"", os.urandom(200), b"\xff" * 32, b"\x80" * 20):
                with contextlib.suppress(Exception):
                    await stranger.send(victim, protocol, data, hold=0.05)


async def test_a_flood_of_valid_messages_is_throttled(group: Group) -> None:
    victim = await group.start(max_messages_per_second=10.0)
    async with Stranger() as stranger:
        await stranger.connect(victim.address)
        messages = [stranger.message(b"flood", number=number) for number in range(500)]
        for start in range(0, 500, 100):
            await stranger.send(victim, MESHSUB, packet(*messages[start : start + 100]), hold=0.05)
        await asyncio.sleep(1)
    assert 40 <= len(victim.validated) <= 100
    assert victim.alive()


def test_the_library_still_has_what_is_replaced() -> None:
    """If an upgrade moves these, the hardening would silently do nothing."""
    assert wire.multistream.read_delim
    assert wire.yamux.MAX_WINDOW_SIZE
    assert wire.swarm_connection.logging
    for owner, names in {
        swarm.Swarm: ("_do_handle_inbound_connection", "upgrade_outbound_raw_conn", "add_conn", "dial_addr"),
        wire.yamux.Yamux: ("_read_data_body", "accept_stream"),
        wire.yamux.YamuxStream: ("_auto_tune_and_send_window_update", "send_window_update"),
        wire.SecureSession: ("_drain", "read", "write"),
        wire.TransportUpgrader: ("upgrade_connection",),
        wire.TCP: ("_dial_resolved",),
        pubsub.Pubsub: ("push_msg", "stream_handler", "_handle_new_peer", "_handle_dead_peer"),
        router.GossipSub: ("handle_rpc", "handle_ihave", "handle_iwant", "handle_graft", "handle_prune"),
    }.items():
        for name in names:
            assert callable(getattr(owner, name)), f"{owner.__name__}.{name}"
