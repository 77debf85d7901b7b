"""Whoever sends without an end, or never reads, costs a bounded amount of memory and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from jepanet.protocol.state import NodeState, OffChain, Own
from jepanet.rpc.method import Method, NoParams, Scope
from jepanet.rpc.subscribing import hub as hub_module
from jepanet.rpc.transport import sockets
from jepanet.settings.rpc_section import RpcSection
from jepanet.types import RoundId
from rpc_wire import Raw, Served, call, frame, received, serving, until

pytestmark = pytest.mark.integration

MOST = 8
LARGEST = 16 << 20
"""Bytes that any of these may make the process hold at once, ours as a client included."""
CALL = b'{"jsonrpc":"2.0","method":"a.wait","id":1}'
PROBE = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(hub_module, "EVERY", 0.01)

    async def wait(_: NoParams) -> None:
        await asyncio.Event().wait()

    section = RpcSection(port=0, max_body_kb=64, max_connections=MOST, timeout_seconds=30.0)
    beside = (Method("a.wait", "", NoParams, object, wait),)
    async with serving(tmp_path, sockets=MOST // 2, section=section, beside=beside) as found:
        yield found


@contextmanager
def within_bounds() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LARGEST
    finally:
        tracemalloc.stop()


async def sent(writer: asyncio.StreamWriter, data: bytes, seconds: float = 1.0) -> None:
    """Sends the same again and again until nothing is taken any more."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0)
    except (TimeoutError, ConnectionError):
        pass


async def honest(served: Served) -> None:
    """A newcomer is answered."""
    async with aiohttp.ClientSession() as client:
        body = {"jsonrpc": "2.0", "method": "rounds.list", "id": 1}
        asked = client.post(served.url, json=body, headers=served.heads())
        async with asyncio.timeout(20), asked as answer:
            assert "result" in await answer.json()


def rounds_more(served: Served, state: NodeState, *numbers: int) -> None:
    """What the subscribers to `rounds` are told: these, beside those of `state`."""
    for key in map(RoundId, numbers):
        more = state.with_round(replace(state.rounds[RoundId(30)], id=key))
        own, off_chain = {**state.own, key: Own()}, {**state.off_chain, key: OffChain()}
        state = replace(more, own=own, off_chain=off_chain)
    served.node.state = state


def chunked(served: Served) -> bytes:
    head = served.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert b"chunked" in head
    return head


@pytest.mark.parametrize(
    "what",
    ["probes", "probes behind a call", "calls behind a call", "chunks", "an extension", "trailers", "heads",
     "a head", "empty lines"],
)  # fmt: skip
async def test_attack_who_sends_over_http_without_an_end(served: Served, what: str) -> None:
    begin, then = {
        "probes": (b"", PROBE * 500),
        "probes behind a call": (served.request(CALL), PROBE * 500),
        "calls behind a call": (served.request(CALL), served.request(b" " * 16_000)),
        "chunks": (chunked(served), b"1\r\n \r\n" * 5000),
        "an extension": (chunked(served) + b"1;", b"a" * (64 << 10)),
        "trailers": (chunked(served) + b"0\r\n", b"X-A: b\r\n" * 1000),
        "heads": (PROBE[:-2], b"X-A: b\r\n" * 1000),
        "a head": (PROBE[:-2] + b"X: ", b"a" * (64 << 10)),
        "empty lines": (b"", b"\r\n" * 10_000),
    }[what]
    with within_bounds():
        _, writer = await served.raw(begin)
        sending = asyncio.create_task(sent(writer, then))
        while not sending.done():
            await honest(served)
        await sending
        await honest(served)
        writer.close()


@pytest.mark.parametrize(
    "what",
    ["a frame", "a message of many frames", "empty frames", "pings", "pongs", "no requests",
     "requests behind a call"],
)  # fmt: skip
async def test_attack_who_sends_over_a_socket_without_an_end(served: Served, what: str) -> None:
    begin, then = {
        "a frame": (frame(b"", length=1 << 40), b" " * (64 << 10)),
        "a message of many frames": (frame(b"[", 0x01), frame(b" " * 1000, 0x00) * 50),
        "empty frames": (frame(b"[", 0x01), frame(b"", 0x00) * 2000),
        "pings": (b"", frame(b"x" * 100, 0x89) * 500),
        "pongs": (b"", frame(b"x" * 100, 0x8A) * 500),
        "no requests": (b"", frame(b"1") * 2000),
        "requests behind a call": (frame(CALL), frame(b"1") * 2000),
    }[what]
    with within_bounds():
        (_, writer), head = await served.raw_socket()
        assert b" 101 " in head
        writer.write(begin)
        sending = asyncio.create_task(sent(writer, then))
        while not sending.done():
            await honest(served)
        await sending
        await honest(served)
        writer.close()


