"""Every error code is met by a caller over the network, with its message and HTTP status; and there the
examples of the specification are answered as it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jepanet.rpc.codes import MEANINGS, Code, Refused
from jepanet.rpc.method import Method, NoParams, Scope
from jepanet.rpc.subscribing.hub import PER_CONNECTION
from jepanet.settings.rpc_section import RpcSection
from rpc_node import ME
from rpc_specification import EXAMPLES, INVALID, OfExamples, bare
from rpc_wire import Served, call, received, serving

pytestmark = pytest.mark.integration


async def crash(_: NoParams) -> None:
    raise OSError("/home/secret")


async def wait(_: NoParams) -> None:
    await asyncio.Event().wait()


async def refuse(_: NoParams) -> None:
    raise Refused(Code.NOT_ALLOWED, "it owes a debt")


async def linger(_: NoParams) -> None:
    raise Refused(Code.UNDER_WAY, "it is not mined yet")


async def long(_: NoParams) -> str:
    return "x" * (5 << 20)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    beside = (
        Method("a.crash", "", NoParams, object, crash),
        Method("a.wait", "", NoParams, object, wait, seconds=0.05),
        Method("a.refuse", "", NoParams, object, refuse),
        Method("a.linger", "", NoParams, object, linger),
        Method("a.long", "", NoParams, str, long),
        *OfExamples().methods,
    )
    async with serving(tmp_path, section=RpcSection(port=0, max_body_kb=16), beside=beside) as found:
        yield found


def calling(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode()


HEALTH = calling("node.health")
MET: dict[Code, tuple[bytes, dict[str, str]]] = {
    Code.PARSE_ERROR: (b'{"jsonrpc": "2.0",', {}),
    Code.INVALID_REQUEST: (b"[]", {}),
    Code.METHOD_NOT_FOUND: (calling("node.stop"), {}),
    Code.INVALID_PARAMS: (calling("rounds.list", limit=101), {}),
    Code.INTERNAL_ERROR: (calling("a.crash"), {}),
    Code.UNAUTHORIZED: (HEALTH, {"Authorization": "Bearer " + "A" * 43}),
    Code.OUT_OF_SCOPE: (calling("peers.ban", peer="16Uiu2"), {}),
    Code.STRANGER: (HEALTH, {"Origin": "https://evil.example"}),
    Code.NOT_JSON: (HEALTH, {"Content-Type": "text/plain"}),
    Code.BODY_TOO_LARGE: (b" " * (17 << 10), {}),
    Code.BATCH_TOO_LARGE: (b"[" + b",".join([b"1"] * 1000) + b"]", {}),
    Code.TIMED_OUT: (calling("a.wait"), {}),
    Code.NOT_FOUND: (calling("rounds.get", round=3), {}),
    Code.UNAVAILABLE: (calling("receipts.get", round=8, solver=ME), {}),
    Code.ANSWER_TOO_LARGE: (calling("a.long"), {}),
    Code.NOT_ALLOWED: (calling("a.refuse"), {}),
    Code.UNDER_WAY: (calling("a.linger"), {}),
    Code.NOT_A_SOCKET: (calling("rpc.subscribe", topic="rounds"), {}),
}
"""What is sent over HTTP, with which other heads, to meet a code."""


@pytest.mark.parametrize("code", MET)
async def test_a_code_is_met_over_http(served: Served, code: Code) -> None:
    body, changes = MET[code]
    heads = {**served.heads(), "Content-Type": "application/json", **changes}
    async with served.client.post(served.url, data=body, headers=heads) as answer:
        found = await answer.json()
    assert (found["error"]["code"], found["error"]["message"]) == (code, MEANINGS[code].message)
    assert answer.status == MEANINGS[code].status
    assert "secret" not in json.dumps(found)
    assert "result" in await served.post("node.health"), "the next one is served"


async def test_the_one_code_that_only_a_socket_meets(served: Served) -> None:
    assert set(Code) - set(MET) == {Code.TOO_MANY}
    socket = await served.open()
    for _ in range(PER_CONNECTION):
        assert "result" in await call(socket, "rpc.subscribe", topic="rounds")
    refused = await call(socket, "rpc.subscribe", topic="rounds")
    assert refused["error"]["code"] == Code.TOO_MANY
    assert refused["error"]["message"] == MEANINGS[Code.TOO_MANY].message
    await socket.close()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_specifications_own_examples_over_http_and_over_a_socket(served: Served, name: str) -> None:
    body, expected = EXAMPLES[name]
    heads = {**served.heads(), "Content-Type": "application/json"}
    async with served.client.post(served.url, data=body, headers=heads) as answer:
        text = await answer.text()
    assert answer.status == (204 if expected is None else 200)
    assert (bare(json.loads(text)) if text else None) == expected
    socket = await served.open()
    await socket.send_str(body)
    await socket.send_str("[]")
    if expected is not None:  # else nothing is answered: what is told first is about the message after it
        assert bare(await received(socket)) == expected
    assert bare(await received(socket)) == INVALID
    await socket.close()


async def test_attack_a_token_counts_nowhere_but_in_its_head(served: Served) -> None:
    token = served.token(Scope.OPERATE)
    json_type = {"Content-Type": "application/json"}
    for url in (f"{served.url}?token={token}", f"{served.url}?access_token={token}"):
        for heads in ({}, {"Cookie": f"token={token}"}, {"X-Authorization": f"Bearer {token}"}):
            async with served.client.post(url, data=HEALTH, headers=json_type | heads) as answer:
                assert answer.status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await served.client.ws_connect(url)
        assert refused.value.status == 401
    by_protocol = {"Sec-WebSocket-Protocol": f"bearer, {token}"}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await served.client.ws_connect(served.url, headers=by_protocol)
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("rounds.list", {"cursor": "-1"}),
        ("rounds.list", {"cursor": "1e3"}),
        ("rounds.list", {"cursor": "9" * 16}),
        ("rounds.list", {"cursor": "\u0661"}),
        ("rounds.list", {"cursor": "7 OR 1=1"}),
        ("rounds.list", {"cursor": 7}),
        ("transactions.list", {"cursor": "7; DROP TABLE intents"}),
        ("transactions.list", {"cursor": ["7"]}),
        ("rounds.get", {"round": 10**4000}),
        ("rounds.get", {"round": -1}),
        ("rounds.get", {"round": 7.0}),
        ("receipts.get", {"round": 7, "solver": "../../etc/passwd"}),
        ("receipts.get", {"round": 7, "solver": "0x" + "f" * 100}),
    ],
)
async def test_attack_a_forged_parameter_is_refused(
    served: Served, method: str, params: dict[str, Any]
) -> None:
    answer = await served.post(method, **params)
    assert answer["error"]["code"] == Code.INVALID_PARAMS
    assert len(json.dumps(answer)) < 1000, "what was sent does not come back"


async def test_attack_a_cursor_of_nobody_gives_a_page_like_any_other(served: Served) -> None:
    for cursor in ("0", "15", "9" * 15):
        for method in ("rounds.list", "transactions.list", "projects.list", "rewards.list"):
            page = (await served.post(method, cursor=cursor, limit=2))["result"]
            assert len(page["items"]) <= 2
