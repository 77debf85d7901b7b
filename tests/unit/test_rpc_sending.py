"""What the node's wallet sends by JSON-RPC: one call has one effect, whoever waits and however it ends."""

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
from jepanet.rpc.handles import sending as sending_module
from jepanet.rpc.handles.sending import Admitting, NewSet
from jepanet.rpc.method import Scope
from jepanet.types import Address
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
    assert code == Code.UNDER_WAY and "another one is being sent" in detail
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
    monkeypatch.setattr(sending_module, "MOST_UNTOLD", 2)
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
    monkeypatch.setattr(sending_module, "UNTOLD", -1.0)
    await asking.get("stake.withdraw")
    assert node.withdrawn == [None, None]


async def test_a_call_that_times_out_is_told_so_and_cancels_nothing(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking(node)
    node.mined.clear()
    monkeypatch.setattr(sending_module, "WAITS", 0.01)
    assert (await asking.error("stake.withdraw"))[0] == Code.UNDER_WAY
    monkeypatch.setattr(sending_module, "WAITS", 5.0)
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
    await node.sendings.aclose()
    assert not [item for item in asyncio.all_tasks() if item.get_name() == "sending"]
    await asyncio.gather(call, return_exceptions=True)


OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""The public account 1 of anvil, which holds nothing of worth."""


@pytest.mark.parametrize(
    ("method", "params", "wanted"),
    [
        ("stake.deposit", {"amount": "7"}, 7),
        ("stake.unbond", {"amount": "7"}, 7),
        ("stake.collect", {}, None),
        ("stake.collect", {"account": OTHER.lower()}, OTHER),
        ("verifiers.join", {"set": 4}, 4),
        ("verifiers.leave", {"set": 4}, 4),
        ("verifiers.admit", {"set": 4, "proposer": OTHER}, Admitting(4, Address(OTHER), admitted=True)),
        (
            "verifiers.admit", {"set": 4, "proposer": OTHER, "admitted": False},
            Admitting(4, Address(OTHER), admitted=False),
        ),
        (
            "verifiers.create", {"members": [OTHER], "threshold": 1, "cap": "9"},
            NewSet((Address(OTHER),), 1, 9, None),
        ),
    ],
)  # fmt: skip
async def test_the_nodes_own_sender_sends_the_rest_too(
    node: ANode, method: str, params: dict[str, Any], wanted: Any
) -> None:
    asking = Asking(node)
    await asking.get(method, **params)
    assert node.wished == [(method.partition(".")[2], wanted)]
    node.refuses = Fatal("there is no verifier set 4", code=Exit.NOT_FOUND)
    code, detail = await asking.error(method, **params)
    assert code == Code.NOT_ALLOWED and "no verifier set" in detail
    answer = await asking.all(method, Scope.READ, **params)
    assert answer["error"]["code"] == Code.OUT_OF_SCOPE and len(node.wished) == 2
    (told,) = json.loads(
        await asking.dispatcher.answer(
            json.dumps([{"jsonrpc": "2.0", "method": method, "params": params, "id": 1}]).encode(),
            Scope.OPERATE.includes,
        )
        or ""
    )
    assert told["error"]["code"] == Code.NOT_ALLOWED and len(node.wished) == 2, "a request of its own"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("stake.deposit", {}),
        ("stake.deposit", {"amount": "0"}),
        ("stake.collect", {"account": "0x" + "0" * 39}),
        ("stake.collect", {"account": OTHER.replace("C8", "c8")}),
        ("verifiers.join", {"set": 0}),
        ("verifiers.join", {"set": 1 << 64}),
        ("verifiers.admit", {"set": 4, "proposer": OTHER.replace("C8", "c8")}),
        ("verifiers.create", {"members": [], "threshold": 1}),
        ("verifiers.create", {"members": [OTHER] * 33, "threshold": 17}),
        ("verifiers.create", {"members": [OTHER, OTHER], "threshold": 2}),
        ("verifiers.create", {"members": [OTHER], "threshold": 2}),
        ("verifiers.create", {"members": [OTHER], "threshold": 1, "max_hold": 1 << 32}),
    ],
)
async def test_attack_parameters_that_are_none_send_nothing(
    node: ANode, method: str, params: dict[str, Any]
) -> None:
    answer = await Asking(node).all(method, **params)
    assert answer["error"]["code"] == Code.INVALID_PARAMS and node.wished == []
