"""The fault-injecting proxy does what its modes say, so that what a test proves with it is proved."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from chain_fixtures import Chain, Pinger, deploy_pinger, eventually, running_chain

from chain_proxy import (
    BODIES,
    CATALOGUE,
    Answers,
    Backend,
    Behind,
    Blooms,
    CapsLogs,
    ChainProxy,
    CountLags,
    FeeAdvice,
    Freezes,
    HangsUp,
    HeadLags,
    LogsEmpty,
    LogsLag,
    Mode,
    NoTransactions,
    OtherChain,
    ProxyThread,
    ReceiptsLag,
    Sends,
    Shapes,
    Slow,
    SmallTipsRefused,
    Unknown,
)
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.sending.fees import GWEI

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

TESTS = str(Path(__file__).resolve().parent.parent)
PATIENCE = 0.3
"""Seconds after which a caller here takes silence for silence."""


@dataclass
class Room:
    """A chain of one ping in each of its blocks 2 to 6, and a proxy in front of it."""

    chain: Chain
    pinger: Pinger
    proxy: ChainProxy
    session: aiohttp.ClientSession
    mined: list[str]

    async def post(self, method: str, *params: Any, within: float = 10.0) -> tuple[int, bytes]:
        body = {"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)}
        async with asyncio.timeout(within), self.session.post(self.proxy.url, json=body) as answer:
            return answer.status, await answer.read()

    async def answer(self, method: str, *params: Any) -> dict[str, Any]:
        _, body = await self.post(method, *params)
        found: dict[str, Any] = json.loads(body)
        return found

    async def ask(self, method: str, *params: Any) -> Any:
        return (await self.answer(method, *params))["result"]

    async def refusal(self, method: str, *params: Any) -> str:
        return str((await self.answer(method, *params))["error"]["message"])

    async def blocks_with_logs(self, first: int | str = 0, last: int | str = "latest") -> list[int]:
        ends = (end if isinstance(end, str) else hex(end) for end in (first, last))
        query = {"address": self.pinger.address, **dict(zip(("fromBlock", "toBlock"), ends, strict=True))}
        return [int(item["blockNumber"], 16) for item in await self.ask("eth_getLogs", query)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room() -> AsyncIterator[Room]:
    async with running_chain() as chain, aiohttp.ClientSession() as session:
        pinger = await deploy_pinger(chain)
        sender = chain.sender(0)
        mined = []
        for number in range(5):
            receipt = await sender.send(f"ping/{number}", pinger.ping(number))
            mined.append("0x" + receipt.tx_hash.hex())
        async with ChainProxy(chain.anvil.url, seed=1) as proxy:
            yield Room(chain, pinger, proxy, session, mined)


@pytest.fixture(autouse=True)
def healthy(room: Room) -> None:
    room.proxy.set()
    room.proxy.asked.clear()
    room.proxy.met.clear()


def signed(room: Room, nonce: int, tip: int) -> str:
    wallet: Wallet = room.chain.wallets[1]
    fields = {"type": 2, "chainId": 31337, "nonce": nonce, "gas": 100_000, "maxFeePerGas": 100 * GWEI}
    call = room.pinger.ping(9)
    fields |= {"maxPriorityFeePerGas": tip, "to": call.to, "value": 0, "data": call.data}
    return "0x" + wallet.sign_transaction(fields).raw.hex()


async def nonce(room: Room) -> int:
    return int(await room.chain.rpc.transaction_count(room.chain.wallets[1].address, "latest"))


async def mined(room: Room, number: int) -> None:
    """Waits for the wallet's next nonce to be `number`."""

    async def there() -> bool:
        return await nonce(room) == number

    await eventually(there)


# ------------------------------------------------------------------ as a whole


