"""The dashboard's files as a real server gives them, and the door that its page comes through."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing.hub import Hub
from jepanet.rpc.transport.bearer import SPOKEN, open_tokens, token_file
from jepanet.rpc.transport.invitations import MOST_OPEN, SECONDS, Invitations
from jepanet.rpc.transport.pages import PREFIX, read_pages
from jepanet.rpc.transport.server import Listening, listening
from jepanet.settings.rpc_section import RpcSection
from rpc_node import Asking, a_node

pytestmark = pytest.mark.integration

PAGE = b"<!doctype html><title>a page</title>"
CODE = b"export const one = 1;\n" * 100


@dataclass
class Served:
    listening: Listening
    client: aiohttp.ClientSession
    token: str
    folder: Path
    invitations: Invitations

    @property
    def origin(self) -> str:
        return self.listening.url.rstrip("/")

    async def get(self, path: str, method: str = "GET", **heads: str) -> tuple[int, Any, bytes]:
        asked = self.client.request(method, self.origin + path, headers=heads, allow_redirects=False)
        async with asked as answer:
            return answer.status, answer.headers, await answer.read()


def built(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "index-x1.js").write_bytes(CODE)
    (folder / "secret.token").write_text("not for pages")
    return folder


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    node = a_node(tmp_path)
    asking, hub = Asking(node), Hub(node, most=4)
    tokens = open_tokens(tmp_path)
    pages = read_pages(built(tmp_path / "pages"))
    async with AsyncExitStack() as opened:
        found = await opened.enter_async_context(
            listening(
                RpcSection(port=0),
                asking.dispatcher,
                tokens,
                health=asking.probes.health,
                ready=asking.probes.ready,
                hub=hub,
                pages=pages,
                invitations=asking.invitations,
            )
        )
        client = await opened.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        token = token_file(tmp_path, Scope.READ).read_text().strip()
        yield Served(found, client, token, tmp_path, asking.invitations)
    node.journal.close()
    node.blobs.close()


async def test_the_page_comes_without_a_token_and_takes_nothing_from_elsewhere(served: Served) -> None:
    for path in (PREFIX, f"{PREFIX}index.html", f"{PREFIX}?x=1"):
        status, heads, body = await served.get(path, **{"Accept-Encoding": "identity"})
        assert (status, body) == (200, PAGE)
        assert heads["Content-Type"] == "text/html; charset=utf-8" and heads["Cache-Control"] == "no-cache"
        policy = dict(item.partition(" ")[::2] for item in heads["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in heads["Content-Security-Policy"]
        assert heads["X-Content-Type-Options"] == "nosniff" and heads["Referrer-Policy"] == "no-referrer"
        assert heads["Server"] == "jepanet" and "Access-Control-Allow-Origin" not in heads
    status, heads, body = await served.get(f"{PREFIX}assets/index-x1.js", **{"Accept-Encoding": "gzip, br"})
    assert (status, heads["Content-Encoding"], gzip.decompress(body)) == (200, "gzip", CODE)
    assert "immutable" in heads["Cache-Control"] and heads["Content-Type"].startswith("text/javascript")
    status, heads, body = await served.get(PREFIX, "HEAD", **{"Accept-Encoding": "identity"})
    assert (status, heads["Content-Length"], body) == (200, str(len(PAGE)), b"")
    status, heads, _ = await served.get("/dashboard")
    assert (status, heads["Location"]) == (308, PREFIX)


@pytest.mark.parametrize(
    "path",
    ["secret.token", "assets/", "assets/../../read.token", "%2e%2e/read.token", "..%2fread.token", "assets"],
)
async def test_attack_only_files_that_were_built_are_given(served: Served, path: str) -> None:
    reader, writer = await asyncio.open_connection(served.listening.host, served.listening.port)
    writer.write(f"GET {PREFIX}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert b" 404 " in answer.split(b"\r\n")[0] and served.token.encode() not in answer


async def test_attack_no_other_page_reads_files_or_calls(served: Served) -> None:
    assert (await served.get(PREFIX, Host="evil.example"))[0] == 403
    assert (await served.get(PREFIX, Origin="https://evil.example"))[0] == 403
    assert (await served.get(PREFIX, "POST"))[0] == 405
    bearer = {"Authorization": f"Bearer {served.token}", "Content-Type": "application/json"}
    call = {"jsonrpc": "2.0", "method": "node.health", "id": 1}
    for origin, status in ((served.origin, 200), ("http://127.0.0.1:9", 403), ("null", 403)):
        heads = bearer | {"Origin": origin}
        async with served.client.post(served.listening.url, json=call, headers=heads) as answer:
            assert answer.status == status, origin
            assert not [name for name in answer.headers if name.startswith("Access-Control")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    status, heads, _ = await served.get("/", "OPTIONS", **asked)
    assert status == 403 and "Access-Control-Allow-Origin" not in heads


async def test_a_page_opens_a_socket_with_its_token_which_no_log_gets(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    offered = (SPOKEN, f"bearer.{served.token}")
    socket = await served.client.ws_connect(served.listening.url, protocols=offered, origin=served.origin)
    assert socket.protocol == SPOKEN
    await socket.send_json(
        {"jsonrpc": "2.0", "method": "rpc.subscribe", "params": {"topic": "rounds"}, "id": 1}
    )
    assert (await socket.receive_json())["result"] == "1"
    await socket.close()
    wrong = (SPOKEN, "bearer." + "A" * 43)
    for protocols, origin in (
        (wrong, served.origin),
        ((f"bearer.{served.token}",), served.origin),
        (offered, "http://127.0.0.1:9"),
        (offered, None),
    ):
        try:
            await (
                await served.client.ws_connect(served.listening.url, protocols=protocols, origin=origin)
            ).close()
            assert origin is None, "a program may open one the same way"
        except aiohttp.WSServerHandshakeError as refused:
            assert refused.status in (401, 403)
    assert served.token not in caplog.text


async def test_attack_a_code_lets_in_once_and_only_a_page_of_this_server(served: Served) -> None:
    async def enter(body: object, **heads: str) -> tuple[int, dict[str, str]]:
        asked = served.client.post(f"{served.origin}{PREFIX}enter", json=body, headers=heads)
        async with asked as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, json.loads(await answer.read())

    code = served.invitations.make(Scope.READ)
    assert (await enter({"code": code}, Origin="https://evil.example"))[0] == 403
    assert (await enter({"code": code}, Host="evil.example"))[0] == 403
    assert (await enter({"code": code}, **{"Content-Type": "text/plain"}))[0] == 415
    assert (await enter({"code": "x" * 300}))[0] == 413
    for wrong in ({}, [], {"code": 1}, {"code": "A" * 43}, {"code": "\ud800"}, "code"):
        assert (await enter(wrong))[0] == 401, wrong
    assert await enter({"code": code}, Origin=served.origin) == (
        200,
        {"token": served.token, "scope": "read"},
    )
    assert (await enter({"code": code}))[0] == 401


def test_attack_codes_grow_old_and_are_few() -> None:
    now = [0.0]
    invitations = Invitations(lambda: now[0])
    late = invitations.make(Scope.OPERATE)
    now[0] = SECONDS + 1
    assert invitations.take(late) is None
    codes = [invitations.make(Scope.OPERATE) for _ in range(MOST_OPEN + 1)]
    assert invitations.take(codes[0]) is None, "the oldest made room for the newest"
    assert {invitations.take(item) for item in codes[1:]} == {Scope.OPERATE}


async def test_a_node_without_a_built_dashboard_says_what_to_do(tmp_path: Path) -> None:
    assert read_pages(tmp_path) == {}
    node = a_node(tmp_path)
    asking = Asking(node)
    server = listening(
        RpcSection(port=0), asking.dispatcher, open_tokens(tmp_path),
        health=asking.probes.health, ready=asking.probes.ready,
    )  # fmt: skip
    async with (
        server as found,
        aiohttp.ClientSession() as client,
        client.get(found.url + "dashboard/") as got,
    ):
        assert got.status == 404 and "scripts/setup" in await got.text()
    node.journal.close()
    node.blobs.close()


def test_a_folder_that_is_no_dashboard_is_not_read_into_memory(tmp_path: Path) -> None:
    folder = built(tmp_path / "pages")
    assert set(read_pages(folder)) == {PREFIX, f"{PREFIX}index.html", f"{PREFIX}assets/index-x1.js"}
    (folder / "large.js").write_bytes(b" " * (2 << 20))
    with pytest.raises(OSError, match="build it anew"):
        read_pages(folder)
