"""Fee arithmetic: validity while the base fee doubles, the cap, and the replacement rule nodes enforce."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.chain.sending.fees import GWEI, FeeCapReached, FeePolicy, Fees, choose, outbid

pytestmark = pytest.mark.unit

WEI = st.integers(1, 10**15)


def test_covers_a_doubled_base_fee() -> None:
    fees = choose(10 * GWEI, [GWEI, 2 * GWEI, 3 * GWEI], FeePolicy())
    assert fees == Fees(max_fee=22 * GWEI, tip=2 * GWEI)


def test_tip_is_bounded_by_the_policy() -> None:
    policy = FeePolicy(min_tip=GWEI, max_tip=2 * GWEI)
    assert choose(GWEI, [], policy).tip == GWEI
    assert choose(GWEI, [0], policy).tip == GWEI
    assert choose(GWEI, [50 * GWEI], policy).tip == 2 * GWEI


def test_the_cap_limits_and_then_refuses() -> None:
    policy = FeePolicy(max_fee=15 * GWEI, max_tip=GWEI)
    assert choose(10 * GWEI, [GWEI], policy).max_fee == 15 * GWEI
    assert choose(15 * GWEI - 1, [GWEI], policy) == Fees(15 * GWEI, 1)
    with pytest.raises(FeeCapReached, match=r"15\.000 gwei"):
        choose(15 * GWEI, [GWEI], policy)


def test_replacement_raises_both_fees_by_an_eighth_rounded_up() -> None:
    policy = FeePolicy()
    assert outbid(Fees(1000, 100), Fees(1, 1), policy) == Fees(1125, 113)
    assert outbid(Fees(1, 1), Fees(1, 1), policy) == Fees(2, 2)


def test_replacement_follows_the_market_up() -> None:
    assert outbid(Fees(1000, 100), Fees(9000, 700), FeePolicy()) == Fees(9000, 700)


def test_replacement_stops_at_the_cap() -> None:
    policy = FeePolicy(max_fee=1100, max_tip=100)
    assert outbid(Fees(1000, 100), Fees(1, 1), policy) is None


@given(max_fee=WEI, tip=WEI, fresh_fee=WEI, fresh_tip=WEI)
def test_every_replacement_satisfies_the_ten_percent_rule(
    max_fee: int, tip: int, fresh_fee: int, fresh_tip: int
) -> None:
    old = Fees(max(max_fee, tip), tip)
    new = outbid(old, Fees(max(fresh_fee, fresh_tip), fresh_tip), FeePolicy(max_fee=10**30, max_tip=10**30))
    assert new is not None
    assert new.max_fee * 10 >= old.max_fee * 11
    assert new.tip * 10 >= old.tip * 11
    assert new.tip <= new.max_fee


@given(base=WEI, tips=st.lists(st.integers(0, 10**12), max_size=5), cap=st.integers(10**4, 10**15))
def test_chosen_fees_are_always_valid_and_within_the_cap(base: int, tips: list[int], cap: int) -> None:
    policy = FeePolicy(max_fee=cap, max_tip=min(cap, 10**4))
    try:
        fees = choose(base, tips, policy)
    except FeeCapReached:
        assert base + policy.min_tip > cap
        return
    assert base + fees.tip <= fees.max_fee <= cap
    assert policy.min_tip <= fees.tip <= policy.max_tip


@pytest.mark.parametrize(
    "options",
    [{"max_tip": 0}, {"max_fee": 1}, {"gas_margin": 0.5}, {"replace_after": 0}, {"percentile": 101}],
)
def test_nonsense_policies_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="fees:"):
        FeePolicy(**options)  # type: ignore[arg-type]