async def test_without_modes_it_changes_nothing_and_counts(room: Room) -> None:
    assert await room.blocks_with_logs() == [2, 3, 4, 5, 6]
    direct = await room.chain.rpc.request("eth_getBlockByNumber", ["0x3", False])
    assert await room.ask("eth_getBlockByNumber", "0x3", False) == direct
    assert room.proxy.asked == {"eth_getLogs": 1, "eth_getBlockByNumber": 1}
    assert not room.proxy.met


async def test_a_batch_is_answered_one_by_one(room: Room) -> None:
    questions = [{"jsonrpc": "2.0", "id": number, "method": "eth_chainId"} for number in (1, 2)]
    async with room.session.post(room.proxy.url, json=questions) as answer:
        found = await answer.json()
    assert [item["id"] for item in found] == [1, 2]
    assert room.proxy.asked["eth_chainId"] == 2


async def test_modes_combine_and_are_counted(room: Room) -> None:
    room.proxy.set(HeadLags(blocks=2), LogsLag(blocks=4), Blooms(bits="ones"))
    assert await room.ask("eth_blockNumber") == "0x4"
    assert await room.blocks_with_logs() == [2]
    block = await room.ask("eth_getBlockByNumber", "latest", False)
    assert block["number"] == "0x4"
    assert block["logsBloom"] == "0x" + "ff" * 256
    assert room.proxy.met == {"HeadLags": 2, "LogsLag": 1, "Blooms": 1}


async def test_methods_and_share_narrow_a_mode(room: Room) -> None:
    room.proxy.set(Answers(body="internal", methods=("eth_chainId",)))
    assert "internal" in await room.refusal("eth_chainId")
    assert await room.ask("eth_blockNumber") == "0x6"

    async def pattern(seed: int) -> list[bool]:
        async with ChainProxy(room.chain.anvil.url, seed=seed) as proxy:
            proxy.set(Answers(body="internal", share=0.5))
            own = Room(room.chain, room.pinger, proxy, room.session, room.mined)
            return ["error" in await own.answer("eth_chainId") for _ in range(24)]

    first = await pattern(3)
    assert await pattern(3) == first
    assert await pattern(4) != first
    assert 4 <= sum(first) <= 20


async def test_one_url_in_front_of_a_good_and_a_lagging_backend(room: Room) -> None:
    room.proxy.balance(Backend(), Backend((Behind(blocks=3),)))
    heads = {await room.ask("eth_blockNumber") for _ in range(24)}
    assert heads == {"0x6", "0x3"}


async def test_backends_can_be_different_nodes(room: Room) -> None:
    async with running_chain() as other:
        room.proxy.balance(Backend(), Backend(url=other.anvil.url))
        assert {await room.ask("eth_blockNumber") for _ in range(24)} == {"0x6", "0x0"}


async def test_the_catalogue_has_every_kind_of_fault_once() -> None:
    assert {type(mode).__name__ for mode in CATALOGUE} == Mode.kinds.keys()
    assert len(set(CATALOGUE)) == len(CATALOGUE) > 100


async def test_modes_travel_as_json() -> None:
    modes = (*CATALOGUE, LogsLag(blocks=3, share=0.5), Answers(body="html", methods=("eth_call",)))
    assert tuple(Mode.from_json(json.loads(json.dumps(mode.to_json()))) for mode in modes) == modes


async def test_in_a_thread_beside_blocking_code(room: Room) -> None:
    with ProxyThread() as proxies:
        proxy = proxies.start(room.chain.anvil.url)
        own = Room(room.chain, room.pinger, proxy, room.session, room.mined)
        assert await own.ask("eth_blockNumber") == "0x6"
        proxies.call(proxy.set, HeadLags(blocks=1))
        assert await own.ask("eth_blockNumber") == "0x5"


