"""The server against real sockets: who is heard, what is refused before it costs anything, and who waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jepanet.rpc.codes import Code
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Method, NoParams, Scope, table_of
from jepanet.rpc.transport import connections, server
from jepanet.rpc.transport.bearer import open_tokens, token_file
from jepanet.rpc.transport.server import Listening, listening
from jepanet.settings.rpc_section import RpcSection

pytestmark = pytest.mark.integration

CALL = {"jsonrpc": "2.0", "method": "echo.nothing", "id": 1}
DONE = {"jsonrpc": "2.0", "result": "done", "id": 1}
MOST = 8


@dataclass
class Served:
    """A server on a free port, a client, and what its methods were asked."""

    listening: Listening
    client: aiohttp.ClientSession
    folder: Path
    asked: list[str]
    release: asyncio.Event
    well: list[bool]

    @property
    def url(self) -> str:
        return self.listening.url

    def heads(self, scope: Scope = Scope.READ, **changes: str | None) -> dict[str, str]:
        token = token_file(self.folder, scope).read_text().strip()
        heads = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        merged = heads | {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in merged.items() if value is not None}

    async def post(self, body: Any = CALL, **changes: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        heads = self.heads(**changes)
        skip = () if "Content-Type" in heads else ("Content-Type",)
        async with self.client.post(self.url, data=data, headers=heads, skip_auto_headers=skip) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def raw(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self.listening.host, self.listening.port)
        writer.write(data)
        await writer.drain()
        return reader, writer

    def request(self, body: bytes, **changes: str | None) -> bytes:
        host, length = f"127.0.0.1:{self.listening.port}", str(len(body))
        heads = self.heads(**{"Host": host, "Content_Length": length, **changes})
        lines = "".join(f"{name}: {value}\r\n" for name, value in heads.items())
        return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    asked: list[str] = []
    release = asyncio.Event()
    well = [True, True]

    async def nothing(_: NoParams) -> str:
        asked.append("nothing")
        return "done"

    async def wait(_: NoParams) -> str:
        asked.append("wait")
        await release.wait()
        return "done"

    async def long(_: NoParams) -> str:
        return "x" * (3 << 20)

    methods = table_of(
        [
            Method("echo.nothing", "", NoParams, str, nothing),
            Method("echo.wait", "", NoParams, str, wait),
            Method("echo.long", "", NoParams, str, long),
            Method("node.stop", "", NoParams, str, nothing, Scope.OPERATE),
        ]
    )

    async def health() -> tuple[bool, dict[str, object]]:
        return well[0], {"healthy": well[0]}

    async def ready() -> tuple[bool, dict[str, object]]:
        return well[1], {"ready": well[1], "reasons": [] if well[1] else ["no-peers"]}

    section = RpcSection(port=0, max_body_kb=64, max_batch=20, max_connections=MOST, timeout_seconds=5.0)
    dispatcher = Dispatcher(methods, seconds=section.timeout_seconds, max_batch=section.max_batch)
    async with AsyncExitStack() as opened:
        found = await opened.enter_async_context(
            listening(section, dispatcher, open_tokens(tmp_path), health=health, ready=ready)
        )
        client = await opened.enter_async_context(aiohttp.ClientSession())
        yield Served(found, client, tmp_path, asked, release, well)


async def until(reached: Callable[[], bool]) -> None:
    """Waits; no event of the server tells a test that it got there."""
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_is_answered(served: Served) -> None:
    assert await served.post() == (200, DONE)
    assert await served.post([CALL, CALL]) == (200, [DONE, DONE])
    assert await served.post({"jsonrpc": "2.0", "method": "echo.nothing"}) == (204, None)
    assert served.asked == ["nothing"] * 4
    async with served.client.post(served.url, json=CALL, headers=served.heads()) as answer:
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "jepanet"


async def test_attack_whoever_is_not_allowed_gets_nothing(served: Served) -> None:
    refused = {
        "no token": ({"Authorization": None}, 401, Code.UNAUTHORIZED),
        "a wrong token": ({"Authorization": "Bearer " + "A" * 43}, 401, Code.UNAUTHORIZED),
        "another host": ({"Host": "evil.example"}, 403, Code.STRANGER),
        "another origin": ({"Origin": "https://evil.example"}, 403, Code.STRANGER),
        "another port": ({"Origin": "http://127.0.0.1:1"}, 403, Code.STRANGER),
        "no page's origin": ({"Origin": "null"}, 403, Code.STRANGER),
        "a form": ({"Content_Type": "text/plain"}, 415, Code.NOT_JSON),
        "no type": ({"Content_Type": None}, 415, Code.NOT_JSON),
        "packed": ({"Content_Encoding": "deflate"}, 415, Code.NOT_JSON),
    }
    for what, (changes, status, code) in refused.items():
        found, answer = await served.post(**changes)
        assert (found, answer["error"]["code"], answer["id"]) == (status, code, None), what
    assert not served.asked
    status, answer = await served.post(CALL | {"method": "node.stop"})
    assert (status, answer["error"]["code"]) == (200, Code.OUT_OF_SCOPE)
    assert not served.asked
    assert await served.post(CALL | {"method": "node.stop"}, scope=Scope.OPERATE) == (200, DONE)
    assert served.asked == ["nothing"]


async def test_attack_a_repeated_head_counts_for_nothing(served: Served) -> None:
    body = json.dumps(CALL).encode()
    for extra in (b"Host: evil.example\r\n", b"Content-Type: text/plain\r\n", b"Authorization: Bearer x\r\n"):
        reader, writer = await served.raw(served.request(body).replace(b"\r\n", b"\r\n" + extra, 1))
        assert (await reader.readline()).split()[1] in (b"400", b"401", b"403", b"415")
        writer.close()
    assert not served.asked


async def test_attack_ten_megabytes_are_not_read(served: Served) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * (64 << 10)

    for body in (b" " * (10 << 20), endless()):
        try:
            async with served.client.post(served.url, data=body, headers=served.heads()) as answer:
                assert answer.status == 413
                assert (await answer.json())["error"]["code"] == Code.BODY_TOO_LARGE
        except aiohttp.ClientConnectionError:
            pass  # the connection was ended while the client was still sending
    assert not served.asked
    announced = served.request(b"{}", Content_Length=str(10 << 20))
    reader, writer = await served.raw(announced)
    assert b" 413 " in await reader.readline(), "nothing of what was announced is waited for"
    assert (await reader.read()).endswith(b"}")
    writer.close()
    assert await served.post() == (200, DONE)


async def test_attack_a_thousand_calls_in_one_batch_are_refused_at_once(served: Served) -> None:
    status, answer = await served.post([CALL] * 1000)
    assert (status, answer["error"]["code"]) == (200, Code.BATCH_TOO_LARGE)
    assert not served.asked


async def test_health_and_readiness_take_no_token_and_tell_no_more_than_they_must(served: Served) -> None:
    async def probe(path: str, method: str = "GET", **heads: str) -> tuple[int, str]:
        url = served.url.rstrip("/") + path
        async with served.client.request(method, url, headers=heads) as answer:
            return answer.status, await answer.text()

    assert await probe("/health") == (200, '{"healthy": true}')
    assert await probe("/ready") == (200, '{"ready": true, "reasons": []}')
    served.well[:] = [True, False]
    assert await probe("/health") == (200, '{"healthy": true}')
    assert await probe("/ready") == (503, '{"ready": false, "reasons": ["no-peers"]}')
    served.well[:] = [False, False]
    assert (await probe("/health"))[0] == 503
    assert (await probe("/health", Host="evil.example"))[0] == 403
    assert (await probe("/ready", Origin="https://evil.example"))[0] == 403
    assert (await probe("/health", "POST"))[0] == 405
    assert await probe("/", "GET") == (405, "")
    assert await probe("/metrics") == (404, "")


@pytest.mark.parametrize(
    "line",
    [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET " + b"x" * 20_000],
)
async def test_attack_what_is_no_http_learns_nothing(served: Served, line: bytes) -> None:
    reader, writer = await served.raw(line + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0] or not answer
    assert not body and b"aiohttp" not in head
    writer.close()


async def test_attack_slow_connections_keep_nobody_waiting(served: Served) -> None:
    """Far more than there are places: each new one takes the place of one that says nothing."""
    slow = []
    call = served.request(json.dumps(CALL).encode())
    kept_reader, kept_writer = await served.raw(call)
    await kept_reader.readuntil(b'"done"}')
    for number in range(1000):
        kind = number % 3
        start = b"" if kind == 0 else b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
        if kind == 2:
            start = served.request(b"x" * 100)[:-90].replace(b"Authorization: ", b"X-Nothing: ")
        slow.append(await served.raw(start))
        if number % 50 == 0:
            newcomer = served.post(Connection="close")
            assert await asyncio.wait_for(newcomer, 20) == (200, DONE)
            assert served.listening.doors.open <= MOST
    kept_writer.write(call)  # who showed a token keeps its place among those that did not
    await asyncio.wait_for(kept_reader.readuntil(b'"done"}'), 20)
    kept_writer.close()
    for _, writer in slow:
        writer.close()


async def test_attack_who_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(server, "_TRANSFER_SECONDS", 0.1)

    async def fine() -> tuple[bool, dict[str, object]]:
        return True, {}

    section = RpcSection(port=0, timeout_seconds=600.0)  # not the calls' own deadline ends them
    dispatcher = Dispatcher({}, seconds=600.0, max_batch=1)
    async with listening(section, dispatcher, open_tokens(tmp_path), health=fine, ready=fine) as found:
        token = token_file(tmp_path, Scope.READ).read_text().strip()
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        of_json = "Content-Type: application/json\r\n"
        for start in ("", head, f"{head}{of_json}Content-Length: 10\r\n\r\n{{"):
            reader, writer = await asyncio.open_connection(found.host, found.port)
            writer.write(start.encode())
            assert b" 200 " not in await asyncio.wait_for(reader.read(), 20)
            writer.close()


async def test_attack_an_answer_that_nobody_reads_does_not_hold_a_place(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_TRANSFER_SECONDS", 0.1)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 600.0)  # not its being idle ends it
    body = json.dumps([CALL | {"method": "echo.long"}] * 8).encode()  # more than a system buffers
    section = RpcSection(port=0, max_connections=1, timeout_seconds=0.1)

    async def fine() -> tuple[bool, dict[str, object]]:
        return True, {}

    dispatcher = served_dispatcher()
    async with listening(section, dispatcher, open_tokens(served.folder), health=fine, ready=fine) as found:
        here = Served(found, served.client, served.folder, [], served.release, [])
        _, writer = await here.raw(here.request(body))
        await until(lambda: found.doors.open == 1)
        await until(lambda: not found.doors.open)
        writer.close()


def served_dispatcher() -> Dispatcher:
    async def long(_: NoParams) -> str:
        return "x" * (3 << 20)

    return Dispatcher(
        table_of([Method("echo.long", "", NoParams, str, long)]),
        seconds=5,
        max_batch=8,
        most_answered=1 << 26,
    )


async def test_only_where_all_are_at_work_is_a_new_one_turned_away(served: Served) -> None:
    waiting = [asyncio.create_task(served.post(CALL | {"method": "echo.wait"})) for _ in range(MOST)]
    await until(lambda: len(served.asked) == MOST)
    reader, writer = await served.raw(served.request(json.dumps(CALL).encode()))
    assert b" 503 " in await reader.readline()
    writer.close()
    served.release.set()
    assert {status for status, _ in await asyncio.gather(*waiting)} == {200}
    assert await served.post() == (200, DONE)


async def test_who_leaves_ends_its_call_and_its_place(served: Served) -> None:
    _, writer = await served.raw(served.request(json.dumps(CALL | {"method": "echo.wait"}).encode()))
    await until(lambda: bool(served.asked))
    writer.close()
    await until(lambda: not served.listening.doors.open)


async def test_requests_of_one_connection_are_answered_in_order(served: Served) -> None:
    first = served.request(json.dumps(CALL | {"id": "a"}).encode())
    second = served.request(json.dumps(CALL | {"id": "b"}).encode())
    reader, writer = await served.raw(first + second)
    text = b""
    async with asyncio.timeout(20):
        while text.count(b'"done"') < 2:
            text += await reader.read(4096)
    assert text.index(b'"a"') < text.index(b'"b"')
    writer.close()
