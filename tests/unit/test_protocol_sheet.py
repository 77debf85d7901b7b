"""Specs, score reports and score sheets: the rule that turns scores into pay, and documents that lie."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.commitment import Leaf, merkle_root, result_leaf, verify_proof
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    MAX_GAIN,
    MAX_METRICS,
    MAX_REPORT_BYTES,
    check_signatures,
    decode_report,
    encode_report,
    metrics_of,
)
from jepanet.protocol.documents.spec import (
    MAX_PRICE,
    MergeRule,
    NormCaps,
    UpdateRule,
    decode_spec,
    encode_spec,
)
from jepanet.protocol.documents.spec_checks import Methods, check_methods, check_spec
from jepanet.protocol.settling import sheet as sheet_module
from jepanet.protocol.settling.reasons import REASONS
from jepanet.protocol.settling.rows import leaves_of
from jepanet.protocol.settling.sheet import check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RevealedDelta, decide
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Verdict
from round_samples import (
    FAULT,
    GOOD,
    HARM,
    MISSING,
    Vote,
    a_spec,
    account,
    digest,
    recover,
    report_of,
    reports_of,
    some_facts,
)

pytestmark = pytest.mark.unit

NEW = digest("merged")


def document(data: bytes) -> Any:
    return parse_json(data, max_bytes=1 << 25, what="test")


# ------------------------------------------------------------------ spec


def test_spec_round_trip() -> None:
    spec = a_spec()
    assert decode_spec(encode_spec(spec)) == spec
    assert encode_spec(spec) == encode_spec(decode_spec(encode_spec(spec)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("version", "1"),
        ("project", 0),
        ("project", True),
        ("project", 1.5),
        ("base", "0x" + "AA" * 32),
        ("base", "0x" + "aa" * 31),
        ("inner_steps", 0),
        ("inner_steps", -1),
        ("total_steps", 100),
        ("codec", "pick/le"),
        ("codec", ""),
        ("codec", "x" * 33),
        ("codec", ["int8"]),
        ("max_delta_bytes", 1 << 50),
        ("price", 5),
        ("price", "05"),
        ("price", "-1"),
        ("price", str(MAX_PRICE + 1)),
        ("price", "9" * 5000),
        ("similarity_milli", 0),
        ("merge", {"rule": "loudest of all", "outer_lr_milli": 700, "outer_momentum_milli": 0}),
        ("merge", {"rule": "mean", "outer_lr_milli": 700, "outer_momentum_milli": 1000}),
        ("merge", []),
        ("gates", {}),
        ("norms", None),
        ("aggregators", ["0x" + "a1" * 20]),
        ("aggregators", [account("a")] * 2),
        ("aggregators", [account("a", i) for i in range(33)]),
        ("surprise", 1),
        ("update", None),
        ("update", {}),
        ("update", {"codec": "int8"}),
        ("update", {"codec": "In t8", "carry_milli": 1000}),
        ("update", {"codec": "int8", "carry_milli": 1001}),
        ("update", {"codec": "int8", "carry_milli": -1}),
        ("update", {"codec": "int8", "carry_milli": 0.5}),
        ("update", {"codec": "int8", "carry_milli": 1000, "more": 1}),
        ("feedback_milli", 1000),  # the default has one spelling: left out
        ("feedback_milli", 1001),
        ("feedback_milli", -1),
        ("feedback_milli", 0.95),
        ("feedback_milli", None),
        ("pay_cap", "0"),
        ("pay_cap", None),
        ("pay_cap", 5),
        ("pay_cap", str(1 << 128)),
        ("audit", {"segments": 4, "build": {}}),
        ("audit", {"segments": 4, "build": None}),
        ("audit", {"segments": 4, "build": {"Torch": "2"}}),
        ("audit", {"segments": 4, "build": {"torch": ""}}),
        ("audit", {"segments": 4, "build": {"torch": "2\n"}}),
        ("audit", {"segments": 4, "build": {"torch": "x" * 65}}),
        ("audit", {"segments": 4, "build": {chr(97 + i): "x" for i in range(17)}}),
    ],
)
def test_attack_spec_fields_out_of_bounds(field: str, value: Any) -> None:
    tree = document(encode_spec(a_spec()))
    tree[field] = value
    with pytest.raises(Rejected):
        decode_spec(canonical_json(tree))


def test_spec_must_match_the_chain() -> None:
    spec = a_spec()
    known = {"project": spec.project, "base": spec.base, "recipe": spec.recipe, "dataset": spec.dataset}
    check_spec(spec, **known)  # type: ignore[arg-type]
    for name in known:
        with pytest.raises(Rejected, match=f"another {name}"):
            check_spec(spec, **{**known, name: 9 if name == "project" else digest("other")})  # type: ignore[arg-type]


def test_a_spec_without_an_update_rule_keeps_its_bytes() -> None:
    assert "update" not in document(encode_spec(a_spec()))
    ruled = a_spec(update=UpdateRule("topk3", 950))
    assert document(encode_spec(ruled))["update"] == {"codec": "topk3", "carry_milli": 950}
    assert decode_spec(encode_spec(ruled)) == ruled


def test_a_spec_with_whole_feedback_keeps_its_bytes() -> None:
    assert "feedback_milli" not in document(encode_spec(a_spec()))
    faded = a_spec(feedback_milli=950)
    assert document(encode_spec(faded))["feedback_milli"] == 950
    assert decode_spec(encode_spec(faded)) == faded


@pytest.mark.parametrize("longest", [1, 50, 999])
def test_attack_a_spec_that_measures_a_part_of_every_delta(longest: int) -> None:
    """With a longer outer step the model would move as far, and every solver be paid for a twentieth."""
    methods = Methods(("int8",), ("mean",))
    check_methods(a_spec(codec="int8", norms=NormCaps(longest_milli=1000)), methods)
    with pytest.raises(Rejected, match="longest_milli") as caught:
        check_methods(a_spec(codec="int8", norms=NormCaps(longest_milli=longest)), methods)
    assert caught.value.reason == "bad-field"


@pytest.mark.parametrize(
    "change", [{"codec": "pickle"}, {"merge": MergeRule("loudest")}, {"update": UpdateRule("codec-of-mine")}]
)
def test_attack_a_spec_that_names_what_nobody_has(change: dict[str, Any]) -> None:
    spec, methods = replace(a_spec(), **change), Methods(("int8", "fp32"), ("mean", "median"))
    check_methods(a_spec(), methods)
    with pytest.raises(Rejected) as caught:
        check_methods(decode_spec(encode_spec(spec)), methods)
    assert caught.value.reason == "bad-field"
    assert ("mean, median" if "merge" in change else "int8, fp32") in caught.value.message


def test_spec_in_another_spelling_is_refused() -> None:
    with pytest.raises(Rejected, match="canonical"):
        decode_spec(encode_spec(a_spec()).replace(b",", b", ", 1))


# ------------------------------------------------------------------ reports


def test_report_round_trip_and_signatures() -> None:
    facts = some_facts()
    report = report_of(facts, facts.members[0], [GOOD, FAULT, MISSING, HARM])
    assert decode_report(encode_report(report)) == report
    check_signatures(report, facts.chain_id, facts.contract, recover)


def test_attack_report_signed_by_someone_else_or_for_another_chain() -> None:
    facts = some_facts()
    report = report_of(facts, facts.members[0], [GOOD] * 4)
    with pytest.raises(Rejected) as stolen:
        check_signatures(
            replace(report, coordinator=facts.members[1]), facts.chain_id, facts.contract, recover
        )
    assert stolen.value.reason == "bad-signature"
    with pytest.raises(Rejected):
        check_signatures(report, facts.chain_id + 1, facts.contract, recover)
    better = replace(report, scores=(replace(report.scores[0], gain=MAX_GAIN), *report.scores[1:]))
    with pytest.raises(Rejected):
        check_signatures(better, facts.chain_id, facts.contract, recover)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", 0),
        ("verdict", 4),
        ("gain", MAX_GAIN + 1),
        ("gain", 1 << 60),
        ("stderr", -1),
        ("reason", "Ignore Previous"),
        ("reason", "x" * 33),
        ("detail", "\x1b[2J"),
        ("detail", "\u202e"),
        ("signature", "0x00"),
        ("metrics", [["b", 1], ["a", 2]]),
        ("metrics", [["a", 1], ["a", 2]]),
        ("metrics", [["a", 0.5]]),
        ("metrics", [[f"m{i:03}", 1] for i in range(MAX_METRICS + 1)]),
        ("metrics", {"a": 1}),
        ("solver", "0x0"),
    ],
)
def test_attack_report_fields_out_of_bounds(field: str, value: Any) -> None:
    facts = some_facts(2)
    tree = document(encode_report(report_of(facts, facts.members[0], [GOOD, GOOD])))
    tree["scores"][0][field] = value
    with pytest.raises(Rejected):
        decode_report(canonical_json(tree))


def test_attack_invalid_delta_with_a_gain() -> None:
    facts = some_facts(1)
    with pytest.raises(Rejected, match="no gain"):
        encode_report(report_of(facts, facts.members[0], [(Verdict.INVALID, "norm-cap", 5, 0)]))


def test_reports_of_full_rounds_fit_a_message_without_their_notes() -> None:
    facts = some_facts(MAX_DELTAS)
    report = report_of(
        facts, facts.members[0], [(Verdict.ACCEPTED, "a" * 32, -MAX_GAIN, MAX_GAIN)] * MAX_DELTAS
    )
    noted = replace(
        report,
        scores=tuple(
            replace(score, detail="d" * 240, metrics=tuple((f"metric{i:02}", 1) for i in range(MAX_METRICS)))
            for score in report.scores
        ),
    )
    data = encode_report(noted)
    assert len(data) <= MAX_REPORT_BYTES
    read = decode_report(data)
    assert [score.signature for score in read.scores] == [score.signature for score in report.scores]


def test_metrics_of_leaves_out_what_has_no_integer() -> None:
    assert metrics_of({"b": 0.25, "a": -1.5, "n": float("nan"), "i": float("inf")}) == (
        ("a", -1_500_000),
        ("b", 250_000),
    )


# ------------------------------------------------------------------ the rule


def test_medians_and_majorities() -> None:
    facts = some_facts(4)
    votes = [
        [GOOD, GOOD, FAULT, MISSING],
        [(Verdict.ACCEPTED, "accepted", 44_000, 3_000), HARM, FAULT, MISSING],
        [(Verdict.ACCEPTED, "accepted", 90_000_000, 0), GOOD, GOOD, GOOD],
    ]
    found = {item.digest: item for item in decide(facts, reports_of(facts, votes))}
    one, two, three, four = (found[item.digest] for item in facts.reveals)
    assert (one.verdict, one.gain, one.stderr) == (Verdict.ACCEPTED, 44_000, 2_000)
    assert (two.verdict, two.gain) == (Verdict.ACCEPTED, 40_000)
    assert (three.verdict, three.reason, three.gain) == (Verdict.INVALID, "non-finite", 0)
    assert (four.verdict, four.reason, four.gain) == (Verdict.EXCLUDED, "unavailable", 0)


def test_attack_one_coordinator_cannot_take_a_bond() -> None:
    facts = some_facts(1)
    (decision,) = decide(facts, reports_of(facts, [[FAULT], [GOOD], [GOOD]]))
    assert (decision.verdict, decision.gain) == (Verdict.ACCEPTED, 40_000)
    (split,) = decide(facts, reports_of(facts, [[FAULT], [GOOD], [HARM]]))
    assert split.verdict is Verdict.EXCLUDED


def test_attack_same_digest_twice_belongs_to_the_earlier_commit() -> None:
    facts = some_facts(3)
    first, second, third = facts.reveals
    facts = replace(facts, reveals=(first, second, RevealedDelta(third.solver, first.digest, third.index)))
    for said in (GOOD, FAULT):
        rows = {row.solver: row for row in decide(facts, reports_of(facts, [[GOOD, GOOD, said]] * 3))}
        assert rows[first.solver].verdict is Verdict.ACCEPTED
        # Whatever verifiers say of the later one: the contract takes bonds of INVALID rows alone.
        assert (rows[third.solver].verdict, rows[third.solver].reason) == (Verdict.EXCLUDED, "duplicate")
        assert rows[third.solver].gain == 0


def test_a_delta_that_is_out_through_no_fault_of_its_own_keeps_its_whole_bond() -> None:
    """The shard's fault is the proposer's, and where nobody has a reason there is none."""
    facts, refused = some_facts(2), (Verdict.EXCLUDED, "shard-refused", 0, 0)
    votes = [[refused, GOOD], [refused, FAULT], [refused, FAULT]]
    unscored, _ = decide(facts, reports_of(facts, votes))
    assert (unscored.verdict, unscored.reason) == (Verdict.SPARED, "shard-refused")
    four = some_facts(1, 4)
    (split,) = decide(replace(four, threshold=3), reports_of(four, [[GOOD], [GOOD], [FAULT], [FAULT]]))
    assert (split.verdict, split.reason) == (Verdict.SPARED, "disputed")


def test_attack_a_coordinator_cannot_score_a_delta_as_spared() -> None:
    facts = some_facts(1)
    with pytest.raises(Rejected):
        encode_report(reports_of(facts, [[(Verdict.SPARED, "shard-refused", 0, 0)]] * 3)[0])


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_what_every_reason_costs_when_all_give_it(reason: str) -> None:
    """EXCLUDED rows lose a part of the bond, SPARED ones nothing: the whole table, and nothing beside it."""
    excluded = {
        "zero-delta", "norm-outlier", "near-copy",  # in the bytes
        "not-measurable", "state-guard", "harm",  # measured, by the threshold of coordinators
        "unavailable", "too-large",  # fetched by fewer
    }  # fmt: skip
    spared = {"shard-refused", "not-audited", "machine-failed", "disputed", "dropped"}
    of_the_chain = {"duplicate"}  # never by votes: see the test of digests committed twice
    assert excluded | spared | of_the_chain == set(REASONS)
    facts = some_facts(1)
    (row,) = decide(facts, reports_of(facts, [[(Verdict.EXCLUDED, reason, 0, 0)]] * 3))
    if reason in excluded:
        assert (row.verdict, row.reason) == (Verdict.EXCLUDED, reason)
    else:
        expected = reason if reason in ("shard-refused", "not-audited", "machine-failed") else "disputed"
        assert (row.verdict, row.reason) == (Verdict.SPARED, expected)


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.INVALID])
def test_what_is_accepted_or_invalid_is_no_matter_of_the_table(verdict: Verdict) -> None:
    facts = some_facts(1)
    for reason in (*REASONS, "accepted", "non-finite"):
        (row,) = decide(facts, reports_of(facts, [[(verdict, reason, 0, 0)]] * 3))
        assert (row.verdict, row.reason) == (verdict, reason)


@pytest.mark.parametrize("reason", ["duplicate", "no-such-reason", "accepted"])
def test_attack_a_majority_excludes_for_a_reason_that_is_not_for_it_to_give(reason: str) -> None:
    """`duplicate` is a fact of the chain, and the earlier commit is never at fault."""
    facts = some_facts(1, 5)
    said = (Verdict.EXCLUDED, reason, 0, 0)
    (row,) = decide(facts, reports_of(facts, [[said], [said], [said], [GOOD], [GOOD]]))
    assert (row.verdict, row.reason) == (Verdict.SPARED, "disputed")


NEAR_ZERO: Vote = (Verdict.ACCEPTED, "accepted", 0, 2_000)


@pytest.mark.parametrize(
    ("coordinators", "votes"),
    [
        (4, [GOOD, GOOD, HARM, MISSING]),  # half accept: no majority, and one who measured harm
        (4, [NEAR_ZERO, NEAR_ZERO, HARM, HARM]),  # honest machines on both sides of a cut
        (5, [HARM, HARM, GOOD]),  # two liars among the reports that somebody chose
        (3, [HARM, MISSING, GOOD]),  # one liar, helped by one who saw nothing
        (5, [HARM, MISSING, MISSING, GOOD, GOOD]),
        (4, [MISSING, MISSING, GOOD, GOOD]),
        (4, [FAULT, FAULT, GOOD, GOOD]),
    ],
)
def test_attack_a_minority_or_an_honest_difference_takes_no_part_of_a_bond(
    coordinators: int, votes: list[Vote]
) -> None:
    facts = some_facts(1, coordinators)
    for order in permutations(votes):
        (row,) = decide(facts, reports_of(facts, [[vote] for vote in order]))
        assert (row.verdict, row.reason) == (Verdict.SPARED, "disputed")


ZERO: Vote = (Verdict.EXCLUDED, "zero-delta", 0, 0)


@pytest.mark.parametrize(
    ("coordinators", "votes", "reason"),
    [
        (3, [HARM, HARM, GOOD], "harm"),
        (3, [ZERO, ZERO, MISSING], "zero-delta"),
        (3, [HARM, FAULT, GOOD], "harm"),
        (4, [ZERO, ZERO, MISSING, MISSING], "zero-delta"),  # junk served to some is junk
        (5, [MISSING, MISSING, MISSING, GOOD, GOOD], "unavailable"),  # a good one served to a minority
        (4, [FAULT, FAULT, MISSING, MISSING], "unavailable"),  # too few to prove the fault
    ],
)
def test_attack_junk_that_is_served_to_some_keeps_no_whole_bond(
    coordinators: int, votes: list[Vote], reason: str
) -> None:
    facts = some_facts(1, coordinators)
    for order in permutations(votes):
        (row,) = decide(facts, reports_of(facts, [[vote] for vote in order]))
        assert (row.verdict, row.reason) == (Verdict.EXCLUDED, reason)


def test_lower_median_of_an_even_number() -> None:
    facts = some_facts(1, 4)
    votes = [[(Verdict.ACCEPTED, "accepted", gain, 1_000)] for gain in (10, 20, 30, 40)]
    (decision,) = decide(facts, reports_of(facts, votes))
    assert decision.gain == 20


def test_attack_reports_that_do_not_add_up() -> None:
    facts = some_facts(3)
    good = reports_of(facts, [[GOOD] * 3] * 3)
    stranger = report_of(facts, account("stranger"), [GOOD] * 3)
    short = replace(good[0], scores=good[0].scores[1:])
    other_round = replace(good[0], round_id=type(facts.round_id)(8))
    other_digest = replace(
        good[0], scores=(replace(good[0].scores[0], digest=digest("x")), *good[0].scores[1:])
    )
    for reports in (
        (),
        good[:1],
        (good[0], good[0]),
        (good[0], stranger),
        (good[0], good[1], short),
        (other_round, good[1]),
        (other_digest, good[1]),
    ):
        with pytest.raises(Rejected) as refused:
            decide(facts, reports)
        assert refused.value.reason in ("bad-reports",)


# ------------------------------------------------------------------ the sheet


def a_sheet(votes: Any = None, **changes: Any) -> Any:
    facts = some_facts(4)
    reports = reports_of(facts, votes or [[GOOD, GOOD, FAULT, MISSING]] * 3)
    values: dict[str, Any] = {"model": NEW, "improvement": 30_000, "metrics": (("pi", 5),), **changes}
    spec = values.pop("spec", a_spec())
    return facts, derive_sheet(facts, spec, reports, **values)


def test_sheet_round_trip_check_and_pay() -> None:
    facts, sheet = a_sheet()
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, a_spec(), recover)
    paid = {row.digest: row.amount for row in sheet.rows}
    expected = 10**12 * 38_000
    assert [paid[item.digest] for item in facts.reveals] == [expected, expected, 0, 0]
    assert [fee.amount for fee in sheet.fees] == [10**15] * 3
    assert sheet.payout == 2 * expected + 3 * 10**15 <= facts.budget + facts.fee
    assert sheet.published
    assert sheet.accepted == tuple(sorted(item.digest for item in facts.reveals[:2]))


RULED = a_spec(update=UpdateRule("int8"))


def test_a_sheet_names_the_update_where_the_spec_has_a_rule_for_it() -> None:
    facts, plain = a_sheet()
    assert "update" not in document(encode_sheet(plain))
    facts, sheet = a_sheet(spec=RULED, update=digest("update"))
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, RULED, recover)
    _, withheld = a_sheet(spec=RULED, model=digest("base"), improvement=0)
    check_sheet(withheld, facts, RULED, recover)


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (RULED, {}),
        (a_spec(), {"update": digest("update")}),
        (RULED, {"update": digest("update"), "model": digest("base"), "improvement": 0}),
    ],
    ids=["rule without update", "update without rule", "update of a merge that was withheld"],
)
def test_attack_update_and_rule_contradict(spec: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        a_sheet(spec=spec, **changes)
    assert caught.value.reason == "bad-merge"
    facts, sheet = a_sheet(spec=RULED, update=digest("update"))
    forged = replace(
        sheet, update=changes.get("update"), **{k: v for k, v in changes.items() if k != "update"}
    )
    with pytest.raises(Rejected):
        check_sheet(forged, facts, spec, recover)


MENDING = a_spec(merge=MergeRule(drop_sigmas_milli=1000))


def test_a_dropped_delta_is_spared_and_unpaid_and_the_others_are_merged() -> None:
    facts, whole = a_sheet(spec=MENDING)
    first, second = (item.digest for item in facts.reveals[:2])
    facts, sheet = a_sheet(spec=MENDING, dropped=(first,))
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, MENDING, recover)
    assert (sheet.accepted, sheet.dropped, whole.dropped) == ((second,), (first,), ())
    rows, before = ({row.digest: row for row in item.rows} for item in (sheet, whole))
    assert (rows[first].verdict, rows[first].reason, rows[first].amount) == (Verdict.SPARED, "dropped", 0)
    assert (rows[first].gain, rows[first].stderr) == (before[first].gain, before[first].stderr)
    assert rows[second] == before[second]
    assert sheet.fees == whole.fees, "a coordinator measured it as the others did"
    with pytest.raises(Rejected, match=r"the row of .* says verdict"):
        check_sheet(replace(sheet, dropped=()), facts, MENDING, recover)


def test_a_sheet_names_what_was_dropped_in_the_order_in_which_it_left() -> None:
    facts = some_facts(4)
    first, second = (item.digest for item in facts.reveals[:2])
    for order in ((first, second), (second, first)):
        _, sheet = a_sheet([[GOOD] * 4] * 3, spec=MENDING, dropped=order)
        assert decode_sheet(encode_sheet(sheet)).dropped == order


@pytest.mark.parametrize(
    ("spec", "places", "changes"),
    [
        (a_spec(), (0,), {}),
        (MENDING, (2,), {}),
        (MENDING, (0, 1), {}),
        (MENDING, (0, 0), {}),
        (MENDING, (0,), {"model": digest("base"), "improvement": 0}),
    ],
    ids=["no rule", "not accepted", "all", "twice", "withheld"],
)
def test_attack_a_sheet_drops_what_it_may_not(spec: Any, places: Any, changes: dict[str, Any]) -> None:
    dropped = tuple(some_facts(4).reveals[place].digest for place in places)
    with pytest.raises(Rejected) as caught:
        a_sheet(spec=spec, dropped=dropped, **changes)
    assert caught.value.reason == "bad-merge"


def test_attack_a_round_of_junk_is_hashed_once_for_all_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand excluded deltas would else cost whoever shows their rows six minutes, at every try."""
    _, sheet = a_sheet()
    each = {leaf.account: sheet.leaf_of(leaf.account) for leaf in sheet.leaves}
    hashed: list[object] = []

    def counted(round_id: int, leaf: Leaf) -> bytes:
        hashed.append(leaf)
        return result_leaf(round_id, leaf)

    monkeypatch.setattr(sheet_module, "result_leaf", counted)
    assert sheet.proven([*each, account("nobody")]) == each
    assert len(hashed) == len(sheet.leaves)


