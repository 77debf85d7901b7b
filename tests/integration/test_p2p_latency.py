"""Real nodes ping those they are connected to, and nobody's answer to a ping hurts them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from multiaddr import Multiaddr
from p2p_fixtures import Group, Stranger, group, until

from jepanet.p2p.peers import latency
from jepanet.p2p.peers.latency import PING

__all__ = ["group"]
pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At every look, and without much patience."""
    monkeypatch.setattr(latency, "_EVERY", 0.0)
    monkeypatch.setattr(latency, "_WAITS", 0.5)
    yield


async def test_every_connected_peer_has_a_latency_and_who_is_gone_has_none(group: Group) -> None:
    one, other = await group.mesh(2)
    for member in (one, other):
        (found,) = await until(lambda member=member: _measured(member))
        assert 0 < found < 5
    await other.stop()
    await until(lambda: _gone(one))


async def _measured(member: Any) -> list[float]:
    return [peer.latency for peer in await member.node.peers() if peer.latency is not None]


async def _gone(member: Any) -> bool:
    return not await member.node.peers() and not member.node._network._latencies._found


async def test_attack_other_bytes_silence_and_a_flood_give_no_latency_and_do_no_harm(group: Group) -> None:
    member = await group.start()
    asked: list[str] = []

    async def other_bytes(stream: Any) -> None:
        asked.append("other")
        await stream.read(32)
        await stream.write(bytes(32))

    async def silence(stream: Any) -> None:
        asked.append("silence")
        await stream.read(32)

    async def flood(stream: Any) -> None:
        asked.append("flood")
        for _ in range(8):
            await stream.write(bytes(1 << 14))

    for answer in (other_bytes, silence, flood):
        stranger = Stranger()
        stranger.handlers = {PING: answer}
        async with stranger:
            await member.node.connect(
                stranger.address.replace(f"/p2p/{stranger.id}", "") + f"/p2p/{stranger.id}"
            )
            # Who floods may leave a connection on which its own side opens no further stream.
            wanted = len(asked) + (1 if answer is flood else 2)
            await until(lambda wanted=wanted: len(asked) >= wanted, 90.0, f"pings of {answer.__name__}")
            await asyncio.sleep(1.0)
            assert not await _measured(member)
    assert member.alive() and not member.node.bans()


async def test_attack_a_flood_of_pings_is_answered_a_few_times(group: Group) -> None:
    """What is sent back is bounded by time, not by what comes; others are answered meanwhile."""
    member = await group.start()
    peer = info_from_p2p_addr(Multiaddr(member.address)).peer_id

    async with Stranger() as stranger:
        await stranger.connect(member.address)

        async def flood() -> int:
            got = 0
            for _ in range(10):
                with contextlib.suppress(Exception), trio.move_on_after(3):  # it is reset
                    stream = await stranger.host.new_stream(peer, [TProtocol(PING)])
                    await stream.write(bytes(32 * 100))
                    while data := await stream.read(32):
                        got += len(data)
            return got

        begun = time.monotonic()
        answered = await stranger.do(flood) / 32
        assert 1 <= answered <= 11 + time.monotonic() - begun
        other = await group.start()
        await other.node.connect(member.address)
        assert (await until(lambda: _measured(other)))[0] > 0, "it is another peer"
    assert member.alive() and not member.node.bans()
