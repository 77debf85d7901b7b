"""A command called again means the transaction it could not follow, unless it asks for something else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jepanet.chain.contracts.abi import UnsignedCall
from jepanet.chain.endpoints.answers import Receipt
from jepanet.chain.sending.delivery import Unresolved
from jepanet.chain.sending.sender import Sender
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.intents import Intent, IntentState
from jepanet.interface import running, sending
from jepanet.operations.funds.unfinished import carry_out, fresh_key, take_up
from jepanet.storage.journal import Journal
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import Address

pytestmark = pytest.mark.unit

ROUNDS = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")


def unbond(amount: int) -> UnsignedCall:
    return UnsignedCall(to=ROUNDS, data=bytes([amount]), contract="TrainingRounds", function="requestUnbond")


@dataclass
class Outcomes:
    """A sender whose transactions end as `outcome` says; what it is asked to send is kept in `sent`."""

    outcome: dict[str, BaseException] = field(default_factory=dict)
    open: list[Intent] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def recover(self) -> tuple[Intent, ...]:
        return tuple(self.open)

    async def send(self, key: str, call: UnsignedCall) -> Receipt:
        self.sent.append((key, call.data))
        self.open = [item for item in self.open if item.key != key]
        if key in self.outcome:
            raise self.outcome[key]
        return Receipt(key.encode(), 1, bytes(32), True, 1, 1, None, ())


def left_open(key: str, call: UnsignedCall) -> Intent:
    return Intent(
        key=key, sender=ROUNDS, chain_id=1, nonce=0, to=str(call.to), data=call.data, value=0, gas=1,
        max_fee=1, max_priority_fee=1, hashes=(b"h",), raws=(b"r",), state=IntentState.SENT,
        block_number=None, error=None, created=0.0,
    )  # fmt: skip


async def carried(sender: Outcomes, what: str, call: UnsignedCall) -> Receipt:
    return await carry_out(cast(Sender, sender), what, call)


async def test_a_second_call_takes_up_what_the_first_left_open() -> None:
    sender = Outcomes(open=[left_open("command/unbond/1", unbond(1))])
    receipt = await carried(sender, "unbond", unbond(1))
    assert receipt.tx_hash == b"command/unbond/1"
    assert sender.sent == [("command/unbond/1", bytes([1]))]
    # Once that is settled, the same words are a new wish.
    assert (await carried(sender, "unbond", unbond(1))).tx_hash not in (b"command/unbond/1", b"")
    assert len(sender.sent) == 2


async def test_nothing_new_is_sent_while_it_stays_open() -> None:
    sender = Outcomes(
        {"command/unbond/1": Unresolved("look at 0x12")}, [left_open("command/unbond/1", unbond(1))]
    )
    for amount in (1, 2):
        sender.open = [left_open("command/unbond/1", unbond(1))]
        with pytest.raises(Unresolved, match="0x12") as caught:
            await carried(sender, "unbond", unbond(amount))
        assert caught.value.code is Exit.UNRESOLVED
    assert {key for key, _ in sender.sent} == {"command/unbond/1"}


async def test_another_amount_is_another_wish_after_the_first() -> None:
    sender = Outcomes(open=[left_open("command/unbond/1", unbond(1))])
    await carried(sender, "unbond", unbond(2))
    assert [data for _, data in sender.sent] == [bytes([1]), bytes([2])]


async def test_what_reverted_is_asked_for_anew() -> None:
    refused: dict[str, Any] = {"command/unbond/1": Rejected("no", reason="InsufficientStake")}
    sender = Outcomes(refused, [left_open("command/unbond/1", unbond(1))])
    await carried(sender, "unbond", unbond(1))
    assert [data for _, data in sender.sent] == [bytes([1]), bytes([1])]


async def test_other_commands_are_left_alone() -> None:
    sender = Outcomes(open=[left_open("command/unbond/1", unbond(1)), left_open("claim/3", unbond(1))])
    assert await take_up(cast(Sender, sender), "withdraw", unbond(1)) is None
    assert sender.sent == []
    assert fresh_key("withdraw").startswith("command/withdraw/")


def test_what_a_command_left_open_is_settled_by_a_command_and_not_asked_of_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's journal knows nothing of it: asked for the same, it would send it twice."""
    config: Any = SimpleNamespace(node=SimpleNamespace(data_dir=tmp_path))
    monkeypatch.setattr(running, "answers", lambda _: True)
    monkeypatch.setattr(sending, "_by_node", lambda *_: "by the node")

    async def from_here(*_: Any) -> str:
        return "from here"

    monkeypatch.setattr(sending, "_from_here", from_here)

    def went(what: str) -> Any:
        return sending.sent(config, what, cast(Any, None), cast(Any, None))

    assert went("deposit") == "by the node" and not list(tmp_path.iterdir())
    with Journal.open(tmp_path / "commands.sqlite") as journal:
        JournalIntents(journal).put(left_open("command/deposit/1", unbond(1)))
        with pytest.raises(Fatal) as caught:
            went("deposit")
        assert caught.value.code is Exit.ALREADY_RUNNING
    assert (went("deposit"), went("unbond"), went("depos")) == ("from here", "by the node", "by the node")
    with Journal.open(tmp_path / "commands.sqlite") as journal:
        mined = replace(left_open("command/deposit/1", unbond(1)), state=IntentState.MINED)
        JournalIntents(journal).put(mined)
    assert went("deposit") == "by the node"