async def test_as_a_process_of_its_own(room: Room) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chain_proxy", room.chain.anvil.url,
        "--mode", json.dumps(HeadLags(blocks=2).to_json()),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": TESTS},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        proxy = ChainProxy("")
        proxy.url = (await process.stdout.readline()).decode().strip()
        own = Room(room.chain, room.pinger, proxy, room.session, room.mined)
        assert await own.ask("eth_blockNumber") == "0x4"
        process.stdin.write(b"[]\n")
        assert json.loads(await process.stdout.readline())["asked"] == {"eth_blockNumber": 1}
        assert await own.ask("eth_blockNumber") == "0x6"
    finally:
        process.stdin.close()
        await process.wait()


# ------------------------------------------------------------------ answers that are none


async def test_every_body_is_said_instead_of_the_answer(room: Room) -> None:
    for name, (methods, _) in BODIES.items():
        method = min(methods, default="eth_gasPrice")
        room.proxy.set(Answers(body=name))
        status, body = await room.post(method, *(["0x" + "00" * 32, False] if "ByHash" in method else []))
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError):
            tree = None
        usable = isinstance(tree, dict) and isinstance(tree.get("result"), str) and "error" not in tree
        assert not usable, name
        assert status == 200 or name.startswith("http-"), name
        assert room.proxy.met["Answers"] >= 1


async def test_a_body_of_one_method_leaves_the_others_alone(room: Room) -> None:
    room.proxy.set(Answers(body="empty-block"))
    assert await room.ask("eth_getBlockByNumber", "latest", False) == {}
    assert await room.ask("eth_blockNumber") == "0x6"


