"""Each duty takes effect at most once: concurrency, crashes at every point, forks, stuck transactions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from chain_fixtures import (
    CHAIN_ID,
    FEES,
    Chain,
    MemoryIntents,
    Pinger,
    deploy_pinger,
    eventually,
    running_chain,
)

from jepanet.chain.contracts.reverts import ErrorDecoder
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.endpoints.requests import RpcError
from jepanet.chain.sending.fees import FeeCapReached, FeePolicy
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Rejected, Transient
from jepanet.intents import Intent, IntentState
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents

pytestmark = pytest.mark.integration


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    async with running_chain() as running:
        yield running


@pytest.fixture
async def pinger(chain: Chain) -> Pinger:
    return await deploy_pinger(chain)


async def _pings(chain: Chain, pinger: Pinger) -> int:
    head = await chain.block()
    return len(await chain.rpc.logs([pinger.address], pinger.born.number, head.number))


async def test_concurrent_sends_get_distinct_nonces(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender()
    receipts = await asyncio.gather(*(sender.send(f"key-{i}", pinger.ping(i)) for i in range(200)))
    assert len({receipt.tx_hash for receipt in receipts}) == 200
    assert all(receipt.succeeded for receipt in receipts)
    assert await _pings(chain, pinger) == 200
    assert await chain.rpc.transaction_count(chain.wallets[0].address, "latest") == 200
    assert sender.pending == ()


async def test_same_key_takes_effect_once(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender()
    first, second = await asyncio.gather(
        sender.send("duty", pinger.ping(1)), sender.send("duty", pinger.ping(1))
    )
    assert first == second
    assert await sender.send("duty", pinger.ping(1)) == first
    assert await _pings(chain, pinger) == 1


class Crash(Exception):
    pass


class CrashingIntents(MemoryIntents):
    """Fails right after (or, with `before`, before) storing the given state, as a killed process would."""

    def __init__(self, state: IntentState, *, before: bool = False) -> None:
        super().__init__()
        self.state, self.before, self.armed = state, before, True

    def put(self, intent: Intent) -> None:
        crash = self.armed and intent.state is self.state
        if crash and self.before:
            raise Crash
        super().put(intent)
        if crash:
            raise Crash


@pytest.mark.parametrize(
    ("state", "before"),
    [
        (IntentState.INTENDED, True),  # nothing stored, nothing sent
        (IntentState.INTENDED, False),  # stored, not broadcast
        (IntentState.SENT, True),  # broadcast, not noted
        (IntentState.SENT, False),  # broadcast and noted
        (IntentState.MINED, True),  # mined, not noted
        (IntentState.MINED, False),  # mined and noted
    ],
)
async def test_resumes_after_a_crash_with_one_nonce(
    chain: Chain, pinger: Pinger, state: IntentState, before: bool
) -> None:
    store = CrashingIntents(state, before=before)
    with pytest.raises(Crash):
        await chain.sender(store=store).send("duty", pinger.ping(7))
    store.armed = False
    resumed = chain.sender(store=store)
    receipt = await resumed.send("duty", pinger.ping(7))
    assert receipt.succeeded
    assert {intent.nonce for intent in store.history} == {0}
    assert store.rows["duty"].state is IntentState.MINED
    assert await _pings(chain, pinger) == 1
    # The next duty is not held up by what the crash left behind.
    assert (await resumed.send("next", pinger.ping(8))).succeeded


async def test_a_forgotten_intent_does_not_block_later_nonces(chain: Chain, pinger: Pinger) -> None:
    store = CrashingIntents(IntentState.INTENDED)
    with pytest.raises(Crash):
        await chain.sender(store=store).send("forgotten", pinger.ping(1))
    store.armed = False
    resumed = chain.sender(store=store)
    assert (await resumed.send("other", pinger.ping(2))).succeeded
    assert store.rows["other"].nonce == 1
    assert await _pings(chain, pinger) == 2


async def test_stuck_transaction_is_replaced_at_the_same_nonce(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    sender = chain.sender(store=store, fees=FeePolicy(replace_after=0.3))
    await chain.automine(False)
    sending = asyncio.create_task(sender.send("duty", pinger.ping(1)))

    async def replaced() -> bool:
        return "duty" in store.rows and len(store.rows["duty"].hashes) >= 3

    await eventually(replaced)
    await chain.automine(True)
    await chain.mine()
    receipt = await sending
    intent = store.rows["duty"]
    assert receipt.succeeded
    assert receipt.tx_hash in intent.hashes
    assert {item.nonce for item in store.history} == {0}
    fees = [item.max_fee for item in store.history if item.state is not IntentState.MINED]
    assert fees == sorted(fees)
    assert fees[-1] * 8 >= fees[0] * 9
    assert await _pings(chain, pinger) == 1


async def test_an_older_form_mined_instead_of_its_replacement_counts(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    await chain.automine(False)
    sending = asyncio.create_task(
        chain.sender(store=store, fees=FeePolicy(replace_after=0.3)).send("duty", pinger.ping(1))
    )

    async def replaced() -> bool:
        return "duty" in store.rows and len(store.rows["duty"].hashes) >= 2

    await eventually(replaced)
    # The node only ever heard of the first form.
    first = store.rows["duty"]
    sent: list[object] = []

    async def offered() -> bool:
        # The sender may offer its newest form again between the two calls.
        await chain.rpc.request("anvil_dropAllTransactions", [])
        try:
            sent.append(await chain.rpc.send_raw(first.raws[0]))
        except RpcError:
            return False
        return True

    await eventually(offered)
    await chain.mine()
    receipt = await sending
    assert receipt.tx_hash == sent[0] == first.hashes[0]


async def test_fee_cap_is_an_error_that_says_so(chain: Chain, pinger: Pinger) -> None:
    await chain.rpc.request("anvil_setNextBlockBaseFeePerGas", [hex(50 * 10**9)])
    await chain.mine()
    sender = chain.sender(fees=FeePolicy(max_fee=10 * 10**9, max_tip=10**9))
    with pytest.raises(FeeCapReached, match=r"cap is 10\.000 gwei"):
        await sender.send("duty", pinger.ping(1))
    assert sender.pending == ()


async def test_custom_error_is_decoded_before_anything_is_sent(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender()
    await sender.send("raise", pinger.raise_to(10))
    with pytest.raises(Rejected, match="TooSmall number 3, minimum 10") as caught:
        await sender.send("duty", pinger.ping(3))
    assert caught.value.reason == "TooSmall"
    with pytest.raises(Rejected, match="in words"):
        await sender.send("words", pinger.text())
    assert await chain.rpc.transaction_count(sender.address, "latest") == 1


async def test_revert_once_mined_is_replayed_and_sent_anew_only_when_it_would_succeed(
    chain: Chain, pinger: Pinger
) -> None:
    store = MemoryIntents()
    sender, other = chain.sender(store=store), chain.sender(1)
    await chain.automine(False)
    # The other account's transaction pays more, so it is ordered first and changes the rules.
    rich = FeePolicy(min_tip=4 * 10**9)
    lifting = asyncio.create_task(chain.sender(1, fees=rich).send("raise", pinger.raise_to(10)))
    sending = asyncio.create_task(sender.send("duty", pinger.ping(3)))

    async def both_pending() -> bool:
        status = await chain.rpc.request("txpool_status", [])
        return int(status["pending"], 16) == 2

    await eventually(both_pending)
    await chain.mine()
    await lifting
    with pytest.raises(Rejected) as caught:
        await sending
    assert caught.value.reason == "TooSmall"
    assert store.rows["duty"].state is IntentState.FAILED
    assert other.pending == ()
    # As long as it would revert it is not sent again, also after a restart.
    for again in (sender, chain.sender(store=store)):
        with pytest.raises(Rejected) as caught:
            await again.send("duty", pinger.ping(3))
        assert caught.value.reason == "TooSmall"
    assert await chain.rpc.transaction_count(sender.address, "latest") == 1
    await chain.automine(True)
    await chain.sender(1, store=MemoryIntents()).send("lower", pinger.raise_to(1))
    assert (await chain.sender(store=store).send("duty", pinger.ping(3))).succeeded
    assert (store.rows["duty"].state, store.rows["duty"].nonce) == (IntentState.MINED, 1)
    assert await _pings(chain, pinger) == 1


async def test_a_revert_that_a_fork_undoes_is_no_revert(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    await chain.mine(2)
    sent = await chain.sender(store=store).send("duty", pinger.ping(1))
    # As if it had reverted in a block that was replaced by one in which it succeeds.
    mined = store.rows["duty"]
    store.rows["duty"] = replace(mined, state=IntentState.FAILED, error="TooSmall(number=1, minimum=10)")
    again = await chain.sender(store=store).send("duty", pinger.ping(1))
    assert again.tx_hash == sent.tx_hash
    assert store.rows["duty"].state is IntentState.MINED
    assert await _pings(chain, pinger) == 1


async def test_nonce_used_elsewhere_is_resynchronised(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender()
    await sender.send("one", pinger.ping(1))
    # Another program with the same key.
    await chain.sender().send("foreign", pinger.ping(2))
    receipt = await sender.send("two", pinger.ping(3))
    assert receipt.succeeded
    assert await _pings(chain, pinger) == 3


async def test_an_intent_whose_nonce_was_taken_gets_a_new_one(chain: Chain, pinger: Pinger) -> None:
    store = CrashingIntents(IntentState.INTENDED)
    with pytest.raises(Crash):
        await chain.sender(store=store).send("duty", pinger.ping(1))
    store.armed = False
    await chain.sender().send("foreign", pinger.ping(2))
    receipt = await chain.sender(store=store).send("duty", pinger.ping(1))
    assert receipt.succeeded
    assert store.rows["duty"].nonce == 1
    assert await _pings(chain, pinger) == 2


async def test_transaction_thrown_out_by_a_fork_is_offered_again(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    sender = chain.sender(store=store)
    await chain.mine(2)
    first = await sender.send("duty", pinger.ping(1))
    await chain.automine(False)
    await chain.reorg(1)
    await chain.rpc.request("anvil_dropAllTransactions", [])
    assert await chain.rpc.receipt(first.tx_hash) is None
    sending = asyncio.create_task(sender.send("duty", pinger.ping(1)))

    async def pending() -> bool:
        found = await chain.rpc.request("eth_getTransactionByHash", ["0x" + first.tx_hash.hex()])
        return found is not None

    await eventually(pending)
    await chain.mine()
    again = await sending
    assert again.tx_hash == first.tx_hash
    assert again.block_hash != first.block_hash
    assert await _pings(chain, pinger) == 1


async def test_waits_for_confirmations(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    sender = chain.sender(store=store, confirmations=3)
    sending = asyncio.create_task(sender.send("duty", pinger.ping(1)))

    async def mined() -> bool:
        return "duty" in store.rows and await chain.rpc.receipt(store.rows["duty"].hashes[0]) is not None

    await eventually(mined)
    await asyncio.sleep(0.3)
    assert not sending.done()
    assert store.rows["duty"].state is IntentState.SENT
    await chain.mine(2)
    receipt = await asyncio.wait_for(sending, 10)
    assert (await chain.block()).number - receipt.block_number + 1 >= 3


async def test_empty_account_is_told_to_be_funded(chain: Chain, pinger: Pinger) -> None:
    sender = chain.sender(3)
    await chain.rpc.request("anvil_setBalance", [sender.address, "0x0"])
    with pytest.raises(Transient, match=f"fund {sender.address}"):
        await sender.send("duty", pinger.ping(1))
    await chain.rpc.request("anvil_setBalance", [sender.address, hex(10**18)])
    assert (await sender.send("duty", pinger.ping(1))).succeeded


async def test_a_key_keeps_its_first_call(chain: Chain, pinger: Pinger) -> None:
    store = CrashingIntents(IntentState.INTENDED)
    with pytest.raises(Crash):
        await chain.sender(store=store).send("duty", pinger.ping(1))
    store.armed = False
    await chain.sender(store=store).send("duty", pinger.ping(1, times=5))
    assert await _pings(chain, pinger) == 1


async def test_times_out_but_goes_on(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    await chain.automine(False)
    sender = chain.sender(store=store, timeout=0.3)
    with pytest.raises(Transient, match="not mined"):
        await sender.send("duty", pinger.ping(1))
    assert sender.pending == (replace(store.rows["duty"]),)
    await chain.automine(True)
    await chain.mine()
    assert (await sender.send("duty", pinger.ping(1))).succeeded
    assert await _pings(chain, pinger) == 1


# ------------------------------------------------------------------ nodes that answer wrongly


@asynccontextmanager
async def _proxy(
    target: str, answer: Callable[[dict[str, Any]], dict[str, Any] | int | None]
) -> AsyncIterator[str]:
    """A node before anvil. Once anvil took a request, `answer` may replace the reply (int: HTTP status)."""
    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.Response:
            question = json.loads(await request.text())
            async with session.post(target, json=question) as response:
                reply = await response.json()
            other = answer(question)
            if isinstance(other, int):
                return web.Response(status=other)
            return web.json_response(
                reply if other is None else {"jsonrpc": "2.0", "id": question["id"], **other}
            )

        application = web.Application()
        application.router.add_post("/", handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize(
    "reply",
    [
        502,
        {"error": {"code": -32000, "message": "nonce too low"}},
        {"error": {"code": -32000, "message": "already known"}},
        {"error": {"code": -32603, "message": "internal error"}},
    ],
    ids=["bad-gateway", "nonce-too-low", "known", "internal"],
)
async def test_a_node_that_takes_a_transaction_and_says_otherwise_causes_no_second_one(
    chain: Chain, pinger: Pinger, reply: dict[str, Any] | int
) -> None:
    lies = 2

    def lie(question: dict[str, Any]) -> dict[str, Any] | int | None:
        nonlocal lies
        if question["method"] != "eth_sendRawTransaction" or lies == 0:
            return None
        lies -= 1
        return reply

    store = MemoryIntents()
    async with _proxy(chain.anvil.url, lie) as url:
        rpc = Rpc([url, chain.anvil.url], CHAIN_ID, cooldown=0.1)
        sender = Sender(rpc, chain.wallets[0], store, FEES, 1, ErrorDecoder([]), poll=0.05)
        assert (await sender.send("duty", pinger.ping(1))).succeeded
        assert (await sender.send("next", pinger.ping(2))).succeeded
        await rpc.close()
    assert await _pings(chain, pinger) == 2
    assert {intent.nonce for intent in store.history if intent.key == "duty"} == {0}


async def test_endpoints_that_vanish_during_the_broadcast(chain: Chain, pinger: Pinger) -> None:
    store = MemoryIntents()
    down = True

    def vanish(question: dict[str, Any]) -> int | None:
        return (
            503
            if down and question["method"] in ("eth_sendRawTransaction", "eth_getTransactionReceipt")
            else None
        )

    async with _proxy(chain.anvil.url, vanish) as url:
        rpc = Rpc([url], CHAIN_ID, cooldown=0.0)
        sender = Sender(rpc, chain.wallets[0], store, FEES, 1, ErrorDecoder([]), poll=0.05)
        sending = asyncio.create_task(sender.send("duty", pinger.ping(1)))

        async def intended() -> bool:
            return "duty" in store.rows

        await eventually(intended)
        await asyncio.sleep(0.5)
        assert store.rows["duty"].state is IntentState.INTENDED
        down = False
        assert (await asyncio.wait_for(sending, 20)).succeeded
        await rpc.close()
    assert await _pings(chain, pinger) == 1


async def test_the_journal_is_a_store(chain: Chain, pinger: Pinger, tmp_path: Path) -> None:
    """Intents survive a closed process in the store that nodes use."""
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        sender = chain.sender(store=JournalIntents(journal))  # type: ignore[arg-type]
        first = await sender.send("duty", pinger.ping(1))
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        sender = chain.sender(store=JournalIntents(journal))  # type: ignore[arg-type]
        assert await sender.send("duty", pinger.ping(1)) == first
    assert await _pings(chain, pinger) == 1


async def test_an_estimate_that_is_too_low_is_no_refusal(chain: Chain, pinger: Pinger) -> None:
    def lie(question: dict[str, Any]) -> dict[str, Any] | None:
        return {"result": "0x1"} if question["method"] == "eth_estimateGas" else None

    async with _proxy(chain.anvil.url, lie) as url:
        rpc = Rpc([url], CHAIN_ID, cooldown=0.1)
        sender = Sender(rpc, chain.wallets[0], MemoryIntents(), FEES, 1, ErrorDecoder([]), poll=0.05)
        for _ in range(2):  # each with twice the gas of the one before
            with pytest.raises(Transient, match="ran out of the"):
                await sender.send("duty", pinger.ping(1))
        assert (await sender.send("duty", pinger.ping(1))).succeeded
        await rpc.close()
    assert await _pings(chain, pinger) == 1


# ------------------------------------------------------------------ backends that lag behind one address

_LOOKS = ("eth_getTransactionReceipt", "eth_getTransactionByHash")


async def test_a_mined_transaction_that_a_lagging_backend_does_not_know_is_not_sent_again(
    chain: Chain, pinger: Pinger
) -> None:
    """The nonce is used and nobody knows the hash: that proves nothing."""
    lagging = True

    def lag(question: dict[str, Any]) -> dict[str, Any] | None:
        return {"result": None} if lagging and question["method"] in _LOOKS else None

    store = MemoryIntents()
    async with _proxy(chain.anvil.url, lag) as url:
        rpc = Rpc([url], CHAIN_ID, cooldown=0.1)
        fees = FeePolicy(max_fee=FEES.max_fee, replace_after=0.2)
        sender = Sender(rpc, chain.wallets[0], store, fees, 1, ErrorDecoder([]), poll=0.05, timeout=2.0)
        with pytest.raises(Transient, match="0x"):
            await sender.send("duty", pinger.ping(1))
        # A restart looks at the same nonce again, and sees no more.
        again = Sender(rpc, chain.wallets[0], store, fees, 1, ErrorDecoder([]), poll=0.05, timeout=1.0)
        with pytest.raises(Transient, match="0x"):
            await again.send("duty", pinger.ping(1))
        lagging = False
        assert (await again.send("duty", pinger.ping(1))).succeeded
        await rpc.close()
    assert await _pings(chain, pinger) == 1
    assert {intent.nonce for intent in store.history} == {0}
