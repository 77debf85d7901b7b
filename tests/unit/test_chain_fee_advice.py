"""Fees from nodes that advise nothing, nonsense or too much, and what a refusal demands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.chain.endpoints.refusals import Demand, Refusal, classify, demanded
from jepanet.chain.endpoints.requests import ChainReader, RpcError
from jepanet.chain.sending.fees import GWEI, FeeCapReached, FeePolicy, Fees, escalate, quote
from jepanet.errors import Transient
from made_up_blocks import made_up_block

pytestmark = pytest.mark.unit

REFUSED = object()
POLICY = FeePolicy()


class Advice(ChainReader):
    """A node with a base fee of `base` wei, and whatever it answers to the three questions about fees."""

    def __init__(self, base: int | None, history: Any, tip: Any = REFUSED, price: Any = REFUSED) -> None:
        self.answers = {
            "eth_getBlockByNumber": made_up_block(
                number="0x9", baseFeePerGas=None if base is None else hex(base)
            ),
            "eth_feeHistory": history,
            "eth_maxPriorityFeePerGas": tip,
            "eth_gasPrice": price,
        }

    async def ask(self, method: str, params: Sequence[Any], parse: Callable[[Any], Any]) -> Any:
        answer = self.answers[method]
        if answer is REFUSED:
            raise RpcError(method, -32601, "the method does not exist", None)
        return parse(answer)


def history(base: Any, *rewards: Any) -> dict[str, Any]:
    return {"oldestBlock": "0x1", "baseFeePerGas": [base], "reward": [[reward] for reward in rewards]}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Advice(10 * GWEI, history(hex(12 * GWEI), hex(2 * GWEI))), Fees(26 * GWEI, 2 * GWEI)),
        (Advice(8 * GWEI, None, hex(3 * GWEI)), Fees(21 * GWEI, 3 * GWEI)),
        (Advice(8 * GWEI, REFUSED, hex(3 * GWEI)), Fees(21 * GWEI, 3 * GWEI)),
        (Advice(8 * GWEI, {}, None, hex(10 * GWEI)), Fees(19 * GWEI, GWEI)),
        (Advice(8 * GWEI, {"baseFeePerGas": None, "reward": None}, "-0x1", "0x"), Fees(18 * GWEI + 1, 1)),
        (Advice(8 * GWEI, history("-0x5", "-0x5", None, hex(GWEI))), Fees(19 * GWEI, GWEI)),
        (Advice(8 * GWEI, history(hex(8 * GWEI), 7)), Fees(16 * GWEI + 1, 1)),
        (Advice(8 * GWEI, history(hex(10**30), hex(GWEI))), Fees(19 * GWEI, GWEI)),
        (Advice(8 * GWEI, history("0x0", hex(GWEI))), Fees(19 * GWEI, GWEI)),
        (Advice(None, history(hex(8 * GWEI), hex(GWEI))), Fees(17 * GWEI, GWEI)),
        (Advice(8 * GWEI, "0x", 7, []), Fees(18 * GWEI + 1, 1)),
    ],
)  # fmt: skip
async def test_missing_and_malformed_advice_is_replaced(node: Advice, expected: Fees) -> None:
    assert await quote(node, POLICY) == expected


async def test_a_high_tip_needs_two_answers_that_agree() -> None:
    market = Advice(GWEI, history(hex(GWEI), hex(30 * GWEI)), hex(31 * GWEI))
    assert (await quote(market, POLICY)).tip == 30 * GWEI
    alone = Advice(GWEI, history(hex(GWEI), hex(45 * GWEI)), hex(2 * GWEI))
    assert (await quote(alone, POLICY)).tip == 2 * GWEI


async def test_absurd_advice_is_capped() -> None:
    node = Advice(GWEI, history(hex(GWEI), hex(10**25)), hex(10**26))
    assert (await quote(node, POLICY)).tip == POLICY.max_tip


async def test_the_operators_floor_holds() -> None:
    node = Advice(GWEI, None, hex(GWEI))
    assert (await quote(node, FeePolicy(min_tip=30 * GWEI))).tip == 30 * GWEI


async def test_a_chain_without_base_fees_is_named() -> None:
    with pytest.raises(Transient, match="no base fee") as caught:
        await quote(Advice(None, None), POLICY)
    assert "EIP-1559" in str(caught.value.remedy)


JUNK = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=8), st.booleans(), st.integers(0, 2**256).map(hex)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["baseFeePerGas", "reward"]), inner)
    ),
    max_leaves=8,
)


@given(base=st.integers(0, 10**12), history=JUNK, tip=JUNK, price=JUNK)
async def test_any_advice_gives_fees_within_the_policy(base: int, history: Any, tip: Any, price: Any) -> None:
    try:
        fees = await quote(Advice(base, history, tip, price), POLICY)
    except FeeCapReached:
        assert 2 * base > POLICY.max_fee
        return
    assert POLICY.min_tip <= fees.tip <= POLICY.max_tip
    assert fees.tip <= fees.max_fee <= POLICY.max_fee


@pytest.mark.parametrize(
    ("said", "demand"),
    [
        ("transaction underpriced: gas tip cap 1000000000, minimum needed 25000000000", Demand(25 * GWEI)),
        ("transaction gas price below minimum: gas tip cap 1, minimum needed 3000", Demand(tip=3000)),
        ("FeeTooLow, EffectivePriorityFeePerGas too low 1 < 2500", Demand(tip=2500)),
        ("minimum tip is 30 gwei: gas tip cap below it", Demand(tip=30 * GWEI)),
        (
            "max fee per gas less than block base fee: address 0x52908400098527886E0F7030069857D2E4169EE7, "
            "maxFeePerGas: 1, baseFee: 875000000",
            Demand(base=875_000_000),
        ),
        ("max fee per gas less than block base fee", Demand()),
        ("max priority fee per gas too low: minimum 25 gwei", Demand(tip=25 * GWEI)),
        ("transaction underpriced", Demand()),
        ("tip too low", Demand()),
        ("Gas price below configured minimum gas price", Demand()),
        ("transaction underpriced: minimum needed " + "9" * 80, Demand()),
    ],
)  # fmt: skip
def test_refusals_over_fees_are_understood(said: str, demand: Demand) -> None:
    error = RpcError("eth_sendRawTransaction", -32000, said, None)
    assert classify(error) is Refusal.FEE
    assert demanded(error) == demand


def test_a_demand_is_met_up_to_the_cap() -> None:
    fresh = Fees(3 * GWEI, GWEI)
    met = escalate(fresh, fresh, Demand(tip=30 * GWEI), POLICY)
    assert met is not None
    assert met.tip == 30 * GWEI
    assert escalate(fresh, fresh, Demand(tip=51 * GWEI), POLICY) is None
    assert escalate(fresh, fresh, Demand(base=200 * GWEI), POLICY) is None
    base = escalate(fresh, fresh, Demand(base=10 * GWEI), POLICY)
    assert base is not None
    assert base.max_fee >= 20 * GWEI
    assert base.tip < 2 * GWEI


def test_without_a_number_the_tip_doubles_to_the_cap_and_no_further() -> None:
    fees: Fees | None = Fees(3 * GWEI, 1)
    tips = []
    while fees is not None:
        tips.append(fees.tip)
        assert len(tips) < 12
        fees = escalate(fees, Fees(3 * GWEI, 1), Demand(), FeePolicy(max_fee=60 * GWEI))
    assert tips[1] == GWEI
    assert tips[-1] == 50 * GWEI