async def test_the_true_answer_in_forms_that_are_none(room: Room) -> None:
    room.proxy.set(Shapes(form="batch"))
    assert isinstance(json.loads((await room.post("eth_blockNumber"))[1]), list)
    room.proxy.set(Shapes(form="both"))
    assert {"result", "error"} <= (await room.answer("eth_blockNumber")).keys()
    room.proxy.set(Shapes(form="cut-body"))
    with pytest.raises(ValueError):
        await room.answer("eth_blockNumber")
    room.proxy.set(Shapes(form="cut-connection"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await room.post("eth_blockNumber")
    room.proxy.set(Shapes(form="wrong-id"))
    await room.ask("eth_getBlockByNumber", "0x2", False)
    mixed_up = await room.answer("eth_getBlockByNumber", "0x3", False)
    assert mixed_up["id"] != 5
    assert mixed_up["result"]["number"] == "0x2"


# ------------------------------------------------------------------ reading


async def test_every_cap_on_logs_lets_narrow_queries_pass(room: Room) -> None:
    for how in CapsLogs.ways:
        room.proxy.set(CapsLogs(blocks=2, how=how))
        assert await room.blocks_with_logs(3, 4) == [3, 4], how
        query = {"fromBlock": "0x3", "toBlock": "0x5"}
        try:
            status, body = await room.post("eth_getLogs", query, within=PATIENCE)
        except (TimeoutError, aiohttp.ClientPayloadError):
            assert how in ("silence", "cut")
            continue
        assert status != 200 or "error" in json.loads(body), how


async def test_logs_lag_as_an_empty_list(room: Room) -> None:
    room.proxy.set(LogsLag(blocks=2))
    assert await room.blocks_with_logs(5, 6) == []
    assert await room.blocks_with_logs(3, 6) == [3, 4]
    assert await room.ask("eth_blockNumber") == "0x6"
    block = await room.ask("eth_getBlockByNumber", "0x6", False)
    assert await room.ask("eth_getLogs", {"blockHash": block["hash"]}) == []
    room.proxy.set(LogsEmpty())
    assert await room.blocks_with_logs() == []


async def test_receipts_lag(room: Room) -> None:
    room.proxy.set(ReceiptsLag(blocks=1))
    for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
        assert await room.ask(method, room.mined[-1]) is None
        assert await room.ask(method, room.mined[0]) is not None


async def test_the_receipts_of_a_block_lag(room: Room) -> None:
    blocks = [await room.ask("eth_getBlockByNumber", number, False) for number in ("0x5", "0x6")]
    older, newer = (block["hash"] for block in blocks)
    said = {}
    for how in ReceiptsLag.ways:
        room.proxy.set(ReceiptsLag(blocks=1, how=how))
        assert len((await room.ask("eth_getBlockReceipts", older))[0]["logs"]) == 1
        said[how] = await room.ask("eth_getBlockReceipts", newer)
    assert said["null"] is None
    assert said["empty"] == []
    assert [receipt["logs"] for receipt in said["bare"]] == [[]]
    room.proxy.set(Behind(blocks=1))
    assert await room.ask("eth_getBlockReceipts", newer) is None
    assert len(await room.ask("eth_getBlockReceipts", older)) == 1
    room.proxy.set(Unknown(method="eth_getBlockReceipts"))
    assert "does not exist" in await room.refusal("eth_getBlockReceipts", newer)
    room.proxy.set(NoTransactions())
    assert (await room.ask("eth_getBlockByHash", newer, False))["transactions"] == []


async def test_counts_lag(room: Room) -> None:
    address = room.chain.wallets[0].address
    room.proxy.set(CountLags(blocks=2))
    assert await room.ask("eth_getTransactionCount", address, "latest") == "0x3"
    assert await room.ask("eth_getTransactionCount", address, "0x6") == "0x5"


async def test_a_backend_that_is_behind_is_behind_in_everything(room: Room) -> None:
    block = await room.ask("eth_getBlockByNumber", "0x5", False)
    address = room.chain.wallets[0].address
    room.proxy.set(Behind(blocks=2))
    assert await room.ask("eth_blockNumber") == "0x4"
    assert (await room.ask("eth_getBlockByNumber", "latest", False))["number"] == "0x4"
    assert await room.ask("eth_getBlockByNumber", "0x5", False) is None
    assert await room.ask("eth_getBlockByHash", block["hash"], False) is None
    assert await room.blocks_with_logs() == [2, 3, 4]
    assert await room.ask("eth_getTransactionReceipt", room.mined[-1]) is None
    assert await room.ask("eth_getTransactionCount", address, "pending") == "0x3"
    assert "header not found" in await room.refusal("eth_getTransactionCount", address, "0x5")
    assert "header not found" in await room.refusal("eth_getCode", address, {"blockHash": block["hash"]})
    count = {"to": room.pinger.address, "data": "0x06661abd"}
    assert int(await room.ask("eth_call", count, "latest"), 16) == 3


async def test_a_backend_that_stands_still(room: Room) -> None:
    async with running_chain() as chain, ChainProxy(chain.anvil.url) as proxy:
        own = Room(chain, room.pinger, proxy, room.session, [])
        await chain.mine(2)
        proxy.set(Behind())
        assert await own.ask("eth_blockNumber") == "0x2"
        await chain.mine(3)
        assert await own.ask("eth_blockNumber") == "0x2"
        assert (await own.ask("eth_getBlockByNumber", "latest", False))["number"] == "0x2"
        proxy.set()
        assert await own.ask("eth_blockNumber") == "0x5"


async def test_blooms_are_useless(room: Room) -> None:
    for bits, bloom in Blooms.bloom.items():
        room.proxy.set(Blooms(bits=bits))
        assert (await room.ask("eth_getBlockByNumber", "0x3", False))["logsBloom"] == bloom


async def test_another_chain_has_nothing_of_ours(room: Room) -> None:
    ours = await room.ask("eth_getBlockByNumber", "0x3", False)
    room.proxy.set(OtherChain())
    assert await room.ask("eth_chainId") == hex(999)
    assert await room.blocks_with_logs() == []
    third, fourth = [await room.ask("eth_getBlockByNumber", hex(number), False) for number in (3, 4)]
    assert third["hash"] != ours["hash"]
    assert fourth["parentHash"] == third["hash"]
    assert "chain id" in await room.refusal("eth_sendRawTransaction", signed(room, 0, GWEI))


# ------------------------------------------------------------------ time


async def test_silence_lasts_until_the_modes_are_switched(room: Room) -> None:
    room.proxy.set(Freezes())
    with pytest.raises(TimeoutError):
        await room.post("eth_blockNumber", within=PATIENCE)
    waiting = asyncio.create_task(room.post("eth_blockNumber"))
    while room.proxy.asked["eth_blockNumber"] < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    room.proxy.set()
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert await room.ask("eth_blockNumber") == "0x6"
    assert room.proxy.met["Freezes"] == 2


async def test_hanging_up(room: Room) -> None:
    room.proxy.set(HangsUp())
    with pytest.raises(aiohttp.ClientError):
        await room.post("eth_blockNumber")


async def test_delay(room: Room) -> None:
    room.proxy.set(Slow(seconds=3 * PATIENCE))
    with pytest.raises(TimeoutError):
        await room.post("eth_blockNumber", within=PATIENCE)
    assert await room.ask("eth_blockNumber") == "0x6"
    assert room.proxy.met["Slow"] == 2


# ------------------------------------------------------------------ fees and sending


async def test_small_tips_are_refused(room: Room) -> None:
    room.proxy.set(SmallTipsRefused(gwei=25))
    assert "minimum 25 gwei" in await room.refusal("eth_sendRawTransaction", signed(room, 0, 24 * GWEI))
    history = ("0x5", "latest", [50])
    assert int((await room.ask("eth_feeHistory", *history))["reward"][0][0], 16) < 25 * GWEI
    room.proxy.set(SmallTipsRefused(gwei=25, words="transaction underpriced", quoted=True))
    assert "underpriced" in await room.refusal("eth_sendRawTransaction", signed(room, 0, GWEI))
    assert int((await room.ask("eth_feeHistory", *history))["reward"][0][0], 16) == 25 * GWEI
    assert int(await room.ask("eth_maxPriorityFeePerGas"), 16) == 25 * GWEI
    number = await nonce(room)
    snapshot = await room.chain.rpc.request("evm_snapshot", [])
    await room.ask("eth_sendRawTransaction", signed(room, number, 25 * GWEI))
    await mined(room, number + 1)
    await room.chain.rpc.request("evm_revert", [snapshot])


async def test_advice_on_fees_is_no_advice(room: Room) -> None:
    said = {}
    for advice in FeeAdvice.kinds_of:
        room.proxy.set(FeeAdvice(advice=advice))
        said[advice] = await room.answer("eth_feeHistory", "0x5", "latest", [50])
    assert said["null"]["result"] is None
    assert said["negative"]["result"]["baseFeePerGas"] == ["-0x1"]
    assert "does not exist" in said["missing"]["error"]["message"]
    assert said["empty"]["result"]["baseFeePerGas"] == []
    assert said["no-reward"]["result"]["reward"] is None


async def test_what_is_said_of_a_broadcast_says_nothing_of_what_became_of_it(room: Room) -> None:
    snapshot = await room.chain.rpc.request("evm_snapshot", [])
    number = await nonce(room)
    room.proxy.set(Sends(forward=False, how="hash"))
    raw = signed(room, number, GWEI)
    lost = await room.ask("eth_sendRawTransaction", raw)
    assert await room.ask("eth_getTransactionByHash", lost) is None
    for how in ("502", "already-known", "nonce-too-low", "underpriced"):
        room.proxy.set(Sends(forward=False, how=how))
        await room.post("eth_sendRawTransaction", raw)
        assert await nonce(room) == number
        room.proxy.set(Sends(forward=True, how=how))
        await room.post("eth_sendRawTransaction", raw)
        number += 1
        await mined(room, number)
        raw = signed(room, number, GWEI)
    room.proxy.set(Sends(forward=True, how="silence"))
    with pytest.raises(TimeoutError):
        await room.post("eth_sendRawTransaction", raw, within=PATIENCE)
    await mined(room, number + 1)
    await room.chain.rpc.request("evm_revert", [snapshot])