def test_every_account_of_a_sheet_can_prove_its_leaf() -> None:
    facts, sheet = a_sheet()
    for who in (*(item.solver for item in facts.reveals), *facts.members):
        leaf, proof = sheet.leaf_of(who)
        assert leaf.account == who
        assert verify_proof(sheet.root, result_leaf(facts.round_id, leaf), proof)
    assert sheet.leaf_of(account("nobody")) is None
    verdicts = [leaf.verdict for leaf in sheet.leaves]
    assert verdicts[-3:] == [Verdict.FEE] * 3


def test_a_withheld_merge_pays_fees_only() -> None:
    facts, sheet = a_sheet(model=digest("base"), improvement=0, note="no improvement")
    assert not sheet.published
    assert sheet.payout == facts.fee
    assert all(row.amount == 0 for row in sheet.rows)


def test_budget_caps_the_sum() -> None:
    facts = some_facts(4, budget=10**15)
    sheet = derive_sheet(facts, a_spec(), reports_of(facts, [[GOOD] * 4] * 3), model=NEW, improvement=1)
    assert sum(row.amount for row in sheet.rows) == 10**15


@pytest.mark.parametrize(("model", "improvement"), [(NEW, 0), (NEW, -1), (digest("base"), 1)])
def test_attack_model_and_improvement_contradict(model: Any, improvement: int) -> None:
    with pytest.raises(Rejected, match="improvement"):
        a_sheet(model=model, improvement=improvement)


