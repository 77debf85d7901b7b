"""The sum shown for a payment is the one that makes it, and says so where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jepanet.operations.receipts.receipts import Terms, sheet_view
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.types import Verdict
from round_samples import GOOD, HARM, MISSING, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

TOKEN = 10**18
ISSUE = (Verdict.ACCEPTED, "accepted", 29_023, 4_537)
SPEC = a_spec(price=5 * 10**14)
MEMBERS = some_facts().members


def sheet_of(*votes: Any, budget: int = 100 * TOKEN, spec: Any = SPEC, **changes: Any) -> ScoreSheet:
    facts = some_facts(len(votes), budget=budget, fee=2 * TOKEN)
    values: dict[str, Any] = {"model": digest("merged"), "improvement": 30_000, **changes}
    return derive_sheet(facts, spec, reports_of(facts, [list(votes)] * 3), **values)


def sums(sheet: ScoreSheet, spec: Any = SPEC, budget: int = 100 * TOKEN) -> dict[int, str]:
    """The sums by gain."""
    view = sheet_view(sheet, Terms(spec, budget, 2 * TOKEN, MEMBERS))
    return {item.gain: item.how for item in view.receipts}


def test_a_payment_is_shown_as_the_sum_it_is() -> None:
    sheet = sheet_of(ISSUE, GOOD, HARM, MISSING)
    assert sums(sheet)[29_023] == "(29,023 - 4,537) x 0.0005 = 12.243"
    assert sums(sheet)[40_000] == "(40,000 - 2,000) x 0.0005 = 19"
    assert sums(sheet)[-50_000] == sums(sheet)[0] == ""
    figures = sheet_view(sheet, Terms(SPEC, 100 * TOKEN, 2 * TOKEN, MEMBERS)).figures
    assert figures is not None
    assert {item.how for item in figures.fees} == {"2 / 3 verifiers = 0.666666"}


def test_a_cap_on_one_delta_s_pay_is_part_of_the_sum() -> None:
    spec = replace(SPEC, pay_cap=15 * TOKEN)
    sheet = sheet_of(ISSUE, GOOD, spec=spec)
    assert {row.gain: row.amount for row in sheet.rows}[40_000] == 15 * TOKEN
    assert sums(sheet, spec)[29_023] == "(29,023 - 4,537) x 0.0005 = 12.243"
    assert sums(sheet, spec)[40_000] == "(40,000 - 2,000) x 0.0005 = 19, at most 15 (pay_cap of the rules)"
    # What is beyond it takes nothing from the other when the budget is shared.
    shared = sheet_of(ISSUE, GOOD, spec=spec, budget=20 * TOKEN)
    assert {row.gain: row.amount for row in shared.rows}[40_000] == 15 * TOKEN * 20_000 // 27_243
    told = sums(shared, spec, 20 * TOKEN)[40_000]
    assert told.endswith("= 19, at most 15 (pay_cap of the rules); x 20 / 27.243 = 11.012003")


def test_a_limit_by_what_is_usual_is_named_in_the_sum() -> None:
    spec = replace(SPEC, pay_cap=50 * TOKEN, pay_to_median_milli=1500)
    usual = (Verdict.ACCEPTED, "accepted", 10_000, 0)
    sheet = sheet_of(usual, usual, GOOD, spec=spec)
    told = "(40,000 - 2,000) x 0.0005 = 19, at most 7.5 (1.5 x the median of what the round's deltas earn)"
    assert sums(sheet, spec)[40_000] == told


def test_the_error_of_the_improvement_is_shown_where_the_notes_have_one() -> None:
    def error(*notes: tuple[str, int]) -> int | None:
        figures = sheet_view(sheet_of(GOOD, metrics=notes), None).figures
        assert figures is not None
        return figures.stderr

    assert error(("after.pi", 1), ("stderr.improvement", 1_800)) == 1_800
    assert error() is None
    assert error(("stderr.improvement", -1)) is None and error(("stderr.improvement", 10**15)) is None


def test_attack_a_metric_named_like_a_group_of_them_belongs_to_none() -> None:
    notes = (("after.loss", 2_000_000), ("before", 1), ("beforehand.loss", 1))
    sheet = decode_sheet(encode_sheet(sheet_of(GOOD, metrics=notes)))
    figures = sheet_view(sheet, None).figures
    assert figures is not None and (figures.heldout.before, figures.heldout.after) == ({}, {"loss": 2.0})


def test_another_part_of_the_error_is_named() -> None:
    spec = replace(SPEC, shrink_milli=1500)
    sheet = sheet_of(GOOD, spec=spec)
    assert sums(sheet, spec)[40_000] == "(40,000 - 1.5 x 2,000) x 0.0005 = 18.5"


def test_noise_and_a_withheld_model_earn_nothing_and_say_why() -> None:
    noise = (Verdict.ACCEPTED, "accepted", 1_000, 4_000)
    assert sums(sheet_of(noise))[1_000] == "1,000 - 4,000 is no gain"
    withheld = sheet_of(GOOD, model=digest("base"), improvement=0, note="no improvement")
    assert "withheld" in sums(withheld)[40_000]


def test_a_shared_budget_is_part_of_the_sum() -> None:
    sheet = sheet_of(GOOD, ISSUE, budget=10 * TOKEN)
    text = sums(sheet, budget=10 * TOKEN)[29_023]
    assert text == "(29,023 - 4,537) x 0.0005 = 12.243; x 10 / 31.243 = 3.918637"


def test_a_sheet_that_pays_something_else_is_called_so() -> None:
    sheet = sheet_of(GOOD)
    lie = replace(sheet, rows=(replace(sheet.rows[0], amount=TOKEN),))
    assert sums(lie)[40_000].endswith("but the sheet pays 1")


def test_without_the_spec_nothing_is_made_up() -> None:
    view = sheet_view(sheet_of(GOOD), None)
    assert view.receipts[0].how == ""
    assert view.figures is not None and view.figures.price is None


def test_a_sum_is_true_to_the_last_decimal_that_the_table_shows() -> None:
    row = (Verdict.ACCEPTED, "accepted", 80_909, 3_890)
    assert sums(sheet_of(row))[80_909] == "(80,909 - 3,890) x 0.0005 = 38.5095"


def test_every_coordinator_is_told_what_it_earned_or_why_not() -> None:
    facts = some_facts(3, 6, fee=6 * TOKEN)
    low, high = (Verdict.ACCEPTED, "accepted", 10_000, 2_000), (Verdict.ACCEPTED, "accepted", 90_000, 2_000)
    rows = [[GOOD] * 3, [low, low, GOOD], [GOOD, GOOD, high], [GOOD, MISSING, MISSING], [GOOD] * 3]
    sheet = derive_sheet(facts, SPEC, reports_of(facts, rows), model=digest("merged"), improvement=1)
    figures = sheet_view(sheet, Terms(SPEC, 100 * TOKEN, 6 * TOKEN, facts.members)).figures
    assert figures is not None and [item.coordinator for item in figures.fees] == list(facts.members)
    assert [item.how for item in figures.fees] == [
        "6 / 6 verifiers = 1",
        "no fee: 2 of its 3 scores lie below what was decided",
        "no fee: 1 of its 3 scores lie above what was decided",
        "no fee: it could not fetch 2 of 3 deltas",
        "6 / 6 verifiers = 1",
        "no fee: its scores are not in the sheet; they came late, or not at all",
    ]
    assert [(item.over, item.under, item.missed, item.reported) for item in figures.fees] == [
        (0, 0, 0, True), (0, 2, 0, True), (1, 0, 0, True), (0, 0, 2, True), (0, 0, 0, True),
        (0, 0, 0, False),
    ]  # fmt: skip
    assert {item.in_time for item in figures.fees} == {None}
    untold = sheet_view(sheet, None).figures
    assert untold is not None and {item.how for item in untold.fees} == {""}


def test_who_had_not_committed_in_time_is_told_so() -> None:
    facts, spec = some_facts(3, 3, fee=3 * TOKEN), a_spec(committed_scores=True)
    sheet = derive_sheet(
        facts, spec, reports_of(facts, [[GOOD] * 3] * 3), model=digest("merged"), improvement=1
    )
    figures = sheet_view(sheet, Terms(spec, 100 * TOKEN, 3 * TOKEN, facts.members)).figures
    assert figures is not None and {item.in_time for item in figures.fees} == {False}
    assert {item.how for item in figures.fees} == {
        "no fee: it had not committed to its scores before others were opened"
    }
