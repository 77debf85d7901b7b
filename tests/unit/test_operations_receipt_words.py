"""A receipt says in words what was measured and why it earned what it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jepanet.errors import Fatal
from jepanet.interface.arguments import receipt as arguments
from jepanet.operations.auditing.receipt_words import OUTCOMES, in_words, lost_of
from jepanet.operations.auditing.receipts import Terms, sheet_view
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import RoundDetails, RoundSummary, SheetView
from jepanet.protocol.settling.reasons import REASONS
from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.types import Address, Verdict
from round_samples import GOOD, HARM, MISSING, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

TOKEN = 10**18
SPEC = a_spec(price=5 * 10**14)
SUMMARY = RoundSummary(
    3, 1, "settled", None, "base", "model", "sheet", 3, 3, Wei(100 * TOKEN), Wei(0), Wei(10 * TOKEN), None, 1
)


def details_of(*votes: Any, budget: int = 100 * TOKEN, **changes: Any) -> RoundDetails:
    facts = some_facts(len(votes), budget=budget, fee=2 * TOKEN)
    values: dict[str, Any] = {"model": digest("merged"), "improvement": 30_000, **changes}
    sheet = derive_sheet(facts, SPEC, reports_of(facts, [list(votes)] * 3), **values)
    return RoundDetails(SUMMARY, sheet_view(sheet, Terms(SPEC, budget, 2 * TOKEN, 3)))


def test_every_reason_of_the_rules_has_words() -> None:
    assert set(OUTCOMES) == set(REASONS)


def test_a_merged_delta_is_told_its_gain_its_sum_and_its_bond() -> None:
    (said,) = in_words(details_of(GOOD))
    assert "40,000 micro-nats" in said.measured and "2,000" in said.measured
    assert "20.0 times its error" in said.measured
    assert said.outcome.startswith("accepted") and "next model" in said.outcome
    assert said.payment.startswith("(40,000 - 2,000) x 0.0005 = 19 tokens: the gain less its standard error")
    assert said.payment.endswith("price of 0.0005 tokens a micro-nat")
    assert said.bond.startswith("10 tokens, returned whole")


def test_a_median_is_told_only_of_several_measurements() -> None:
    several = details_of(GOOD)
    figures = several.sheet.figures
    assert figures is not None and figures.scored_by == 3
    alone = replace(several, sheet=replace(several.sheet, figures=replace(figures, scored_by=1)))
    assert "the lower median of what 3 coordinators measured" in in_words(several)[0].measured
    assert "median" not in in_words(alone)[0].measured


def test_why_the_error_is_taken_off_and_what_a_spent_budget_means_is_said() -> None:
    noise = (Verdict.ACCEPTED, "accepted", 1_000, 4_000)
    (said,) = in_words(details_of(noise))
    assert said.payment.startswith("1,000 - 4,000 is no gain: ") and "chance" in said.payment
    shared = in_words(details_of(GOOD, GOOD, budget=10 * TOKEN))
    assert all("since more was earned than it holds" in item.payment for item in shared)


def test_what_is_out_is_told_why_and_that_it_earns_nothing() -> None:
    by_outcome = {item.outcome.split(":")[0]: item for item in in_words(details_of(GOOD, HARM, MISSING))}
    harm, missing = by_outcome["excluded, harm"], by_outcome["excluded, unavailable"]
    assert "worse" in harm.outcome and "a part" in harm.bond
    assert missing.measured.startswith("nothing")
    assert {harm.payment, missing.payment} == {"nothing: only deltas that are merged are paid"}


def test_what_an_excluded_bond_loses_is_told_as_an_amount() -> None:
    said = {
        item.outcome.split(":")[0]: item.bond for item in in_words(details_of(GOOD, HARM), excluded_bps=1_250)
    }
    assert said["excluded, harm"] == (
        "10 tokens, of which 1.25 are lost and 8.75 return with the claim, as free stake; of what is "
        "lost 0.125 go to whoever shows the row, the rest to the treasury"
    )
    assert sum("lost" in bond for bond in said.values()) == 1
    assert lost_of(7, "excluded", 2_000) == 1 and lost_of(7, "invalid", None) == 7
    assert lost_of(7, "spared", None) == 0 and lost_of(7, "excluded", None) is None


def test_a_withheld_model_says_so_to_those_whose_work_was_good() -> None:
    withheld = details_of(GOOD, model=digest("base"), improvement=0, note="no improvement")
    (said,) = in_words(withheld)
    assert "withheld: no improvement" in said.outcome
    assert said.payment == "nothing: the merged model was withheld"


def test_a_reason_of_the_decoder_is_shown_as_it_stands() -> None:
    details = details_of(GOOD, (Verdict.INVALID, "wrong-shape", 0, 0))
    (said,) = (item for item in in_words(details) if item.outcome.startswith("invalid"))
    assert "wrong-shape" in said.outcome and said.bond.startswith("10 tokens, lost whole")


def test_one_solver_is_found_and_a_stranger_is_told_who_has_a_row() -> None:
    details = details_of(GOOD, HARM)
    wanted = details.sheet.receipts[1].solver
    assert [item.solver for item in in_words(details, wanted)] == [wanted]
    with pytest.raises(Fatal, match="no row") as caught:
        in_words(details, Address("0x" + "99" * 20))
    assert wanted in str(caught.value.remedy)
    with pytest.raises(Fatal, match="no recorded result"):
        in_words(replace(details, sheet=SheetView()))


def test_the_words_are_printed_a_paragraph_a_receipt() -> None:
    items = in_words(details_of(GOOD, HARM))
    shown = CliRunner().invoke(click.Command("shown", callback=lambda: arguments.show(items))).output
    assert shown.count("Round 3, 0x") == 2 and max(map(len, shown.splitlines())) <= 110
    assert "\n  payment   (40,000 - 2,000)" in shown