def test_attack_new_model_out_of_nothing() -> None:
    with pytest.raises(Rejected, match="accepted"):
        a_sheet([[HARM] * 4] * 3)


def test_attack_forged_sheets() -> None:
    facts, sheet = a_sheet()
    spec = a_spec()
    rows = (replace(sheet.rows[0], amount=sheet.rows[0].amount + 1), *sheet.rows[1:])
    forged = [
        replace(sheet, rows=rows),
        replace(sheet, rows=sheet.rows[1:]),
        replace(sheet, payout=sheet.payout + 1),
        replace(sheet, root=bytes(32)),
        replace(sheet, fees=sheet.fees[:1]),
        replace(sheet, base=digest("other")),
        replace(sheet, shard=digest("other")),
        replace(sheet, chain_id=1),
        replace(sheet, reports=tuple(reversed(sheet.reports))),
    ]
    for lie in forged:
        with pytest.raises(Rejected) as refused:
            check_sheet(lie, facts, spec, recover)
        assert refused.value.reason in ("sheet-mismatch", "bad-merge")
    report = sheet.reports[0]
    raised = replace(report, scores=tuple(replace(score, stderr=0) for score in report.scores))
    liar = derive_sheet(facts, spec, (raised, *sheet.reports[1:]), model=NEW, improvement=30_000)
    with pytest.raises(Rejected) as unsigned:
        check_sheet(liar, facts, spec, recover)
    assert unsigned.value.reason == "bad-signature"


