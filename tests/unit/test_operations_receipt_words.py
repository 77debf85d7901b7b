"""A receipt says in words what was measured and why it earned what it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from test_protocol_audits import report

from jepanet.errors import Fatal
from jepanet.interface.arguments import receipt as arguments
from jepanet.operations.receipts.advice import FAULTS, FORGED, NO_GAIN, OUT, WITHHELD
from jepanet.operations.receipts.bond_words import lost_of
from jepanet.operations.receipts.receipts import Terms, sheet_view
from jepanet.operations.receipts.words import OUTCOMES, in_words
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import RoundDetails, RoundSchedule, RoundSummary, SheetView
from jepanet.protocol.documents.scores import Among
from jepanet.protocol.documents.spec import AuditRule
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
    return RoundDetails(SUMMARY, sheet_view(sheet, Terms(SPEC, budget, 2 * TOKEN, facts.members)))


def test_every_reason_of_the_rules_has_words_and_advice() -> None:
    assert set(OUTCOMES) == set(OUT) == set(REASONS)
    assert all(OUTCOMES.values()) and all(OUT.values()) and all(FAULTS.values())


def test_a_merged_delta_is_told_its_gain_its_sum_and_its_bond() -> None:
    (said,) = in_words(details_of(GOOD))
    assert "40,000 micro-nats" in said.measured and "2,000" in said.measured
    assert "20.0 times its error" in said.measured
    assert said.outcome.startswith("accepted") and "next model" in said.outcome
    assert said.payment.startswith("(40,000 - 2,000) x 0.0005 = 19, in tokens: the gain less its")
    assert said.payment.endswith("price of 0.0005 tokens a micro-nat")
    assert said.bond.startswith("10 tokens, returned whole")


def test_a_part_of_the_shard_is_told_where_no_more_was_measured() -> None:
    assert "on the sealed shard" in in_words(details_of(GOOD))[0].measured
    facts = some_facts(1)
    spec = replace(SPEC, evaluation_episodes=32)
    sheet = derive_sheet(
        facts, spec, reports_of(facts, [[GOOD]] * 3), model=digest("next"), improvement=30_000
    )
    details = RoundDetails(SUMMARY, sheet_view(sheet, Terms(spec, TOKEN, TOKEN, facts.members)))
    assert "on 32 episodes of the sealed shard" in in_words(details)[0].measured


def test_a_sum_by_another_gain_than_the_first_says_whose_it_is() -> None:
    details = details_of(GOOD, MISSING)
    (whole,) = (item for item in details.sheet.receipts if item.gain)
    assert "fewer" not in in_words(details, whole.solver)[0].payment
    facts = some_facts(2, fee=2 * TOKEN)
    sheet = derive_sheet(
        facts, SPEC, reports_of(facts, [[GOOD, MISSING]] * 3), model=digest("merged"), improvement=1
    )
    rows = tuple(replace(row, among=Among(1, 20_000, 6_000)) if row.gain else row for row in sheet.rows)
    terms = Terms(SPEC, 100 * TOKEN, 2 * TOKEN, facts.members)
    (said,) = in_words(RoundDetails(SUMMARY, sheet_view(replace(sheet, rows=rows), terms)), whole.solver)
    assert said.payment.startswith("as one of 1: (20,000 - 6,000) x 0.0005 = 7")
    assert "as one of those that are merged, who are fewer than revealed" in said.payment


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
    with pytest.raises(Fatal, match="no recorded result") as caught:
        in_words(replace(details, sheet=SheetView()))
    assert "--solver" in str(caught.value.remedy), "an account has a receipt from its commitment on"


def test_the_words_are_printed_a_paragraph_a_receipt() -> None:
    items = in_words(details_of(GOOD, HARM))
    shown = CliRunner().invoke(click.Command("shown", callback=lambda: arguments.show(items))).output
    assert shown.count("Round 3, 0x") == 2 and max(map(len, shown.splitlines())) <= 110
    assert "\n  payment   (40,000 - 2,000)" in shown


def test_what_each_coordinator_measured_is_told_with_who_lies_apart() -> None:
    high, low = (Verdict.ACCEPTED, "accepted", 43_000, 2_000), (Verdict.ACCEPTED, "accepted", 37_000, 2_000)
    facts = some_facts(1, fee=2 * TOKEN)
    sheet = derive_sheet(
        facts, SPEC, reports_of(facts, [[GOOD], [high], [low]]), model=digest("merged"), improvement=1
    )
    (said,) = in_words(
        RoundDetails(SUMMARY, sheet_view(sheet, Terms(SPEC, 100 * TOKEN, 2 * TOKEN, facts.members)))
    )
    first, over, under = said.scored.split("; ")
    assert first == f"{facts.members[0]} accepted, 40,000 ± 2,000"
    assert over.endswith(
        "43,000 ± 2,000, 3,000 above the median: more than the tolerance, so it earns no fee"
    )
    assert under.endswith(
        "37,000 ± 2,000, 3,000 below the median: more than the tolerance, so it earns no fee"
    )
    (untold,) = in_words(RoundDetails(SUMMARY, sheet_view(sheet, None)))
    assert "above" not in untold.scored and "43,000" in untold.scored, "without rules nothing is said of fees"


def test_who_audited_a_training_and_what_was_found_is_told() -> None:
    wrong = (Verdict.INVALID, "not-reproduced", 0, 0)
    facts = replace(some_facts(1, fee=2 * TOKEN), beacon=5)
    spec = replace(SPEC, audit=AuditRule(8, 1000))
    reports = [report(facts, who, [wrong]) for who in facts.members[:2]]
    sheet = derive_sheet(facts, spec, reports, model=facts.base, improvement=0)
    (said,) = in_words(RoundDetails(SUMMARY, sheet_view(sheet, Terms(spec, TOKEN, 2 * TOKEN, facts.members))))
    assert said.outcome.startswith("invalid, not-reproduced: its solver was drawn")
    assert said.scored.count("it did drawn parts of the training again") == 2
    assert "verifiers" in said.bond and "bytes" not in said.bond, "no bytes take this bond"
    assert "jepanet audit" in said.advice


def test_of_many_coordinators_those_are_named_who_lie_apart() -> None:
    facts = some_facts(1, 12, fee=2 * TOKEN)
    votes = [[GOOD]] * 10 + [[(Verdict.ACCEPTED, "accepted", 70_000, 2_000)], [MISSING]]
    sheet = derive_sheet(facts, SPEC, reports_of(facts, votes), model=digest("merged"), improvement=1)
    (said,) = in_words(
        RoundDetails(SUMMARY, sheet_view(sheet, Terms(SPEC, 100 * TOKEN, 2 * TOKEN, facts.members)))
    )
    over, missed, rest = said.scored.split("; ")
    assert over.startswith(facts.members[10]) and "30,000 above the median" in over
    assert missed == f"{facts.members[11]} excluded (unavailable), which says nothing of its worth"
    assert rest == "10 lie within the round's tolerance of the median"


def test_each_way_to_earn_nothing_says_what_to_do() -> None:
    noise = (Verdict.ACCEPTED, "accepted", 1_000, 4_000)
    by_gain = {item.measured.split(" micro")[0]: item.advice for item in in_words(details_of(GOOD, noise))}
    assert by_gain == {"a gain of 40,000": "", "a gain of 1,000": NO_GAIN}
    assert in_words(details_of(GOOD, model=digest("base"), improvement=0))[0].advice == WITHHELD
    fault = (Verdict.INVALID, "wrong-shape", 0, 0)
    told = in_words(details_of(GOOD, HARM, fault))
    advised = {item.outcome.split(":")[0]: item.advice for item in told if item.advice}
    assert advised == {"excluded, harm": OUT["harm"], "invalid, wrong-shape": FAULTS["wrong-shape"]}
    details = details_of(GOOD)
    assert details.sheet.figures is not None
    wrong = replace(details.sheet.figures, recomputed=False, checked="does NOT follow")
    (forged,) = in_words(replace(details, sheet=replace(details.sheet, figures=wrong)))
    assert forged.advice == FORGED and forged.checked == "does NOT follow"


WHEN = RoundSchedule(
    3, "challenge", Address("0x" + "11" * 20), Wei(10 * TOKEN), 500, 0, 60, 70, 160, 280, 600, None,
    True, True, bonds_until=600, recorded=400,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "unlocks", "words"),
    [
        ({}, 600, "held until 1970-01-01 00:10 UTC at the latest, unless the result is disputed"),
        ({"phase": "disputed", "bonds_until": None}, None, "held until the arbiter has decided"),
        ({"phase": "settleable"}, 600, "free as soon as the round is settled, which anybody may do now"),
        (
            {"phase": "settled", "ended": 660},
            660,
            "free since 1970-01-01 00:11 UTC: claim it until 1970-04-01",
        ),
    ],
)
def test_when_a_bond_comes_free_is_said(changes: dict[str, Any], unlocks: int | None, words: str) -> None:
    (said,) = in_words(details_of(GOOD), schedule=replace(WHEN, **changes))
    assert said.unlocks == unlocks and words in said.bond
    fault = (Verdict.INVALID, "wrong-shape", 0, 0)
    (lost,) = in_words(
        details_of(fault, model=digest("base"), improvement=0), schedule=replace(WHEN, **changes)
    )
    assert lost.unlocks is None and lost.bond.startswith("10 tokens, lost whole") and "free" not in lost.bond


def test_an_overturned_result_pays_nothing_and_takes_no_bond() -> None:
    details = replace(details_of(GOOD, HARM), summary=replace(SUMMARY, phase="cancelled"))
    for said in in_words(details, schedule=replace(WHEN, phase="cancelled", ended=700)):
        assert said.paid == 0 and "overturned" in said.outcome and "overturned" in said.payment
        assert said.bond.startswith("10 tokens, returned whole") and said.unlocks == 700
