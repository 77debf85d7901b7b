"""Starting, stopping, crashing, and finding each other again."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from p2p_fixtures import LOCAL, TOPIC, Group, Process, delivers, gossiping, until
from p2p_fixtures import group as group
from p2p_fixtures import processes as processes

from jepanet.errors import Exit, Fatal, Transient

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

Start = Callable[..., Awaitable[Process]]


async def test_a_taken_port_is_fatal(group: Group) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Fatal) as caught:
            await group.start(listen=f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}")
    assert caught.value.code is Exit.PORT_IN_USE


async def test_the_port_of_another_node_is_fatal_too(group: Group) -> None:
    """py-libp2p shares ports: without the probe this would start and steal connections."""
    first = await group.start()
    with pytest.raises(Fatal) as caught:
        await group.start(listen=first.address.split("/p2p/")[0])
    assert caught.value.code is Exit.PORT_IN_USE


async def test_a_directory_serves_one_node(group: Group) -> None:
    first = await group.start()
    with pytest.raises(Fatal) as caught:
        await group.start(directory=first.config.directory)
    assert caught.value.code is Exit.ALREADY_RUNNING
    await first.stop()
    await group.start(directory=first.config.directory)


async def test_a_directory_is_shared_between_processes_neither(
    group: Group, processes: Start, tmp_path: Path
) -> None:
    settings = {"listen": LOCAL, "topic": TOPIC, "node_key": secrets.token_hex(32)}
    process = await processes(**settings, directory=str(tmp_path / "shared"))
    with pytest.raises(Fatal) as caught:
        await group.start(directory=tmp_path / "shared")
    assert caught.value.code is Exit.ALREADY_RUNNING
    await process.kill()
    await group.start(directory=tmp_path / "shared")


@pytest.mark.parametrize(
    "listen", ["", "nonsense", "/ip4/127.0.0.1/udp/1", "/ip4/203.0.113.1/tcp/0", "/dns4/localhost/tcp/1"]
)
async def test_an_unusable_listen_address_is_fatal(group: Group, listen: str) -> None:
    with pytest.raises(Fatal) as caught:
        await group.make(listen=listen).start()
    assert caught.value.code is Exit.CONFIG
    assert "p2p" in str(caught.value) or "address" in str(caught.value)


async def test_calls_on_a_stopped_node_are_transient(group: Group) -> None:
    member = await group.start()
    await member.stop()
    for call in (member.node.publish(b"x"), member.node.peers(), member.node.connect(member.address)):
        with pytest.raises(Transient):
            await call
    await member.stop()
    assert member.node.failure.result() is None


async def test_a_crash_is_seen_and_a_new_node_takes_the_place(group: Group) -> None:
    member = await group.start()
    friend = await group.start()
    await friend.node.connect(member.address)

    async def crash() -> None:
        async def fail() -> None:
            raise ZeroDivisionError("a bug in the library")

        member.node._network._nursery.start_soon(fail)

    await member.node._thread.call(crash)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(asyncio.shield(member.node.failure), 5)
    assert member.reader is not None
    await asyncio.wait_for(member.reader, 5)
    with pytest.raises(Transient):
        await member.node.publish(b"x")
    await member.stop()
    again = await group.start(
        key=member.config.node_key.reveal(),
        directory=member.config.directory,
        listen=member.address.split("/p2p/")[0],
    )
    await gossiping(friend, 1)
    await delivers(friend, again)


async def test_stopping_under_traffic_takes_seconds(group: Group) -> None:
    members = await group.mesh(3)
    digest = members[0].files.add(group.root / "big", secrets.token_bytes(1 << 20) * 64)
    busy = True

    async def chatter() -> None:
        while busy:
            await members[1].node.publish(secrets.token_bytes(1000))
            await asyncio.sleep(0.01)

    under_way = asyncio.Event()
    talking = asyncio.create_task(chatter())
    fetching = asyncio.create_task(
        members[2].node.fetch(
            digest,
            max_bytes=1 << 30,
            directory=group.root / "fetched",
            on_progress=lambda done, total: under_way.set(),
        )
    )
    await asyncio.wait_for(under_way.wait(), 60)
    for member in (members[2], members[0]):
        started = time.monotonic()
        await member.stop()
        assert time.monotonic() - started < 8
        assert member.node.failure.result() is None
    busy = False
    await talking
    with pytest.raises(Transient):
        await fetching


async def test_cancelled_calls_end_at_once(group: Group) -> None:
    member, other = await group.start(), await group.start()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"/ip4/127.0.0.1/tcp/{silent.getsockname()[1]}/p2p/{other.id}"
        call = asyncio.create_task(member.node.connect(address))
        await asyncio.sleep(0.3)
        assert not call.done()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(call, 2)
    assert await member.node.peers() == ()


async def test_bootstrap_peers_are_dialled_until_they_are_there(group: Group) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    late = group.make(listen=f"/ip4/127.0.0.1/tcp/{port}")
    early = await group.start(bootstrap=(f"/ip4/127.0.0.1/tcp/{port}/p2p/{late.id}",), redial_seconds=0.2)
    await asyncio.sleep(1)
    assert early.alive()
    await late.start()
    await gossiping(late, 1)
    await delivers(early, late)


async def test_a_network_heals_after_kill_9(processes: Start, tmp_path: Path) -> None:
    """A killed node comes back knowing nobody; the others remember it and dial, so it is back in the mesh."""

    def settings(name: str, key: str, **more: object) -> dict[str, object]:
        return {
            "listen": LOCAL,
            "topic": TOPIC,
            "node_key": key,
            "directory": str(tmp_path / name),
            "redial_seconds": 0.3,
            **more,
        }

    keys = [secrets.token_hex(32) for _ in range(4)]
    first = await processes(**settings("0", keys[0]))
    rest = [
        await processes(**settings(str(index), keys[index], bootstrap=[first.address])) for index in (1, 2)
    ]
    victim = await processes(**settings("3", keys[3], bootstrap=[first.address]))
    for other in rest:
        await victim.ask(do="connect", address=other.address)
    everybody = [first, *rest, victim]

    async def complete(process: Process, count: int) -> bool:
        return len((await process.ask(do="peers"))["answer"]) >= count

    for process, count in zip(everybody, (3, 2, 2, 3), strict=True):
        await until(lambda process=process, count=count: complete(process, count))
    await asyncio.sleep(6)  # address books are filled

    await victim.kill()
    for process in (first, *rest):
        await until(lambda process=process: _without(process, victim.id))
    listen = victim.address.split("/p2p/")[0]
    # Back on its old address, knowing nobody: the others find it.
    alone = settings("4", keys[3], listen=listen)
    again = await processes(**alone)
    await until(lambda: complete(again, 3), 60)
    await again.ask(do="publish", payload="back again")
    for process in (first, *rest):
        await until(lambda process=process: "back again" in process.heard)


async def _without(process: Process, peer_id: str) -> bool:
    return peer_id not in (await process.ask(do="peers"))["answer"]


async def test_a_restarted_node_remembers_its_peers(group: Group) -> None:
    friends = [await group.start(redial_seconds=60.0) for _ in range(2)]
    member = await group.start()
    for friend in friends:
        await member.node.connect(friend.address)
    await member.stop()
    again = await group.start(directory=member.config.directory, key=member.config.node_key.reveal())
    await gossiping(again, 2)
    await delivers(again, friends[0])


def _families() -> list[str]:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["/ip4/127.0.0.1"]
    return ["/ip4/127.0.0.1", "/ip6/::1"]


@pytest.mark.parametrize("host", _families())
async def test_nodes_speak_what_the_machine_has(group: Group, host: str) -> None:
    one = await group.start(listen=f"{host}/tcp/0")
    other = await group.start(listen=f"{host}/tcp/0")
    await other.node.connect(one.address)
    await gossiping(one, 1)
    await delivers(other, one)
    assert (await one.node.peers())[0].address.startswith(host.split("/")[2] + ":")


async def test_announced_addresses_replace_the_listening_ones(group: Group) -> None:
    member = await group.start(announce_addresses=("/dns4/node.example/tcp/4001",))
    assert member.node.addresses == (f"/dns4/node.example/tcp/4001/p2p/{member.id}",)


async def test_the_node_stops_cleanly_at_the_end_of_its_process(processes: Start, tmp_path: Path) -> None:
    process = await processes(
        listen=LOCAL, topic=TOPIC, node_key=secrets.token_hex(32), directory=str(tmp_path / "n")
    )
    started = time.monotonic()
    assert await process.stop() == 0
    assert time.monotonic() - started < 10