async def test_attack_what_unpacks_to_more_is_not_unpacked(served: Served) -> None:
    (reader, writer), head = await served.raw_socket(
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    )
    assert b" 101 " in head and b"deflate" not in head
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(50)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 64 << 10
    with within_bounds():
        writer.write(frame(bomb, 0xC1))
        closed = await asyncio.wait_for(reader.read(), 20)
        assert closed[:1] == b"\x88" and int.from_bytes(closed[2:4]) == aiohttp.WSCloseCode.PROTOCOL_ERROR
    writer.close()
    await honest(served)


async def test_attack_probes_that_do_not_end_hold_no_place(served: Served) -> None:
    """Who shows no token may be at work as long as it likes, for example by not reading what is answered."""
    _, kept = await served.raw(served.request(CALL))
    async with served.asking.recent._turn:  # nothing is said of the node's health
        held = [(await served.raw(PROBE))[1] for _ in range(MOST - 1)]
        await until(lambda: sum(item.busy for item in served.listening.doors._open) == MOST)
        for _ in range(20):
            await honest(served)
            assert served.listening.doors.open <= MOST
        assert any(item.busy and item.known for item in served.listening.doors._open), "who is known stays"
    for writer in (*held, kept):
        writer.close()


async def test_a_thousand_slow_connections_and_a_flood_of_subscriptions_at_once(served: Served) -> None:
    socket = await served.open()
    await call(socket, "rpc.subscribe", topic="rounds")
    slow: list[Raw] = []

    async def connect() -> None:
        for start in (b"", b"POST / HTTP/1.1\r\nX: ", PROBE[:-2]) * 334:
            slow.append(await served.raw(start))  # noqa: PERF401

    async def subscribe() -> None:
        async with aiohttp.ClientSession() as client:
            for _ in range(300):
                try:
                    mine = await client.ws_connect(served.url, headers=served.heads())
                except (aiohttp.WSServerHandshakeError, aiohttp.ClientConnectionError):
                    continue
                for number in range(10):
                    body = {"jsonrpc": "2.0", "method": "rpc.subscribe", "params": ["rounds"], "id": number}
                    await mine.send_json(body)

    attacks = [asyncio.create_task(connect()), asyncio.create_task(subscribe())]
    state, number = served.node.state, 100
    while not all(item.done() for item in attacks):
        await honest(served)
        number += 1
        rounds_more(served, state, number)
        assert (await received(socket))["params"]["event"]["round"] == number
    await asyncio.gather(*attacks)
    assert served.hub.held(Scope.READ) <= hub_module.PER_TOKEN
    await socket.close()
    for _, writer in slow:
        writer.close()


async def test_attack_a_subscriber_that_never_reads_is_ended_and_the_others_are_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_TAKEN_SECONDS", 600.0)  # what waits for it ends it, not the clock
    monkeypatch.setattr(sockets, "_PING_SECONDS", 600.0)
    reading = await served.open()
    await call(reading, "rpc.subscribe", topic="rounds")
    (_, writer), _ = await served.raw_socket()
    writer.write(
        b"".join(
            frame(json.dumps({"jsonrpc": "2.0", "method": "rpc.subscribe", "params": ["rounds"]}).encode())
            for _ in range(hub_module.PER_CONNECTION)
        )
    )
    await until(lambda: served.hub.held(Scope.READ) == 1 + hub_module.PER_CONNECTION)
    state, number = served.node.state, 100
    with within_bounds():
        async with asyncio.timeout(60):
            while served.hub.held(Scope.READ) > 1:
                rounds_more(served, state, *range(number, number + 20))
                for place in range(20):
                    assert (await received(reading))["params"]["event"]["round"] == number + place
                number += 20
    await until(lambda: served.listening.doors.open == 1)
    await honest(served)
    await reading.close()
    writer.close()


async def test_between_the_calls_of_a_batch_others_have_a_turn(served: Served) -> None:
    """Most methods wait for nothing: fifty of them at once must not be one long halt of the node."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    await asyncio.sleep(0)
    body = json.dumps([{"jsonrpc": "2.0", "method": "rounds.list", "id": 1}] * 10)
    before = turns
    answers = json.loads(await served.asking.dispatcher.answer(body.encode(), Scope.READ.includes) or "")
    assert len(answers) == 10 and turns - before >= 10
    beside.cancel()


async def test_between_the_messages_of_a_socket_others_have_a_turn(tmp_path: Path) -> None:
    turns, seen = 0, []

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def count(_: NoParams) -> None:
        seen.append(turns)

    async with serving(tmp_path, beside=(Method("a.count", "", NoParams, object, count),)) as served:
        (_, writer), _ = await served.raw_socket()
        beside = asyncio.create_task(others())
        writer.write(frame(b'{"jsonrpc":"2.0","method":"a.count"}') * 200)
        await until(lambda: len(seen) == 200)
        assert len(set(seen)) == 200
        beside.cancel()
        writer.close()
