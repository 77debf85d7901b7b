"""Real nodes: one knocks at another's port, and nobody makes it knock elsewhere or often."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from p2p_fixtures import LOCAL, TOPIC, Group, Stranger, group, until

from jepanet.errors import Transient
from jepanet.operations.checks.findings import Level
from jepanet.operations.diagnosis import dialling
from jepanet.operations.diagnosis.dialling import check_dialable, judge_knock
from jepanet.operations.reading import visit
from jepanet.p2p.host import Verdict
from jepanet.p2p.peers import dial_back
from jepanet.p2p.peers.dial_back import DIAL_BACK
from jepanet.settings.config import P2PSection

__all__ = ["group"]
pytestmark = pytest.mark.integration


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Knocks follow each other without a wait."""
    monkeypatch.setattr(dial_back, "_EVERY", 0.0)
    yield


def port_of(address: str) -> int:
    return int(address.split("/")[4])


async def test_a_peer_says_whether_it_reaches_a_port(group: Group, often: None) -> None:
    asked, asking = await group.start(), await group.start()
    await asking.node.connect(asked.address)
    assert await asking.node.dialled_back(asked.id, port_of(asking.address)) is Verdict.ANSWERED
    heard: list[bytes] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(64))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await asking.node.dialled_back(asked.id, port) is Verdict.SILENT, "no peer listens there"
        assert heard == [b"\x13/multistream/1.0.0\n"]
    assert await asking.node.dialled_back(asked.id, port) is Verdict.SILENT, "nobody listens there"


async def test_it_knocks_at_a_host_once_in_a_while(group: Group) -> None:
    asked, asking, third = await group.start(), await group.start(), await group.start()
    for member in (asking, third):
        await member.node.connect(asked.address)
    assert await asking.node.dialled_back(asked.id, port_of(asking.address)) is Verdict.ANSWERED
    assert await asking.node.dialled_back(asked.id, 1) is Verdict.BUSY
    assert await third.node.dialled_back(asked.id, 1) is Verdict.BUSY, "another identity of the same host"


async def test_a_node_that_announces_a_public_address_does_not_knock_at_private_ones(
    group: Group, unused_tcp_port: int
) -> None:
    """Behind a proxy or a container's bridge strangers seem to come from inside: it scans for none."""
    here = f"/ip4/127.0.0.1/tcp/{unused_tcp_port}"
    asked = await group.start(listen=here, announce_addresses=("/ip4/9.9.9.9/tcp/4701",))
    asking = await group.start()
    await asking.node.connect(f"{here}/p2p/{asked.id}")
    for port in (port_of(asking.address), 0):
        assert await asking.node.dialled_back(asked.id, port) is Verdict.OUT_OF_REACH


async def test_a_silent_listener_costs_a_few_seconds(
    group: Group, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial_back, "_KNOCK_SECONDS", 0.3)
    asked, asking = await group.start(), await group.start()
    await asking.node.connect(asked.address)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        await asyncio.sleep(30)

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        many = [asking.node.dialled_back(asked.id, port) for _ in range(6)]
        verdicts = await asyncio.gather(*many)
        assert set(verdicts) == {Verdict.SILENT, Verdict.BUSY}
        assert verdicts.count(Verdict.BUSY) == 2, "four at once"
        server.close()


async def test_garbage_and_half_a_request_leave_the_node_alive(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial_back, "_STALL", 0.3)
    member = await group.start()
    async with Stranger() as stranger:
        await stranger.connect(member.address)
        for data in (b"\x00", struct.pack(">H", 65535) + b"x" * 4096, b"\xff" * 70_000):
            await stranger.send(member, DIAL_BACK, data, hold=0.6)
    assert member.alive()


async def test_a_peer_that_answers_nonsense_or_not_at_all_is_transient(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial_back, "_STALL", 0.5)
    asking = await group.start()

    async def nonsense(stream: Any) -> None:
        await stream.read(2)
        await stream.write(b"\xc8")

    stranger = Stranger()
    stranger.handlers = {DIAL_BACK: nonsense}
    async with stranger:
        await asking.node.connect(
            f"{stranger.address}".replace(f"/p2p/{stranger.id}", "") + f"/p2p/{stranger.id}"
        )
        with pytest.raises(Transient):
            await asking.node.dialled_back(stranger.id, 4701)
    async with Stranger() as older:
        await asking.node.connect(older.address.replace(f"/p2p/{older.id}", "") + f"/p2p/{older.id}")
        with pytest.raises(Transient):
            await asking.node.dialled_back(older.id, 4701)


async def test_the_doctor_asks_bootstrap_peers_and_answers_for_a_node_that_does_not_run(
    group: Group, often: None, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr(visit, "topic_of", lambda _: TOPIC)
    asked = await group.start()
    here = f"/ip4/127.0.0.1/tcp/{unused_tcp_port}"
    section = P2PSection(listen=here, bootstrap=(asked.address,))
    nobody: Any = None
    (row,) = await check_dialable(section, nobody, running=False)
    assert row.level is Level.OK and f"reaches port {unused_tcp_port}" in row.text
    (row,) = await check_dialable(section, nobody, running=True)
    assert row.level is Level.WARNING and "cannot reach" in row.text, "it does not run, whatever is said"
    gone = P2PSection(listen=here, bootstrap=(asked.address.replace(asked.id, group.make().id),))
    monkeypatch.setattr(dialling, "_SECONDS", 2.0)
    (row,) = await check_dialable(gone, nobody, running=True)
    assert row.level is Level.WARNING and "no bootstrap peer" in row.text
    assert await check_dialable(P2PSection(listen=LOCAL, allow_isolated=True), nobody, running=True) == []
    await until(asked.alive)


def test_only_silence_is_a_warning() -> None:
    levels = {
        verdict: judge_knock("/dns4/first.example.org/tcp/1/p2p/x", 4701, verdict).level
        for verdict in Verdict
    }
    assert [verdict for verdict, level in levels.items() if level is not Level.OK] == [Verdict.SILENT]


def test_a_request_has_room_for_a_port_and_for_no_address() -> None:
    assert dial_back._REQUEST.size == 2
