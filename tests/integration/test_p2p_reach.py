"""Real nodes: what they announce, that they find a peer again by its name, and at whom they do not knock."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
from p2p_fixtures import Group, group, until

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.p2p.identity import peer_id_of
from jepanet.p2p.peers import horizon
from jepanet.telemetry import Secret

__all__ = ["group"]
pytestmark = pytest.mark.integration

PUBLIC = "/ip4/9.9.9.9/tcp/4701"


class Knocks:
    """A host that is no peer: it counts who connects, and closes."""

    def __init__(self) -> None:
        self.count = 0
        self.port = 0

    async def _knocked(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        writer.close()


@asynccontextmanager
async def listener(*, answers: bool = True) -> AsyncIterator[Knocks]:
    knocks = Knocks()
    server = await asyncio.start_server(knocks._knocked, "127.0.0.1", 0)
    knocks.port = server.sockets[0].getsockname()[1]
    async with server:
        yield knocks


def new_id() -> str:
    return peer_id_of(Secret(secrets.token_bytes(32)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_node_on_all_interfaces_announces_where_it_can_be_dialled(group: Group) -> None:
    member = await group.start(listen="/ip4/0.0.0.0/tcp/0")
    hosts = {address.split("/")[2] for address in member.node.addresses}
    assert hosts
    assert "0.0.0.0" not in hosts
    own = {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}
    assert hosts <= own
    assert all(address.endswith(f"/p2p/{member.id}") for address in member.node.addresses)
    other = await group.start(listen="/ip4/0.0.0.0/tcp/0")
    await other.node.connect(member.node.addresses[0])
    assert member.id in await other.peer_ids()


async def test_a_peer_that_announces_a_name_is_found_again_by_it(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def resolve(kind: str, name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    monkeypatch.setattr(horizon, "_resolve", resolve)
    port, key = free_port(), secrets.token_bytes(32)
    settings = {
        "listen": f"/ip4/127.0.0.1/tcp/{port}",
        "announce_addresses": (f"/dns4/named.example/tcp/{port}",),
        "key": key,
        "directory": group.root / "named",
        "redial_seconds": 0.2,
    }
    other = await group.start(redial_seconds=0.2)
    named = await group.start(**settings, bootstrap=(other.address,))
    assert named.node.addresses == (f"/dns4/named.example/tcp/{port}/p2p/{named.id}",)

    async def noted() -> bool:
        return any(address.kind == "dns4" for address in other.node._network._book.addresses_of(named.id))

    async def parted() -> bool:
        return named.id not in await other.peer_ids()

    await until(noted, what="the name is in the other's book")
    # While the two are joined nobody dials: every question from here on is a redial.
    asked.clear()
    await named.stop()
    await until(parted, what="the other saw it go")
    # It comes back without anybody to dial: only the other can bring the two together again.
    (group.root / "named" / "peers.json").unlink(missing_ok=True)
    named = await group.start(**settings)

    async def together() -> bool:
        return named.id in await other.peer_ids()

    await until(together, what="redialled by name")
    assert "named.example" in asked


async def test_attack_announced_addresses_do_not_make_a_public_node_knock_at_home(group: Group) -> None:
    member = await group.start(announce_addresses=(PUBLIC,))
    async with listener() as knocks:
        for host in ("127.0.0.1", "localhost", "::ffff:127.0.0.1"):
            kind = "dns4" if host == "localhost" else "ip6" if ":" in host else "ip4"
            await member.node.introduce([f"/{kind}/{host}/tcp/{knocks.port}/p2p/{new_id()}"])
        with contextlib.suppress(JepanetError):
            await member.node.fetch(
                secrets.token_bytes(32), max_bytes=9, directory=group.root,
                providers=[f"/ip4/127.0.0.1/tcp/{knocks.port}/p2p/{new_id()}"],
            )  # fmt: skip
        assert knocks.count == 0


async def test_attack_one_announcer_s_knocks_become_ever_fewer(group: Group) -> None:
    member = await group.start(redial_seconds=1.0)
    peer = new_id()
    async with listener() as first, listener() as second:
        for attempt in range(40):
            knocks = (first, second)[attempt % 2]
            await member.node.introduce([f"/ip4/127.0.0.1/tcp/{knocks.port}/p2p/{peer}"])
            await asyncio.sleep(0.02)
        assert 1 <= first.count + second.count <= 3


async def test_attack_many_identities_do_not_make_a_node_knock_at_a_silent_host(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await group.start(redial_seconds=1.0)
    tried: list[str] = []
    swarm = member.node._network._swarm
    dial = swarm.dial_addr

    async def counted(address: object, *rest: object) -> object:
        tried.append(str(address))
        return await dial(address, *rest)

    monkeypatch.setattr(swarm, "dial_addr", counted)
    silent = free_port()
    for _ in range(20):
        await member.node.introduce([f"/ip4/127.0.0.1/tcp/{silent}/p2p/{new_id()}"])
    assert 1 <= len(tried) <= 3


async def test_attack_an_answer_of_somebody_else_is_not_held_against_the_true_peer(group: Group) -> None:
    true, member = await group.start(), await group.start()
    host = true.address.rpartition("/p2p/")[0]
    for _ in range(5):
        await member.node.introduce([f"{host}/p2p/{new_id()}"])
    await member.node.introduce([true.address])
    assert true.id in await member.peer_ids()


async def test_a_node_does_not_dial_itself(group: Group) -> None:
    member = await group.start()
    await member.node.introduce([member.address])
    with pytest.raises(JepanetError, match="itself"):
        await member.node.connect(member.address)
    with pytest.raises(Fatal, match="itself") as caught:
        await group.start(bootstrap=(member.address,), key=member.config.node_key.reveal())
    assert caught.value.code is Exit.CONFIG


async def test_the_library_dials_nobody_by_itself(group: Group) -> None:
    """A stream to a peer that has just left must not lead to whatever address it claimed."""
    member, other = await group.start(), await group.start()
    await member.node.connect(other.address)
    await until(lambda: member.node._network._claimed(other.id), what="identified")
    peer = next(iter(member.node._network._swarm.get_connections_map()))
    async with listener() as knocks:

        async def ask() -> bool:
            from multiaddr import Multiaddr

            network = member.node._network
            await network._swarm.close_peer(peer)
            network._swarm.peerstore.add_addrs(peer, [Multiaddr(f"/ip4/127.0.0.1/tcp/{knocks.port}")], 600)
            with contextlib.suppress(Exception):
                await network._host.new_stream(peer, ["/x/1"])
            return True

        assert await member.node._thread.call(ask)
        assert knocks.count == 0
