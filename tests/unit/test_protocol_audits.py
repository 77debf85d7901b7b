"""What an audit costs whom: a delta that is not made as it says, and a coordinator that did not look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents import typed_data
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    MAX_GAIN,
    MAX_REPORT_BYTES,
    ScoreReport,
    decode_report,
    encode_report,
    score_message,
)
from jepanet.protocol.documents.spec import AuditRule, RoundSpec, decode_spec, encode_spec
from jepanet.protocol.settling.audit_draw import is_drawn
from jepanet.protocol.settling.audit_reports import check_audits
from jepanet.protocol.settling.audit_words import FoundSegment, audit_finding, audit_word, near_findings
from jepanet.protocol.settling.rows import pay
from jepanet.protocol.settling.sheet import check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RoundFacts, decide, drawn_solvers
from jepanet.types import Address, Digest, RoundId, Verdict
from round_samples import GOOD, MISSING, Vote, a_spec, account, digest, recover, report_of, sign, some_facts

pytestmark = pytest.mark.unit

WRONG: Vote = (Verdict.INVALID, "not-reproduced", 0, 0)
FAILED: Vote = (Verdict.EXCLUDED, "not-audited", 0, 0)
SHUT: Vote = (Verdict.INVALID, "not-opened", 0, 0)
SPEC = a_spec(audit=AuditRule(8, 1000))
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signatures.json").read_text())


def facts_with(solvers: int = 2, coordinators: int = 3) -> RoundFacts:
    return replace(some_facts(solvers, coordinators), beacon=5)


def report(
    facts: RoundFacts, who: Address, votes: list[Vote], audits: Mapping[Address, Digest] | None = None
) -> ScoreReport:
    """`audits` None: of every solver the true word, as far as the vote owes one."""
    plain = report_of(facts, who, votes)
    scores = []
    for score in plain.scores:
        owed = score.reason in ("accepted", "not-reproduced")
        said = word(facts, score.solver, who) if owed else None
        audit = said if audits is None else audits.get(score.solver)
        score = replace(score, audit=audit)
        typed = score_message(facts.chain_id, facts.contract, facts.round_id, score)
        scores.append(replace(score, signature=sign(typed, who)))
    return replace(plain, scores=tuple(scores))


def word(facts: RoundFacts, solver: Address, who: Address) -> Digest:
    return audit_word(audit_finding(facts.round_id, solver, [FoundSegment(0, (1.0,), None)]), who)


def fees(facts: RoundFacts, reports: list[ScoreReport], spec: RoundSpec = SPEC) -> set[Address]:
    _, paid = pay(facts, spec, reports, decide(facts, reports), published=True)
    return {fee.coordinator for fee in paid}


# ------------------------------------------------------------------ documents


def test_a_rule_without_a_chance_keeps_its_bytes() -> None:
    plain = a_spec(audit=AuditRule(8))
    assert b'"audit":{"segments":8}' in encode_spec(plain)
    assert decode_spec(encode_spec(SPEC)) == SPEC
    assert encode_spec(SPEC) != encode_spec(plain)


def test_a_score_without_an_audit_is_signed_as_it_always_was() -> None:
    facts = facts_with(1)
    (score,) = report_of(facts, facts.members[0], [GOOD]).scores
    typed = score_message(facts.chain_id, facts.contract, facts.round_id, score)
    assert "audit" not in typed["message"]
    audited = replace(score, audit=digest("word"))
    signed = score_message(facts.chain_id, facts.contract, facts.round_id, audited)
    assert typed_data.signing_hash(signed) != typed_data.signing_hash(typed)


def test_attack_an_audit_is_taken_out_of_a_signed_score_or_exchanged() -> None:
    facts = facts_with(1)
    honest = report(facts, facts.members[0], [GOOD])
    for audit in (None, digest("another")):
        forged = replace(honest, scores=(replace(honest.scores[0], audit=audit),))
        with pytest.raises(Rejected):
            sheet = derive_sheet(facts, SPEC, [forged, report(facts, facts.members[1], [GOOD])],
                                 model=digest("new"), improvement=5)  # fmt: skip
            check_sheet(sheet, facts, SPEC, recover)


def test_audited_scores_survive_their_documents() -> None:
    facts = facts_with(3)
    reports = [report(facts, who, [GOOD, WRONG, SHUT]) for who in facts.members]
    assert decode_report(encode_report(reports[0])) == reports[0]
    sheet = derive_sheet(facts, SPEC, reports, model=digest("new"), improvement=5)
    assert decode_sheet(encode_sheet(sheet)) == sheet
    check_sheet(sheet, facts, SPEC, recover)


def test_reports_of_full_rounds_of_drawn_solvers_fit_a_message() -> None:
    facts = facts_with(MAX_DELTAS)
    votes = [(Verdict.ACCEPTED, "a" * 32, -MAX_GAIN, MAX_GAIN)] * MAX_DELTAS
    everybody = {item.solver: digest("word") for item in facts.reveals}
    assert len(encode_report(report(facts, facts.members[0], votes, everybody))) <= MAX_REPORT_BYTES


def test_vectors_of_scores_and_words() -> None:
    for case in VECTORS["scores"]:
        typed = typed_data.score_data(
            int(case["chainId"]), Address(case["contract"]), round_id=int(case["roundId"]),
            solver=Address(case["solver"]), digest=_raw(case["digest"]),
            verdict=Verdict(int(case["verdict"])), reason=case["reason"], gain=int(case["gain"]),
            stderr=int(case["stderr"]), audit=_raw(case["audit"]) if "audit" in case else None,
        )  # fmt: skip
        assert typed_data.signing_hash(typed) == _raw(case["signed"])
    for case in VECTORS["audits"]:
        losses = tuple(float.fromhex(loss) for loss in case["losses"])
        segments = [FoundSegment(0, losses, None), FoundSegment(7, losses, "weights")]
        finding = audit_finding(RoundId(int(case["roundId"])), Address(case["solver"]), segments)
        assert finding == _raw(case["finding"])
        assert audit_word(finding, Address(case["auditor"])) == _raw(case["word"])


def test_a_word_says_whose_it_is_and_all_that_was_found() -> None:
    solver, other = account("solver"), account("other")
    told = FoundSegment(3, (0.5, 1.5), None)
    cases = [
        (RoundId(1), solver, [told]),
        (RoundId(2), solver, [told]),
        (RoundId(1), other, [told]),
        (RoundId(1), solver, [replace(told, number=4)]),
        (RoundId(1), solver, [replace(told, losses=(0.5,))]),
        (RoundId(1), solver, [replace(told, losses=(0.5, 1.5000000000000002))]),
        (RoundId(1), solver, [replace(told, differs="weights")]),
        (RoundId(1), solver, [told, told]),
        (RoundId(1), solver, []),
    ]
    findings = {audit_finding(*case) for case in cases}
    assert len(findings) == len(cases)
    finding = audit_finding(*cases[0])
    assert audit_word(finding, solver) != audit_word(finding, other)


def test_words_of_other_builds_meet_and_guesses_do_not() -> None:
    """Losses that differ in the seventh digit; the borders of steps are met by both neighbours."""
    place, random = (RoundId(3), account("solver")), np.random.default_rng(1)
    most = 0
    for _ in range(200):
        losses = random.uniform(0.01, 8, 18)
        here = near_findings(*place, [FoundSegment(0, tuple(losses), None)])
        other = losses * (1 + random.uniform(-3e-7, 3e-7, 18))
        there = near_findings(*place, [FoundSegment(0, tuple(other), "weights")])
        assert there[0] in here and here[0] in there, "what differs is for the verdict"
        guess = losses * (1 + random.choice([-1, 1], 18) * 1e-3)
        assert not {*near_findings(*place, [FoundSegment(0, tuple(guess), None)])} & {*here}
        most = max(most, len(here))
    assert 1 < most <= 64, "some lay on a border"
    on_all = near_findings(*place, [FoundSegment(0, (2 ** (0.5 / 1024),) * 64, None)])
    assert len(on_all) == 1024, "a solver cannot make it much work"
    odd = (0.0, -1.0, float("nan"), float("inf"), 5e-324)
    assert len(near_findings(*place, [FoundSegment(0, odd, None)])) >= 1
    one, two = (
        near_findings(RoundId(3), account(who), [FoundSegment(0, (1.0,), None)]) for who in ("a", "b")
    )
    assert one != two


# ------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("found", [WRONG, SHUT])
def test_what_an_audit_finds_costs_the_whole_bond(found: Vote) -> None:
    facts = facts_with(2)
    reports = [report(facts, who, [found, GOOD]) for who in facts.members[:2]]
    sheet = derive_sheet(facts, SPEC, reports, model=digest("new"), improvement=5)
    rows = {row.solver: row for row in sheet.rows}
    row = rows[facts.reveals[0].solver]
    assert (row.verdict, row.reason, row.amount) == (Verdict.INVALID, found[1], 0)
    assert rows[facts.reveals[1].solver].amount > 0


def test_fewer_than_the_threshold_take_no_bond() -> None:
    facts = facts_with(1)
    for found in (WRONG, SHUT):
        votes = [[found], [GOOD], [GOOD]]
        reports = [report(facts, who, row) for who, row in zip(facts.members, votes, strict=True)]
        (decision,) = decide(facts, reports)
        assert decision.verdict is Verdict.ACCEPTED


def test_a_solver_at_whose_audit_machines_failed_is_spared_and_costs_nobody_a_fee() -> None:
    facts = facts_with(2)
    reports = [report(facts, who, [FAILED, GOOD]) for who in facts.members[:2]]
    sheet = derive_sheet(facts, SPEC, reports, model=digest("new"), improvement=5)
    rows = {row.solver: row for row in sheet.rows}
    row = rows[facts.reveals[0].solver]
    assert (row.verdict, row.reason, row.amount) == (Verdict.SPARED, "not-audited", 0)
    assert fees(facts, reports) == set(facts.members[:2])
    check_sheet(sheet, facts, SPEC, recover)


def test_attack_a_cheat_at_whose_audit_some_machines_fail_is_found_by_the_others() -> None:
    facts = facts_with(1, 5)
    for failed in (0, 1, 2):
        votes = [FAILED] * failed + [WRONG] * (5 - failed)
        reports = [report(facts, who, [vote]) for who, vote in zip(facts.members, votes, strict=True)]
        (decision,) = decide(facts, reports)
        assert (decision.verdict, decision.reason) == (Verdict.INVALID, "not-reproduced")


def test_what_opens_to_some_alone_is_settled_without_a_word_from_the_others() -> None:
    """Of four, three sign. Two could not open it, two could: nobody's word stands against the solver."""
    facts = replace(facts_with(1, 4), threshold=3)
    reports = [
        report(facts, who, [vote]) for who, vote in zip(facts.members, (SHUT, SHUT, GOOD, GOOD), strict=True)
    ]
    (decision,) = decide(facts, reports)
    assert (decision.verdict, decision.reason) == (Verdict.SPARED, "disputed")


