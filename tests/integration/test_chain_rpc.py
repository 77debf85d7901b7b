"""Endpoints fail, lie and mix networks: what happens to a request then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from chain_fixtures import CHAIN_ID, Chain, running_chain

from chain_proxy.server import ChainProxy
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.chain.endpoints.answers import Malformed
from jepanet.chain.endpoints.endpoint import Endpoint
from jepanet.chain.endpoints.failover import AnswerTooLarge, Rpc, RpcError
from jepanet.errors import Exit, Fatal, Transient

pytestmark = pytest.mark.integration

Answer = Callable[[dict[str, Any]], Awaitable[web.StreamResponse | Any]]


@asynccontextmanager
async def node(answer: Answer | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """A real HTTP server that says whatever the test wants; `answer` sees all but the chain-id question."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        question = json.loads(await request.text())
        asked.append(question["method"])
        if question["method"] == "eth_chainId":
            result: Any = hex(CHAIN_ID)
        elif answer is None:
            result = "0x2a"
        else:
            result = await answer(question)
        if isinstance(result, web.StreamResponse):
            return result
        return web.json_response({"jsonrpc": "2.0", "id": question["id"], "result": result})

    application = web.Application()
    application.router.add_post("/{tail:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/v3/secret-api-key", asked
    finally:
        await runner.cleanup()


@asynccontextmanager
async def rpc_of(*urls: str, **options: Any) -> AsyncIterator[Rpc]:
    rpc = Rpc(urls, CHAIN_ID, **{"timeout": 2.0, **options})
    try:
        yield rpc
    finally:
        await rpc.close()


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}/secret-api-key"


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    async with running_chain() as running:
        yield running


async def test_fails_over_and_rests_the_dead_endpoint(chain: Chain) -> None:
    first = AnvilProcess(port=free_port(), chain_id=CHAIN_ID)
    async with first, rpc_of(first.url, chain.anvil.url, cooldown=60) as rpc:
        await first_mined(rpc, 3)
        assert (await rpc.head()).ref.number == 3
        await first.stop()
        assert (await rpc.head()).ref.number == 0, "the second endpoint, another chain history"
        await first.start()
        assert (await rpc.head()).ref.number == 0, "the first one rests"


async def first_mined(rpc: Rpc, blocks: int) -> None:
    await rpc.request("anvil_mine", [hex(blocks)])


async def test_returns_to_the_preferred_endpoint_after_the_cooldown(chain: Chain) -> None:
    first = AnvilProcess(port=free_port(), chain_id=CHAIN_ID)
    async with rpc_of(first.url, chain.anvil.url, cooldown=0.3) as rpc:
        await chain.mine(5)
        assert (await rpc.head()).ref.number == 5
        async with first:
            await asyncio.sleep(0.4)
            assert (await rpc.head()).ref.number == 0


@pytest.mark.parametrize("position", [0, 1])
async def test_an_endpoint_of_another_chain_is_left_out(chain: Chain, position: int) -> None:
    await chain.mine(7)
    async with AnvilProcess(port=free_port(), chain_id=4242) as stranger:
        urls = [chain.anvil.url, stranger.url] if position else [stranger.url, chain.anvil.url]
        async with rpc_of(*urls) as rpc:
            await rpc.check()
            for _ in range(5):
                assert (await rpc.head()).ref.number == 7


async def test_only_endpoints_of_another_chain_are_fatal_at_the_start() -> None:
    async with AnvilProcess(port=free_port(), chain_id=4242) as stranger, rpc_of(stranger.url) as rpc:
        with pytest.raises(Fatal, match=f"chain {CHAIN_ID}.*chain 4242") as caught:
            await rpc.check()
        assert caught.value.code is Exit.WRONG_CHAIN
        async with rpc_of(dead(), stranger.url) as rpc:
            with pytest.raises(Transient, match="chain 4242") as passing:
                await rpc.check()
            assert passing.value.code is Exit.WRONG_CHAIN


