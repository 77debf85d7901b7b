"""Payouts, Merkle proofs and score sheets under arbitrary numbers, votes and documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.errors import Rejected
from jepanet.protocol.assignment import evaluation_index
from jepanet.protocol.commitment import merkle_proof, merkle_root, result_leaf, verify_proof
from jepanet.protocol.documents.scores import MAX_GAIN, decode_report, encode_report
from jepanet.protocol.documents.spec import MAX_PRICE, decode_spec, encode_spec
from jepanet.protocol.settling.rewards import (
    INT64_MAX,
    INT64_MIN,
    UINT128_MAX,
    capped,
    earned,
    settle_payouts,
)
from jepanet.protocol.settling.sheet import check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import decide
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Verdict
from round_samples import (
    FAULT,
    GOOD,
    HARM,
    MISSING,
    a_spec,
    digest,
    recover,
    report_of,
    reports_of,
    some_facts,
)

pytestmark = pytest.mark.property

FEW = settings(max_examples=100, deadline=None)
UINT128 = st.integers(0, UINT128_MAX)
GAINS = st.lists(st.tuples(st.integers(-MAX_GAIN, MAX_GAIN), st.integers(0, MAX_GAIN)), max_size=20)


@FEW
@given(gains=GAINS, price=st.integers(0, MAX_PRICE), shrink=st.integers(0, 100_000), budget=UINT128)
def test_payouts_never_exceed_the_budget(
    gains: list[tuple[int, int]], price: int, shrink: int, budget: int
) -> None:
    amounts = settle_payouts(gains, price=price, shrink_milli=shrink, budget=budget)
    full = [earned(gain, stderr, price, shrink) for gain, stderr in gains]
    assert sum(amounts) <= budget
    assert all(0 <= paid <= asked for paid, asked in zip(amounts, full, strict=True))
    if sum(full) <= budget:
        assert list(amounts) == full
    else:
        assert sum(amounts) > budget - len(gains)  # what rounding leaves is less than one wei each
    assert all(amount == 0 for amount, (gain, _) in zip(amounts, gains, strict=True) if gain <= 0)


@FEW
@given(gains=GAINS, price=st.integers(0, MAX_PRICE), budget=UINT128, pay_cap=st.integers(1, UINT128_MAX))
def test_nobody_is_paid_more_than_the_cap_and_it_takes_nothing_from_others(
    gains: list[tuple[int, int]], price: int, budget: int, pay_cap: int
) -> None:
    plain = settle_payouts(gains, price=price, shrink_milli=1000, budget=budget)
    amounts = settle_payouts(gains, price=price, shrink_milli=1000, budget=budget, pay_cap=pay_cap)
    assert sum(amounts) <= budget and max(amounts, default=0) <= pay_cap
    full = [earned(gain, stderr, price, 1000) for gain, stderr in gains]
    below = [i for i, amount in enumerate(full) if amount <= pay_cap]
    assert all(amounts[i] >= plain[i] for i in below)
    if sum(min(amount, pay_cap) for amount in full) <= budget:
        assert list(amounts) == [min(amount, pay_cap) for amount in full]


@FEW
@given(
    gain=st.integers(INT64_MIN, INT64_MAX),
    stderr=st.integers(0, INT64_MAX),
    price=UINT128,
    shrink=st.integers(0, (1 << 32) - 1),
)
def test_earned_fits_or_raises(gain: int, stderr: int, price: int, shrink: int) -> None:
    exact = price * max(0, gain - shrink * stderr // 1000)
    if exact > UINT128_MAX:
        with pytest.raises(OverflowError):
            earned(gain, stderr, price, shrink)
    else:
        assert earned(gain, stderr, price, shrink) == exact


@FEW
@given(parts=st.lists(st.integers(0, 1 << 100), min_size=1, max_size=20), budget=UINT128)
def test_capped_parts_sum_within_the_budget(parts: list[int], budget: int) -> None:
    assert sum(capped(part, sum(parts), budget) for part in parts) <= max(budget, 0)


@FEW
@given(
    leaves=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True), data=st.data()
)
def test_every_leaf_has_a_proof_and_nothing_else_does(leaves: list[bytes], data: st.DataObject) -> None:
    root = merkle_root(leaves)
    assert root == merkle_root(data.draw(st.permutations(leaves)))
    for i, leaf in enumerate(leaves):
        proof = merkle_proof(leaves, i)
        assert len(proof) <= len(leaves).bit_length()
        assert verify_proof(root, leaf, proof)
    stranger = data.draw(st.binary(min_size=32, max_size=32).filter(lambda item: item not in leaves))
    assert not verify_proof(root, stranger, merkle_proof(leaves, 0))


@FEW
@given(beacon=st.integers(0, (1 << 256) - 1), used=st.integers(0, (1 << 256) - 1), count=st.integers(1, 256))
def test_the_drawn_shard_is_unused_and_every_unused_one_can_be_drawn(
    beacon: int, used: int, count: int
) -> None:
    unused = [i for i in range(count) if not used >> i & 1]
    if not unused:
        with pytest.raises(ValueError, match="has been used"):
            evaluation_index(beacon, used, count)
        return
    assert evaluation_index(beacon, used, count) in unused
    assert {evaluation_index(rank, used, count) for rank in range(len(unused))} == set(unused)


VOTE = st.sampled_from([GOOD, FAULT, MISSING, HARM]) | st.builds(
    lambda gain, stderr: (Verdict.ACCEPTED, "accepted", gain, stderr),
    st.integers(-MAX_GAIN, MAX_GAIN),
    st.integers(0, MAX_GAIN),
)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(), solvers=st.integers(1, 5), coordinators=st.integers(1, 5), budget=st.integers(0, 10**18)
)
def test_any_votes_give_a_sheet_that_holds(
    data: st.DataObject, solvers: int, coordinators: int, budget: int
) -> None:
    facts = some_facts(solvers, coordinators, budget=budget)
    row = st.lists(VOTE, min_size=solvers, max_size=solvers)
    heard = data.draw(st.integers(facts.threshold, coordinators))
    reports = reports_of(facts, data.draw(st.lists(row, min_size=heard, max_size=heard)))
    accepted = [item for item in decide(facts, reports) if item.verdict is Verdict.ACCEPTED]
    new = bool(accepted) and data.draw(st.booleans())
    sheet = derive_sheet(
        facts, a_spec(), reports, model=digest("new") if new else facts.base, improvement=1 if new else 0
    )
    assert sheet == derive_sheet(
        facts, a_spec(), reports[::-1], model=sheet.model, improvement=sheet.improvement
    )
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, a_spec(), recover)
    pay = sum(row.amount for row in sheet.rows)
    assert pay <= (budget if new else 0)
    assert sheet.payout - pay <= facts.fee
    assert all(row.amount == 0 for row in sheet.rows if row.verdict is not Verdict.ACCEPTED)
    for leaf in sheet.leaves:
        found = sheet.leaf_of(leaf.account)
        assert found is not None
        assert verify_proof(sheet.root, result_leaf(facts.round_id, leaf), found[1])


@settings(max_examples=60, deadline=None)
@given(
    lies=st.lists(
        st.tuples(st.integers(-MAX_GAIN, MAX_GAIN), st.integers(0, MAX_GAIN)), min_size=2, max_size=2
    ),
    truth=st.lists(st.integers(30_000, 40_000), min_size=3, max_size=3),
)
def test_a_lying_minority_never_moves_a_score_outside_the_honest_range(
    lies: list[tuple[int, int]], truth: list[int]
) -> None:
    facts = some_facts(1, 5)
    votes = [[(Verdict.ACCEPTED, "accepted", gain, 1_000)] for gain in truth]
    votes += [[(Verdict.ACCEPTED, "accepted", gain, stderr)] for gain, stderr in lies]
    (decision,) = decide(facts, reports_of(facts, votes))
    assert min(truth) <= decision.gain <= max(truth)
    assert decision.stderr == 1_000


FACTS = some_facts(2)
REPORTS = reports_of(FACTS, [[GOOD, FAULT]] * 3)
SHEET = derive_sheet(FACTS, a_spec(), REPORTS, model=digest("new"), improvement=5)
DOCUMENTS: dict[str, tuple[bytes, Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "spec": (encode_spec(a_spec()), decode_spec, encode_spec),
    "report": (encode_report(report_of(FACTS, FACTS.members[0], [GOOD, HARM])), decode_report, encode_report),
    "sheet": (encode_sheet(SHEET), decode_sheet, encode_sheet),
}
KIND = st.sampled_from(sorted(DOCUMENTS))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(1 - 2**53, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["0x", "0x" + "00" * 32, "1", "-1", "accepted"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def survives(kind: str, data: bytes) -> None:
    _, decode, encode = DOCUMENTS[kind]
    try:
        value = decode(data)
    except Rejected:
        return
    assert encode(value) == data


@FEW
@given(kind=KIND, data=st.binary(max_size=300))
def test_any_bytes_parse_or_are_rejected(kind: str, data: bytes) -> None:
    survives(kind, data)


@settings(max_examples=300, deadline=None)
@given(kind=KIND, where=st.integers(0, 10**6), value=st.integers(0, 255))
def test_any_flipped_byte_parses_or_is_rejected(kind: str, where: int, value: int) -> None:
    data = bytearray(DOCUMENTS[kind][0])
    data[where % len(data)] = value
    survives(kind, bytes(data))


@settings(max_examples=150, deadline=None)
@given(kind=KIND, value=JSON, data=st.data())
def test_any_replaced_value_parses_or_is_rejected(kind: str, value: Any, data: st.DataObject) -> None:
    tree = parse_json(DOCUMENTS[kind][0], max_bytes=1 << 20, what="test")
    node = tree
    while True:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        inner = node[key]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            node = inner
            continue
        node[key] = value
        break
    try:
        written = canonical_json(tree)
    except (Rejected, UnicodeEncodeError):  # a lone surrogate has no JSON bytes
        return
    survives(kind, written)