@pytest.mark.parametrize("found", [WRONG, SHUT, FAILED])
@pytest.mark.parametrize("rule", [None, AuditRule(8), AuditRule(8, 1)])
def test_attack_an_audit_of_somebody_who_was_not_drawn(found: Vote, rule: AuditRule | None) -> None:
    facts, spec = facts_with(1), a_spec(audit=rule)
    assert not is_drawn(rule, facts.beacon, facts.round_id, facts.reveals[0].solver)
    reports = [report(facts, who, [found]) for who in facts.members]
    with pytest.raises(Rejected, match="not drawn"):
        check_audits(facts.round_id, drawn_solvers(facts, spec), reports)
    with pytest.raises(Rejected, match="not drawn"):
        derive_sheet(facts, spec, reports, model=facts.base, improvement=0)


def test_attack_a_word_on_somebody_who_was_not_drawn() -> None:
    facts = facts_with(1)
    with pytest.raises(Rejected, match="not drawn"):
        check_audits(facts.round_id, (), [report(facts, facts.members[0], [GOOD])])
    check_audits(facts.round_id, (), [report(facts, facts.members[0], [GOOD], {})])


# ------------------------------------------------------------------ fees


def test_a_report_without_the_audits_that_it_owes_earns_nothing() -> None:
    facts = facts_with(2)
    honest = [report(facts, who, [GOOD, WRONG]) for who in facts.members[:2]]
    last = facts.members[2]
    assert fees(facts, [*honest, report(facts, last, [GOOD, WRONG])]) == set(facts.members)
    for left in ({}, {facts.reveals[0].solver: digest("word")}, {facts.reveals[1].solver: digest("word")}):
        assert fees(facts, [*honest, report(facts, last, [GOOD, WRONG], left)]) == set(facts.members[:2])


