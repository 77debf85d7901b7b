"""Attacks on the limit of one delta's pay: who saw the shard is held to it, and nobody to next to nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.protocol.documents.spec import MergeRule, encode_spec
from jepanet.protocol.documents.spec_checks import check_methods
from jepanet.protocol.settling.caps import check_usual, pay_limit, usual_after, usual_within
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.types import Digest, Verdict
from jepanet.work.methods import METHODS
from round_samples import a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

CAPPED = a_spec(pay_to_median_milli=1500, merge=MergeRule(drop_sigmas_milli=1000), price=1)
FOLLOWS = replace(CAPPED, usual_follows=True, usual_worth=10_000)
NEW = digest("new model")


def sheet_of(*gains: int, dropped: tuple[int, ...] = (), spec: object = CAPPED) -> ScoreSheet:
    """Of deltas with these gains."""
    facts: RoundFacts = some_facts(len(gains))
    names: list[Digest] = [item.digest for item in facts.reveals]
    reports: tuple[ScoreReport, ...] = reports_of(
        facts, [[(Verdict.ACCEPTED, "accepted", gain, 0) for gain in gains]] * 3
    )
    return derive_sheet(
        facts,
        spec,
        reports,
        model=NEW,
        improvement=5,
        dropped=[names[place] for place in dropped],  # type: ignore[arg-type]
    )


def paid(*gains: int, dropped: tuple[int, ...] = (), spec: object = CAPPED) -> list[int]:
    """Amounts by place of deltas with these gains."""
    names = [item.digest for item in some_facts(len(gains)).reveals]
    amounts = {row.digest: row.amount for row in sheet_of(*gains, dropped=dropped, spec=spec).rows}
    return [amounts[name] for name in names]


def test_attack_who_saw_the_shard_earns_half_as_much_again_as_is_usual() -> None:
    assert paid(80_000, 9_000, 10_000, 11_000, spec=a_spec(price=1)) == [80_000, 9_000, 10_000, 11_000]
    assert paid(80_000, 9_000, 10_000, 11_000) == [16_500, 9_000, 10_000, 11_000]
    assert paid(3_000_000, 9_000, 10_000, 11_000) == [16_500, 9_000, 10_000, 11_000]


def test_attack_deltas_that_earn_next_to_nothing_hold_nobody_to_it() -> None:
    """Identities are free: whatever their number, and whether they were merged or dropped."""
    honest = (9_000, 10_000, 11_000, 12_000)
    tiny = (400,) * 40
    assert paid(*honest, *tiny)[:4] == list(honest)
    assert paid(*honest, *tiny, dropped=tuple(range(4, 44)))[:4] == list(honest)
    assert paid(*honest, *[0] * 40)[:4] == list(honest)


def test_what_was_dropped_still_says_what_is_usual() -> None:
    """A leaked shard makes the work of others redundant: dropped, they hold it to theirs all the same."""
    assert paid(80_000, 9_000, 10_000, 11_000, dropped=(1, 2)) == [16_500, 0, 0, 11_000]


@pytest.mark.parametrize("gains", [(50_000,), (50_000, 5_000), (50_000, 0, 0, 0), (0, 0)])
def test_few_are_held_to_nothing(gains: tuple[int, ...]) -> None:
    assert paid(*gains) == list(gains)


def test_the_smaller_of_two_limits_holds() -> None:
    both = replace(CAPPED, pay_cap=9_500)
    assert paid(80_000, 9_000, 10_000, 11_000, spec=both) == [9_500, 9_000, 9_500, 9_500]
    assert paid(80_000, 9_000, 10_000, 11_000, spec=replace(CAPPED, pay_cap=90_000))[0] == 16_500
    assert pay_limit(a_spec(), []) is None and usual_within([]) == 0


def test_documents_of_before_keep_their_bytes() -> None:
    assert b"usual" not in encode_spec(a_spec()) and b"usual" not in encode_sheet(sheet_of(1_000, 2_000))
    assert b"pay_to_median" not in encode_spec(a_spec()) and b"variance_price" not in encode_spec(a_spec())
    check_methods(CAPPED, METHODS)
    with pytest.raises(Rejected, match="pay_to_median"):
        check_methods(a_spec(pay_to_median_milli=999), METHODS)


def test_attack_a_leak_in_a_round_where_nobody_else_earns() -> None:
    """Alone it was its own median; held to what was usual before, it earns half as much again."""
    alone = (120_000, 0, 0, 0)
    assert paid(*alone) == [120_000, 0, 0, 0]
    assert paid(*alone, spec=FOLLOWS) == [15_000, 0, 0, 0]


def test_attack_two_of_four_saw_the_shard() -> None:
    """Under the round's own median they hold each other to nothing; now to one and a half of what was usual.
    Three of four raise that by a quarter a round."""
    two, three = (120_000, 110_000, 0, 0), (120_000, 110_000, 100_000, 0)
    assert paid(*two) == [120_000, 110_000, 0, 0]
    assert paid(*two, spec=FOLLOWS) == [15_000, 15_000, 0, 0] and sheet_of(*two, spec=FOLLOWS).usual == 10_000
    assert paid(*three, spec=FOLLOWS) == [18_750] * 3 + [0]


def test_attack_tiny_deltas_beside_the_one_that_gains() -> None:
    """The one honest delta of a late round, beside five that earn next to nothing, was held to that."""
    late, tiny = 2_770, (87,) * 5
    assert paid(late, *tiny)[0] == 130
    assert paid(late, *tiny, spec=replace(FOLLOWS, usual_worth=3_000))[0] == late
    assert paid(late, *tiny, spec=replace(FOLLOWS, usual_worth=1_000))[0] == 1_500, "of what was usual"


def test_attack_lazy_deltas_hold_honest_ones_to_theirs() -> None:
    """A tenth of the usual counts; but what is usual falls to a half in a round and no further."""
    lazy = (1_100,) * 5
    assert paid(10_000, 9_000, 11_000, *lazy)[:3] == [1_650] * 3
    assert paid(10_000, 9_000, 11_000, *lazy, spec=FOLLOWS)[:3] == [7_500] * 3


def test_what_is_usual_follows_the_gains_down_and_up_within_bounds() -> None:
    assert usual_after([6_000, 7_000, 8_000, 9_000], 10_000) == 8_000
    assert usual_after([600, 700], 10_000) == 5_000
    assert usual_after([], 10_000) == 5_000, "nobody is worth a tenth"
    assert usual_after([20_000] * 3, 10_000) == 12_500
    assert usual_after([20_000], 10_000) == 12_500
    assert usual_after([20_000, 0], 10_000) == 10_000, "half of them raise nothing"
    assert usual_after([8_000], 10_000) == 8_000
    assert usual_after([], 1) == usual_after([0, 0], 1) == 1, "it never becomes what no round has said"


def test_the_next_round_takes_over_what_the_sheet_says() -> None:
    first = replace(FOLLOWS, usual_worth=0)
    sheet = sheet_of(80_000, 9_000, 10_000, 11_000, spec=first)
    assert sheet.usual == 11_000 and decode_sheet(encode_sheet(sheet)) == sheet
    assert sheet_of(80_000, 9_000, 10_000, 11_000).usual == 0
    assert sheet_of(50_000, 0, spec=replace(FOLLOWS, price=7)).usual == 10_000, "whatever the price"
    assert sheet.usual_count == 4
    check_usual(replace(FOLLOWS, usual_worth=11_000, usual_count=4), sheet.usual, 4)
    check_usual(CAPPED, sheet.usual, 4)
    for wrong in ((0, 4), (10_999, 4), (10**9, 4), (11_000, 0), (11_000, 3), (11_000, 1_024)):
        with pytest.raises(Rejected) as caught:
            check_usual(replace(FOLLOWS, usual_worth=wrong[0], usual_count=wrong[1]), sheet.usual, 4)
        assert caught.value.reason == "wrong-usual"


@pytest.mark.parametrize("changes", [{"usual_follows": False}, {"pay_to_median_milli": 0}])
def test_half_of_the_rule_is_refused(changes: dict[str, int]) -> None:
    check_methods(FOLLOWS, METHODS)
    with pytest.raises(Rejected, match="usual_worth goes with"):
        check_methods(replace(FOLLOWS, **changes), METHODS)


def test_what_is_usual_comes_back_from_next_to_nothing() -> None:
    usual = 1
    for _ in range(60):
        usual = usual_after([10_000] * 6, usual)
    assert usual == 10_000


def worth(merged: int) -> int:
    """Of an honest delta as one of so many."""
    return round(80_000 / merged - 10_000 / merged**2)


def test_attack_tiny_steps_beside_eight_for_three_rounds_take_nothing_from_the_rounds_after() -> None:
    """Measured as one of 64 an honest delta is worth an eighth. The next round of eight was held to that, and
    paid 24, 31, 38, 48, 60, 75, 94 % of what its deltas were worth."""
    spec = replace(FOLLOWS, usual_worth=worth(8), usual_count=8)
    for merged in (8, 64, 64, 64, 8, 8, 8):
        honest = [worth(merged)] * 8
        amounts = paid(*honest, *[worth(merged) // 20] * (merged - 8), spec=spec)
        assert amounts[:8] == honest
        sheet = sheet_of(*honest, *[worth(merged) // 20] * (merged - 8), spec=spec)
        spec = replace(spec, usual_worth=sheet.usual, usual_count=sheet.usual_count)
        assert sheet.usual_count == merged


def test_it_is_scaled_by_how_many_deltas_one_is_paid_as_one_of() -> None:
    spec = replace(FOLLOWS, usual_count=8)
    assert paid(120_000, 0, 0, 0, spec=spec) == [30_000, 0, 0, 0]
    fewer = replace(spec, pay_as_merged=True)
    assert paid(120_000, 0, 0, 0, dropped=(3,), spec=fewer)[0] == 10_000 * 8 // 3 * 3 // 2
    assert sheet_of(120_000, 0, 0, 0, dropped=(3,), spec=fewer).usual_count == 3
    assert sheet_of(120_000, 0, 0, 0, dropped=(3,), spec=spec).usual_count == 4
    assert paid(120_000, 0, spec=replace(spec, usual_worth=1, usual_count=1)) == [1, 0], "never to nothing"
    with pytest.raises(Rejected, match="usual_count goes with"):
        check_methods(replace(spec, usual_worth=0), METHODS)
    assert b"usual_count" not in encode_spec(FOLLOWS)
