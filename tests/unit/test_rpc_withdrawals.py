"""Taking stake out by JSON-RPC: one call has one effect, whoever waits for it and however it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jepanet.chain.sending.delivery import Unresolved
from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient
from jepanet.rpc.codes import Code
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.handles import withdrawals as withdrawals_module
from jepanet.rpc.method import Scope
from rpc_node import KEY, ME, TOKEN, ANode, Asking, a_node

pytestmark = pytest.mark.unit

SENT = "0x" + "ab" * 32


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ANode]:
    found = a_node(tmp_path)
    yield found
    found.journal.close()
    found.blobs.close()


async def begun(node: ANode, *given: Any) -> None:
    async with asyncio.timeout(5):
        while node.withdrawn != list(given):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_the_nodes_own_sender_takes_stake_out(node: ANode) -> None:
    asking = Asking(node)
    told = await asking.get("stake.withdraw")
    assert (told["transaction"], told["address"], told["stake_free"]) == (SENT, ME, str(30 * TOKEN))
    await asking.get("stake.withdraw", amount=str(5 * TOKEN))
    await asking.get("stake.withdraw", amount=str(5 * TOKEN))
    assert node.withdrawn == [None, 5 * TOKEN, 5 * TOKEN], "each that was told is one of its own"


async def test_attack_two_at_once_send_one_transaction(node: ANode) -> None:
    asking = Asking(node)
    node.mined.clear()
    calls = [asyncio.create_task(asking.get("stake.withdraw")) for _ in range(20)]
    await begun(node, None)
    code, detail = await asking.error("stake.withdraw", amount="7")
    assert code == Code.UNDER_WAY and "another amount" in detail
    node.mined.set()
    answers = await asyncio.gather(*calls)
    assert {item["transaction"] for item in answers} == {SENT} and node.withdrawn == [None]


async def test_attack_who_may_read_withdraws_nothing(node: ANode) -> None:
    answer = await Asking(node).all("stake.withdraw", Scope.READ)
    assert answer["error"]["code"] == Code.OUT_OF_SCOPE and node.withdrawn == []


async def test_attack_a_caller_that_hangs_up_ends_no_sending(node: ANode) -> None:
    """What it had asked for is sent once, and told to who asks for the same again, once."""
    asking = Asking(node)
    node.mined.clear()
    call = asyncio.create_task(asking.all("stake.withdraw", amount="7"))
    await begun(node, 7)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    node.mined.set()
    await asyncio.sleep(0)
    assert (await asking.get("stake.withdraw", amount="7"))["transaction"] == SENT
    assert node.withdrawn == [7], "the repeated call meant the same"
    await asking.get("stake.withdraw", amount="7")
    assert node.withdrawn == [7, 7], "and this one something new"


async def test_another_amount_after_one_that_nobody_heard_of_is_a_new_one(node: ANode) -> None:
    asking = Asking(node)
    node.mined.clear()
    call = asyncio.create_task(asking.all("stake.withdraw", amount="7"))
    await begun(node, 7)
    call.cancel()
    node.mined.set()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0)
    await asking.get("stake.withdraw", amount="8")
    assert node.withdrawn == [7, 8]


async def hung_up_on(node: ANode, amount: int) -> None:
    """A withdrawal that succeeded after its caller was gone."""
    node.mined.clear()
    call = asyncio.create_task(Asking(node).all("stake.withdraw", amount=str(amount)))
    await begun(node, *node.withdrawn, amount)
    call.cancel()
    node.mined.set()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0)


async def test_attack_another_amount_in_between_makes_nobody_forget(node: ANode) -> None:
    asking = Asking(node)
    await hung_up_on(node, 7)
    await asking.get("stake.withdraw", amount="8")
    assert (await asking.get("stake.withdraw", amount="7"))["transaction"] == SENT
    assert node.withdrawn == [7, 8]
    await hung_up_on(node, 5)
    node.mined.clear()
    other = asyncio.create_task(asking.get("stake.withdraw", amount="9"))
    await begun(node, 7, 8, 5, 9)
    await asking.get("stake.withdraw", amount="5")
    assert node.withdrawn == [7, 8, 5, 9], "also while another one is under way"
    node.mined.set()
    await other


async def test_attack_what_nobody_heard_of_is_remembered_within_bounds(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawals_module, "MOST_UNTOLD", 2)
    for amount in (1, 2, 3):
        await hung_up_on(node, amount)
    for amount in ("3", "2", "1"):
        await Asking(node).get("stake.withdraw", amount=amount)
    assert node.withdrawn == [1, 2, 3, 1], "the oldest one made room"


async def test_attack_a_call_whose_end_nobody_may_hear_of_withdraws_nothing(node: ANode) -> None:
    asking, scopes = Asking(node), Scope.OPERATE.includes
    call = {"jsonrpc": "2.0", "method": "stake.withdraw", "params": {"amount": "7"}}
    assert await asking.dispatcher.answer(json.dumps(call).encode(), scopes) is None
    after = {"jsonrpc": "2.0", "method": "wallet.account", "id": 2}
    for batch in ([call | {"id": 1}, after], [call | {"id": 1}]):
        told = json.loads(await asking.dispatcher.answer(json.dumps(batch).encode(), scopes) or "")
        assert told[0]["error"]["code"] == Code.NOT_ALLOWED
        assert "a request of its own" in told[0]["error"]["data"]["detail"]
    assert node.withdrawn == []


async def test_what_nobody_heard_of_is_forgotten_in_time(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(node)
    node.mined.clear()
    call = asyncio.create_task(asking.all("stake.withdraw"))
    await begun(node, None)
    call.cancel()
    node.mined.set()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0)
    monkeypatch.setattr(withdrawals_module, "UNTOLD", -1.0)
    await asking.get("stake.withdraw")
    assert node.withdrawn == [None, None]


async def test_a_call_that_times_out_is_told_so_and_cancels_nothing(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(node)
    node.mined.clear()
    monkeypatch.setattr(withdrawals_module, "WAITS", 0.01)
    assert (await asking.error("stake.withdraw"))[0] == Code.UNDER_WAY
    monkeypatch.setattr(withdrawals_module, "WAITS", 5.0)
    asking.dispatcher = Dispatcher(asking.table, seconds=0.005, max_batch=1)  # a request takes thrice that
    assert (await asking.all("stake.withdraw"))["error"]["code"] == Code.TIMED_OUT
    node.mined.set()
    asking.dispatcher = Dispatcher(asking.table, seconds=20.0, max_batch=1)
    assert (await asking.get("stake.withdraw"))["transaction"] == SENT
    assert node.withdrawn == [None]


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Unresolved(f"https://rpc/{KEY} said no"), Code.UNDER_WAY, "call again"),
        (Fatal("it has no free stake", code=Exit.REJECTED), Code.NOT_ALLOWED, "no free stake"),
        (Rejected(f"of {KEY}", reason="Paused"), Code.NOT_ALLOWED, "contracts refuse"),
        (Transient(KEY, code=Exit.UNFUNDED), Code.UNAVAILABLE, "too little ether"),
        (Transient(f"https://rpc/{KEY} said no"), Code.UNAVAILABLE, "not sent"),
        (Fatal(f"/home/{KEY} is full", code=Exit.DISK_FULL), Code.UNAVAILABLE, "log says why"),
    ],
)
async def test_attack_why_it_failed_is_told_without_words_of_others(
    node: ANode, error: JepanetError, code: Code, says: str
) -> None:
    asking = Asking(node)
    node.refuses = error
    found, detail = await asking.error("stake.withdraw")
    assert found == code and says in detail and KEY not in detail
    node.refuses = None
    await asking.get("stake.withdraw")
    assert node.withdrawn == [None, None], "what failed is tried again"


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "1e9", "", "\u0661", "9" * 30, "0x7", 7, 1.0, [], True])
async def test_attack_an_amount_that_is_none_withdraws_nothing(node: ANode, amount: Any) -> None:
    answer = await Asking(node).all("stake.withdraw", amount=amount)
    assert answer["error"]["code"] == Code.INVALID_PARAMS and node.withdrawn == []


async def test_a_node_that_ends_leaves_nothing_behind(node: ANode) -> None:
    node.mined.clear()
    call = asyncio.create_task(Asking(node).all("stake.withdraw"))
    await begun(node, None)
    await node.withdrawals.aclose()
    assert not [item for item in asyncio.all_tasks() if item.get_name() == "withdrawal"]
    await asyncio.gather(call, return_exceptions=True)