async def test_a_chain_replaced_at_run_time_is_noticed_and_forgiven() -> None:
    port = free_port()
    async with rpc_of(f"http://127.0.0.1:{port}", cooldown=0.0) as rpc:
        async with AnvilProcess(port=port, chain_id=CHAIN_ID):
            await rpc.head()
        with pytest.raises(Transient):
            await rpc.head()
        async with AnvilProcess(port=port, chain_id=99):
            with pytest.raises(Transient, match="chain 99") as caught:
                await rpc.head()
            assert caught.value.code is Exit.WRONG_CHAIN
        async with AnvilProcess(port=port, chain_id=CHAIN_ID):
            assert (await rpc.head()).ref.number == 0


async def test_an_endpoint_that_stands_still_is_asked_last(chain: Chain) -> None:
    still = AnvilProcess(port=free_port(), chain_id=CHAIN_ID)
    async with still, rpc_of(still.url, chain.anvil.url) as rpc:
        await rpc.request("anvil_mine", ["0x2"])
        await chain.mine(30)
        await rpc.check()
        assert (await rpc.head()).ref.number == 30
        assert (await rpc.pinned().head()).ref.number == 30


async def test_a_survey_asks_only_those_who_have_not_just_named_their_head(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jepanet.chain.endpoints.failover._SURVEY_EVERY", 0.2)
    monkeypatch.setattr("jepanet.chain.endpoints.failover._FRESH", 0.2)
    async with ChainProxy(chain.anvil.url) as first, ChainProxy(chain.anvil.url) as second:
        async with rpc_of(first.url, second.url) as rpc:

            async def surveyed(block: float) -> tuple[dict[str, int], dict[str, int]]:
                await rpc.pinned().head()
                first.asked.clear()
                second.asked.clear()
                rpc.survey(block)
                await asyncio.sleep(0.3)
                return dict(first.asked), dict(second.asked)

            both = {"eth_chainId": 1, "eth_getBlockByNumber": 1}
            assert await surveyed(0.0) == ({}, both)
            assert await surveyed(0.0) == ({}, both), "and for its chain again: it may be another"
            assert await surveyed(12.0) == ({}, {}), "on a chain of slow blocks nobody falls behind so soon"
            monkeypatch.setattr("jepanet.chain.endpoints.failover._SURVEY_RARELY", 0.2)
            assert await surveyed(12.0) == ({}, both), "but never more rarely than that"
            monkeypatch.setattr("jepanet.chain.endpoints.failover._FRESH", 0.0)
            assert await surveyed(0.0) == (both, both)
        async with rpc_of(first.url) as rpc:
            first.asked.clear()
            rpc.survey()
            await asyncio.sleep(0.2)
            assert not first.asked, "one endpoint is compared with nothing"


# What providers answer with HTTP 200 when it is they who cannot, collected from public reports.
_OWN_FAULTS: list[Any] = [
    {"error": {"code": -32005, "message": "limit exceeded"}},
    {"error": {"code": -32000, "message": "too many requests"}},
    {"error": {"code": 429, "message": "project ID request rate exceeded"}},
    {"error": {"code": -32603, "message": "internal error"}},
    {"error": {"code": -32000, "message": "header not found"}},
    {"error": {"code": -32000, "message": "missing trie node 0xab (path ) state is not available"}},
    {"error": {"code": -32001, "message": "Resource not found."}},
    {"error": {"code": -32601, "message": "the method is not available"}},
    {"error": {"code": "oops", "message": None}},
    {"error": "backend unavailable"},
    {"error": []},
    {"error": None},
    {"result": None},
    {"result": {}},
    {"result": {"number": "0x1"}},
    {"result": []},
]


@pytest.mark.parametrize("fault", _OWN_FAULTS, ids=[json.dumps(fault)[:60] for fault in _OWN_FAULTS])
async def test_a_fault_of_the_endpoints_own_is_asked_elsewhere(chain: Chain, fault: dict[str, Any]) -> None:
    async def fail(question: dict[str, Any]) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": question["id"], **fault})

    await chain.mine(3)
    account = chain.wallets[0].address
    async with node(fail) as (bad, asked), rpc_of(bad, chain.anvil.url, cooldown=0.0) as rpc:
        assert (await rpc.head()).ref.number == 3
        if fault not in ({"result": None},):
            assert await rpc.balance(account, "latest") > 0
            assert await rpc.transaction_count(account, "latest") == 0
            assert await rpc.logs([account], 0, 0) == []
        assert "eth_getBlockByNumber" in asked


async def test_a_null_chain_id_is_no_answer(chain: Chain) -> None:
    async def silent(request: web.Request) -> web.Response:
        question = json.loads(await request.text())
        return web.json_response({"jsonrpc": "2.0", "id": question["id"], "result": None})

    application = web.Application()
    application.router.add_post("/", silent)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with rpc_of(f"http://127.0.0.1:{runner.addresses[0][1]}", chain.anvil.url) as rpc:
            await rpc.check()
            assert (await rpc.head()).ref.number == 0
    finally:
        await runner.cleanup()


async def test_two_endpoints_on_one_host_count_as_two() -> None:
    """API keys in the path make two endpoints of one name."""
    base = dead()
    async with rpc_of(f"{base}/one", f"{base}/two") as rpc:
        with pytest.raises(Transient) as caught:
            await rpc.check()
        assert caught.value.code is Exit.CHAIN_UNREACHABLE


async def test_all_down_is_transient_and_names_them_without_their_keys() -> None:
    first, second = dead(), dead()
    async with rpc_of(first, second) as rpc:
        with pytest.raises(Transient) as caught:
            await rpc.head()
        assert caught.value.code is Exit.CHAIN_UNREACHABLE
        for url in (first, second):
            assert url.removesuffix("/secret-api-key") in str(caught.value)
        assert "secret-api-key" not in str(caught.value)
        with pytest.raises(Transient):
            await rpc.check()


async def test_a_silent_endpoint_times_out_and_the_next_is_asked() -> None:
    async def sleep(_: dict[str, Any]) -> str:
        await asyncio.sleep(30)
        return "0x1"

    async with node(sleep) as (slow, _), node() as (good, _), rpc_of(slow, good, timeout=0.3) as rpc:
        assert await rpc.request("eth_blockNumber", []) == "0x2a"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>bad gateway</html>", b"[]", b"42", b"{}", b'{"error": 5}', b"[" * 100_000, b"\xff\xfe"],
)
async def test_an_endpoint_that_talks_rubbish_is_passed_over(body: bytes) -> None:
    async def rubbish(_: dict[str, Any]) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with node(rubbish) as (bad, _), node() as (good, _), rpc_of(bad, good) as rpc:
        assert await rpc.request("eth_blockNumber", []) == "0x2a"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
async def test_http_failures_are_passed_over(status: int) -> None:
    async def fail(_: dict[str, Any]) -> web.Response:
        return web.Response(status=status, text="no")

    async with node(fail) as (bad, _), node() as (good, _), rpc_of(bad, good) as rpc:
        assert await rpc.request("eth_blockNumber", []) == "0x2a"


async def test_an_answer_over_the_cap_is_cut_off_while_it_streams() -> None:
    sent = 0

    async def endless(question: dict[str, Any]) -> web.Response:
        nonlocal sent

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 100 << 20:
                sent += 1 << 16
                yield b"0" * (1 << 16)

        return web.Response(body=body(), content_type="application/json")

    async with node(endless) as (bad, _), rpc_of(bad, max_response=1 << 20) as rpc:
        with pytest.raises(AnswerTooLarge):
            await rpc.request("eth_blockNumber", [])
    assert sent < 32 << 20


async def test_the_bodies_of_requests_and_answers_are_counted_by_endpoint() -> None:
    async def long(question: dict[str, Any]) -> str:
        return "0x" + "7" * 998

    async with node(long) as (url, asked), rpc_of(url, dead()) as rpc:
        await rpc.request("eth_anything", [])
        await rpc.request("eth_anything", [])
        totals = rpc.traffic.totals()["endpoints"]
        assert isinstance(totals, dict)
        answering, silent = totals.values()
        assert "secret" not in str(totals)
        assert silent == {"received": 0, "sent": 0}
        assert asked == ["eth_chainId", "eth_anything", "eth_anything"]
        bodies = [{"jsonrpc": "2.0", "id": number, "result": "0x" + "7" * 998} for number in (1, 2)]
        known = {"jsonrpc": "2.0", "id": 0, "result": hex(CHAIN_ID)}
        assert answering["received"] == sum(len(json.dumps(body)) for body in (known, *bodies))
        asked_for = [{"jsonrpc": "2.0", "method": method, "params": [], "id": 0} for method in asked]
        assert answering["sent"] == sum(len(json.dumps(body)) for body in asked_for)


async def test_a_refusal_is_an_answer_and_is_not_asked_elsewhere() -> None:
    async def refuse(question: dict[str, Any]) -> web.Response:
        error = {"code": 3, "message": "execution reverted", "data": "0x12345678"}
        return web.json_response({"jsonrpc": "2.0", "id": question["id"], "error": error})

    async with node(refuse) as (first, _), node() as (second, asked), rpc_of(first, second) as rpc:
        with pytest.raises(RpcError) as caught:
            await rpc.request("eth_call", [])
        assert (caught.value.rpc_code, caught.value.data) == (3, bytes.fromhex("12345678"))
        assert asked == []


async def test_the_failure_of_a_wide_log_query_rests_no_endpoint(chain: Chain) -> None:
    async def limited(question: dict[str, Any]) -> Any:
        if question["method"] == "eth_getLogs":
            error = {"code": -32005, "message": "limit exceeded"}
            return web.json_response({"jsonrpc": "2.0", "id": question["id"], "error": error})
        return "0x2a"

    async with node(limited) as (first, asked), node() as (second, other), rpc_of(first, second) as rpc:
        with pytest.raises(RpcError):
            await rpc.pinned().logs([], 1, 500)
        assert await rpc.request("eth_blockNumber", []) == "0x2a"
        assert "eth_blockNumber" in asked
        assert other == []


async def test_malformed_values_are_refused(chain: Chain) -> None:
    async def lie(_: dict[str, Any]) -> Any:
        return {"number": "0x1", "hash": "0x12", "parentHash": "0x34", "timestamp": "1", "gasLimit": None}

    async with node(lie) as (url, _), rpc_of(url) as rpc:
        with pytest.raises(Malformed):
            await rpc.head()
        with pytest.raises(Malformed):
            await rpc.receipt(bytes(32))
        with pytest.raises(Malformed):
            await rpc.logs([], 0, 1)


async def test_pinned_requests_stay_with_one_endpoint() -> None:
    async with node() as (first, asked_first), node() as (second, asked_second):
        async with rpc_of(first, second) as rpc:
            reader = rpc.pinned()
            for _ in range(3):
                await reader.request("eth_blockNumber", [])
            assert asked_second == []
            assert asked_first.count("eth_blockNumber") == 3
        async with rpc_of(dead(), second, cooldown=60) as rpc:
            with pytest.raises(Transient):
                await rpc.pinned().request("eth_blockNumber", [])
            assert await rpc.pinned().request("eth_blockNumber", []) == "0x2a"


async def test_a_key_that_a_provider_quotes_in_a_refusal_does_not_show() -> None:
    async def answer(question: dict[str, Any]) -> Any:
        refusal = {
            "code": -32000,
            "message": "project secret-api-key of /v3/secret-api-key is over its quota",
        }
        return web.json_response({"jsonrpc": "2.0", "id": question["id"], "error": refusal})

    async with node(answer) as (url, _), rpc_of(url, cooldown=0.0) as rpc:
        with pytest.raises(RpcError, match="over its quota") as caught:
            await rpc.request("eth_blockNumber", [])
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://x", "", "localhost:8545", "ws://localhost"])
def test_only_http_endpoints_are_taken(url: str) -> None:
    with pytest.raises(Fatal) as caught:
        Rpc([url], 1)
    assert caught.value.code is Exit.CONFIG


def test_credentials_in_a_url_never_show() -> None:
    endpoint = Endpoint("https://user:pass@node.example:8443/key?token=abc", timeout=1, max_response=10)
    assert endpoint.name == "https://node.example:8443"