def test_attack_a_coordinator_that_calls_every_drawn_training_shut() -> None:
    facts = facts_with(4)
    honest = [report(facts, who, [GOOD] * 4) for who in facts.members[:2]]
    last = facts.members[2]
    assert last not in fees(facts, [*honest, report(facts, last, [SHUT] * 4)])
    assert last not in fees(facts, [*honest, report(facts, last, [GOOD, SHUT, SHUT, SHUT])])
    # What it missed by no fault of its own is not held against it.
    assert last in fees(facts, [*honest, report(facts, last, [GOOD, GOOD, GOOD, SHUT])])


def test_attack_a_few_drawn_ones_are_called_shut_among_many_that_are_not() -> None:
    facts, rule = facts_with(12), AuditRule(8, 250)
    drawn = [is_drawn(rule, facts.beacon, facts.round_id, item.solver) for item in facts.reveals]
    assert 2 <= sum(drawn) < 6
    spec, nothing = a_spec(audit=rule), {}
    words = {item.solver: digest("word") for item, one in zip(facts.reveals, drawn, strict=True) if one}
    honest = [report(facts, who, [GOOD] * 12, words) for who in facts.members[:2]]
    idle = report(facts, facts.members[2], [SHUT if one else GOOD for one in drawn], nothing)
    assert fees(facts, [*honest, idle], spec) == set(facts.members[:2])


def test_what_nobody_could_open_is_nobodys_lack() -> None:
    facts = facts_with(3)
    reports = [report(facts, who, [GOOD, GOOD, SHUT]) for who in facts.members]
    assert fees(facts, reports) == set(facts.members)


def test_a_fault_of_form_needs_no_audit() -> None:
    facts = facts_with(2)
    reports = [report(facts, who, [GOOD, (Verdict.INVALID, "malformed", 0, 0)]) for who in facts.members]
    assert fees(facts, reports) == set(facts.members)
    missed = [report(facts, who, [GOOD, MISSING]) for who in facts.members]
    assert fees(facts, missed) == set(facts.members)


def _raw(text: Any) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