def test_attack_a_forged_payout_is_named_with_its_solver_and_what_is_due() -> None:
    """An inflated amount, with the root and the sum that go with it: what a quorum that agrees would sign."""
    facts, sheet = a_sheet()
    first, due = sheet.rows[0], sheet.rows[0].amount
    rows = (replace(first, amount=due + 7), *sheet.rows[1:])
    fees = tuple(replace(fee, amount=fee.amount + 1) for fee in sheet.fees)
    for lie, named in (
        (replace(sheet, rows=rows), f"the row of {first.solver} says amount {due + 7}, not {due}"),
        (replace(sheet, rows=sheet.rows[1:]), f"the row of {first.solver} is missing"),
        (replace(sheet, rows=(*sheet.rows, first)), "rows stand twice or in another order"),
        (replace(sheet, fees=fees), f"the fee of {sheet.fees[0].coordinator} says amount"),
        (
            replace(sheet, fees=(*sheet.fees, replace(sheet.fees[0], coordinator=account(9)))),
            f"the fee of {account(9)} is due to nobody",
        ),
    ):
        leaves = leaves_of(lie.rows, lie.fees)
        root = merkle_root([result_leaf(facts.round_id, leaf) for leaf in leaves])
        forged = replace(lie, root=root, payout=sum(leaf.amount for leaf in leaves))
        with pytest.raises(Rejected) as refused:
            check_sheet(forged, facts, a_spec(), recover)
        assert refused.value.reason == "sheet-mismatch"
        assert named in refused.value.message


def test_fee_only_for_scores_near_the_median() -> None:
    facts = some_facts(2)
    off = (Verdict.ACCEPTED, "accepted", 60_000, 2_000)
    near = (Verdict.ACCEPTED, "accepted", 41_500, 2_000)
    for votes, paid in (
        ([[GOOD, GOOD], [GOOD, near], [GOOD, off]], 2),
        ([[GOOD, GOOD], [GOOD, GOOD], [GOOD, MISSING]], 3),
        ([[GOOD, GOOD], [GOOD, GOOD], [MISSING, MISSING]], 2),
        ([[GOOD, FAULT], [GOOD, FAULT], [GOOD, GOOD]], 2),
    ):
        sheet = derive_sheet(facts, a_spec(), reports_of(facts, votes), model=NEW, improvement=1)
        assert len(sheet.fees) == paid, votes
        assert {fee.amount for fee in sheet.fees} == {facts.fee // 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("improvement", MAX_GAIN + 1),
        ("payout", 5),
        ("payout", str(1 << 128)),
        ("note", "\n"),
        ("rows", [{}]),
        ("rows", "x"),
        ("fees", [1]),
        ("reports", [None]),
        ("reports", [{}] * 33),
        ("root", "0x" + "00" * 31),
        ("chain_id", 31337),
    ],
)
def test_attack_sheet_fields_out_of_bounds(field: str, value: Any) -> None:
    _, sheet = a_sheet()
    tree = document(encode_sheet(sheet))
    tree[field] = value
    with pytest.raises(Rejected):
        decode_sheet(canonical_json(tree))
