"""Who earns a coordinator's fee where scores are committed to first: not who copies, nor who says less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.openings import HeardCommitment, Opening
from jepanet.protocol.documents.score_commitments import (
    check_opening,
    commitment_of,
    in_order,
    opening_message,
)
from jepanet.protocol.documents.scores import (
    MAX_REPORT_BYTES,
    Among,
    ScoreReport,
    decode_report,
    encode_report,
)
from jepanet.protocol.documents.spec import MergeRule
from jepanet.protocol.documents.typed_data import score_commitment_data
from jepanet.protocol.settling.in_time import in_time
from jepanet.protocol.settling.sheet import ScoreSheet, check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.types import Address, Verdict
from round_samples import (
    CHAIN,
    CONTRACT,
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
    sign,
    some_facts,
)

pytestmark = pytest.mark.unit

OPEN = a_spec()
SPEC = a_spec(committed_scores=True)
FACTS = some_facts(3, 3)
A, B, C = FACTS.members
ROUND = [GOOD, (Verdict.ACCEPTED, "accepted", 30_000, 2_000), HARM]


def salt_of(who: Address, number: int = 0) -> bytes:
    return digest(f"salt {who} {number}")


def commits(report: ScoreReport, salt: bytes | None = None) -> HeardCommitment:
    """What a coordinator says before it opens."""
    word = commitment_of(report, salt or salt_of(report.coordinator), CHAIN, CONTRACT)
    typed = score_commitment_data(CHAIN, CONTRACT, round_id=report.round_id, commitment=word)
    return HeardCommitment(report.coordinator, word, sign(typed, report.coordinator))


def opens(report: ScoreReport, heard: Sequence[HeardCommitment], salt: bytes | None = None) -> ScoreReport:
    """The report with its opening; of what it is given, what is its own is left out."""
    others = in_order([item for item in heard if item.coordinator != report.coordinator])
    said = replace(report, opening=Opening(salt or salt_of(report.coordinator), others, bytes(65)))
    assert said.opening is not None
    signature = sign(opening_message(said, CHAIN, CONTRACT), report.coordinator)
    return replace(said, opening=replace(said.opening, signature=signature))


def honest(votes: Mapping[Address, Sequence[Vote]], facts: RoundFacts = FACTS) -> list[ScoreReport]:
    """All commit, all hear all, all open."""
    reports = [report_of(facts, who, row) for who, row in votes.items()]
    heard = [commits(item) for item in reports]
    return [opens(item, heard) for item in reports]


def sheet_of(reports: Sequence[ScoreReport], facts: RoundFacts = FACTS, spec: Any = SPEC) -> ScoreSheet:
    sheet = derive_sheet(facts, spec, reports, model=digest("merged"), improvement=1)
    check_sheet(decode_sheet(encode_sheet(sheet)), facts, spec, recover)
    return sheet


def paid(reports: Sequence[ScoreReport], facts: RoundFacts = FACTS, spec: Any = SPEC) -> set[Address]:
    return {item.coordinator for item in sheet_of(reports, facts, spec).fees}


# ------------------------------------------------------------------ copying


def test_all_who_commit_in_time_are_paid() -> None:
    assert paid(honest(dict.fromkeys(FACTS.members, ROUND))) == {A, B, C}


def test_attack_numbers_that_were_read_and_not_measured_are_paid_where_nobody_commits() -> None:
    """What the rule is for: the copier signs what the first to open says, and has its fee for nothing."""
    measured = [report_of(FACTS, who, ROUND) for who in (A, B)]
    copy = report_of(FACTS, C, ROUND)
    assert paid([*measured, copy], spec=OPEN) == {A, B, C}


def test_attack_who_copies_what_was_opened_is_not_paid() -> None:
    measured = [report_of(FACTS, who, ROUND) for who in (A, B)]
    heard = [commits(item) for item in measured]
    opened = [opens(item, heard) for item in measured]  # late, since C was waited for
    copy = opens(report_of(FACTS, C, ROUND), heard)
    assert paid([*opened, copy]) == {A, B}
    assert paid([*opened, replace(copy, opening=None)]) == {A, B}


def test_attack_who_commits_to_anything_and_opens_a_copy_is_not_paid() -> None:
    measured = [report_of(FACTS, who, ROUND) for who in (A, B)]
    anything = commits(report_of(FACTS, C, [MISSING] * 3))
    heard = [*(commits(item) for item in measured), anything]
    opened = [opens(item, heard) for item in measured]
    copy = opens(report_of(FACTS, C, ROUND), heard)
    assert paid([*opened, copy]) == {A, B}


def test_attack_who_commits_to_one_thing_with_each_is_not_paid() -> None:
    """C makes A open at once by committing to anything, and tells B what it has read from A."""
    first, second = (report_of(FACTS, who, ROUND) for who in (A, B))
    anything, copy = commits(report_of(FACTS, C, [MISSING] * 3)), report_of(FACTS, C, ROUND)
    both = [commits(first), commits(second)]
    opened = [opens(first, [*both, anything]), opens(second, [*both, commits(copy)])]
    assert paid([*opened, opens(copy, both)]) == {A, B}


def test_attack_a_liar_that_lists_nobody_takes_no_fee_from_the_others() -> None:
    reports = honest(dict.fromkeys(FACTS.members, ROUND))
    silent = opens(report_of(FACTS, C, ROUND), [])
    assert paid([*reports[:2], silent]) == {A, B, C}


def test_attack_a_picked_pair_of_reports_takes_nobodys_fee() -> None:
    first, second = honest(dict.fromkeys((A, B), ROUND))
    silent = opens(report_of(FACTS, C, ROUND), [])
    for mine in (first, second):
        assert mine.coordinator in paid([mine, silent])


def test_where_nobody_was_in_time_all_who_opened_are_paid() -> None:
    late = [opens(report_of(FACTS, who, ROUND), []) for who in FACTS.members]
    assert paid(late) == {A, B, C}
    assert paid([*late[:2], replace(late[2], opening=None)]) == {A, B}


def test_attack_a_liar_lends_a_copier_its_word_in_vain() -> None:
    facts = some_facts(3, 5)
    *measured, liar, copier = (report_of(facts, who, ROUND) for who in facts.members)
    heard = [commits(item) for item in (*measured, liar)]
    opened = [opens(item, heard) for item in measured]
    lent = opens(liar, [*heard, commits(copier)])
    assert paid([*opened, lent, opens(copier, heard)], facts) == set(facts.members[:4])


def test_a_silent_or_late_one_costs_the_others_nothing_and_still_counts_for_the_medians() -> None:
    reports = [report_of(FACTS, who, ROUND) for who in FACTS.members]
    heard = [commits(item) for item in reports[:2]]
    opened = [opens(item, heard) for item in reports]
    assert paid(opened[:2]) == {A, B}
    sheet = sheet_of(opened)
    assert {item.coordinator for item in sheet.fees} == {A, B} and len(sheet.reports) == 3


def test_one_coordinator_alone_copies_from_nobody() -> None:
    facts = some_facts(3, 1)
    assert paid(honest(dict.fromkeys(facts.members, ROUND), facts), facts) == set(facts.members)


# ------------------------------------------------------------------ forging


def test_attack_a_commitment_that_nobody_signed_is_no_evidence() -> None:
    report = report_of(FACTS, A, ROUND)
    forged = replace(commits(report_of(FACTS, C, ROUND)), commitment=digest("other"))
    with pytest.raises(Rejected) as refused:
        check_opening(opens(report, [forged]), CHAIN, CONTRACT, recover)
    assert refused.value.reason == "bad-signature"
    of_b = replace(commits(report_of(FACTS, B, ROUND)), coordinator=C)
    with pytest.raises(Rejected, match="was signed by"):
        check_opening(opens(report, [of_b]), CHAIN, CONTRACT, recover)


def test_attack_an_opening_with_other_scores_salt_or_list_is_refused() -> None:
    report = opens(report_of(FACTS, A, ROUND), [commits(report_of(FACTS, B, ROUND))])
    check_opening(report, CHAIN, CONTRACT, recover)
    assert report.opening is not None
    for changed in (
        replace(report, opening=replace(report.opening, salt=salt_of(A, 1))),
        replace(report, opening=replace(report.opening, heard=())),
        replace(report, scores=report_of(FACTS, A, [HARM] * 3).scores),
    ):
        with pytest.raises(Rejected):
            check_opening(changed, CHAIN, CONTRACT, recover)


def test_attack_another_round_chain_or_author_makes_another_commitment() -> None:
    report, salt = report_of(FACTS, A, ROUND), salt_of(A)
    words = {
        commitment_of(report, salt, CHAIN, CONTRACT),
        commitment_of(report, salt, CHAIN + 1, CONTRACT),
        commitment_of(report, salt, CHAIN, account("elsewhere")),
        commitment_of(report, salt_of(A, 1), CHAIN, CONTRACT),
        commitment_of(replace(report, coordinator=B), salt, CHAIN, CONTRACT),
        commitment_of(replace(report, round_id=type(report.round_id)(8)), salt, CHAIN, CONTRACT),
    }
    assert len(words) == 6


def test_notes_beside_the_scores_are_no_part_of_what_is_committed_to() -> None:
    report = report_of(FACTS, A, ROUND)
    noted = replace(report, scores=tuple(replace(item, detail="a note") for item in report.scores))
    assert commits(report) == commits(noted), "a report too large for a message loses its notes"


def test_an_opening_is_read_as_it_was_written_and_its_list_has_one_order() -> None:
    report = honest(dict.fromkeys(FACTS.members, ROUND))[0]
    assert decode_report(encode_report(report)) == report
    assert report.opening is not None
    turned = replace(report, opening=replace(report.opening, heard=report.opening.heard[::-1]))
    for wrong in (turned, replace(report, opening=replace(report.opening, heard=(commits(report),)))):
        with pytest.raises(Rejected):
            encode_report(wrong)


def test_the_fullest_report_fits_one_message() -> None:
    facts = some_facts(1024, 32)
    worst: Vote = (Verdict.ACCEPTED, "x" * 32, -(10**9), 10**9)
    report = report_of(facts, facts.members[0], [worst] * 1024)
    among = Among(1023, -(10**9), 10**9)
    scores = tuple(replace(item, audit=digest("audit"), among=among) for item in report.scores)
    report = replace(report, scores=scores)
    heard = [
        HeardCommitment(who, bytes([n]) * 32, b"\xff" * 65) for who in facts.members[1:] for n in range(2)
    ]
    assert len(encode_report(opens(report, heard))) <= MAX_REPORT_BYTES


def test_a_report_without_an_opening_says_what_it_always_said() -> None:
    assert b"opening" not in encode_report(report_of(FACTS, A, ROUND))
    assert not in_time([report_of(FACTS, A, ROUND)], 3, CHAIN, CONTRACT)


# ------------------------------------------------------------------ saying less, and saying more


def changed(vote: Vote, **changes: Any) -> Vote:
    verdict, reason, gain, stderr = vote
    return (
        changes.get("verdict", verdict), changes.get("reason", reason),
        gain + changes.get("gain", 0), stderr + changes.get("stderr", 0),
    )  # fmt: skip


LIES: dict[str, Vote] = {
    "a gain below the median": changed(GOOD, gain=-2_001),
    "a gain above the median": changed(GOOD, gain=2_001),
    "an error above the median": changed(GOOD, stderr=2_001),
    "an error below the median": changed((Verdict.ACCEPTED, "accepted", 40_000, 5_000), stderr=-5_000),
    "harm, of what all others accept": changed(GOOD, verdict=Verdict.EXCLUDED, reason="harm"),
    "a guard, of what all others accept": changed(GOOD, verdict=Verdict.EXCLUDED, reason="state-guard"),
}
PAID_BEFORE = ("an error", "harm", "a guard")
"""Of those, what earned its fee where scores are not committed to."""


@pytest.mark.parametrize("lie", LIES)
def test_attack_a_minority_that_says_less_is_unpaid_as_one_that_says_more(lie: str) -> None:
    true = (Verdict.ACCEPTED, "accepted", 40_000, 5_000) if lie == "an error below the median" else GOOD
    votes = {A: [true, *ROUND[1:]], B: [true, *ROUND[1:]], C: [LIES[lie], *ROUND[1:]]}
    assert paid(honest(votes)) == {A, B}
    before = {A, B, C} if lie.startswith(PAID_BEFORE) else {A, B}
    assert paid([report_of(FACTS, who, row) for who, row in votes.items()], spec=OPEN) == before


def test_attack_accepting_what_all_others_exclude_earns_nothing() -> None:
    guarded: Vote = (Verdict.EXCLUDED, "state-guard", 40_000, 2_000)
    votes = {A: [guarded, *ROUND[1:]], B: [guarded, *ROUND[1:]], C: ROUND}
    assert paid(honest(votes)) == {A, B}


def test_honest_machines_on_both_sides_of_a_cut_are_all_paid() -> None:
    """Harm is told by gains below zero, where a delta is worth nothing either way; a dispute is nobody's."""
    weak: Vote = (Verdict.ACCEPTED, "accepted", -500, 200)
    harm: Vote = (Verdict.EXCLUDED, "harm", -700, 200)
    votes = {A: [GOOD, GOOD, weak], B: [GOOD, GOOD, harm], C: [GOOD, GOOD, harm]}
    assert paid(honest(votes)) == {A, B, C}
    facts = some_facts(3, 4)
    torn: Vote = (Verdict.EXCLUDED, "state-guard", 40_000, 2_000)
    split = dict(
        zip(facts.members, ([GOOD] * 3, [GOOD] * 3, [torn, GOOD, GOOD], [torn, GOOD, GOOD]), strict=True)
    )
    assert paid(honest(split, facts), facts) == set(facts.members)


def test_what_could_not_be_fetched_is_held_against_nobody_up_to_half() -> None:
    votes = {A: ROUND, B: ROUND, C: [MISSING, *ROUND[1:]]}
    assert paid(honest(votes)) == {A, B, C}
    assert paid(honest({**votes, C: [MISSING, MISSING, HARM]})) == {A, B}


def test_a_delta_dropped_from_the_merge_was_accepted_by_its_coordinators() -> None:
    spec = a_spec(committed_scores=True, merge=MergeRule(drop_sigmas_milli=1000))
    reports = honest({who: [GOOD, GOOD, FAULT] for who in FACTS.members})
    first = next(item.digest for item in FACTS.reveals if item.index == 0)
    sheet = derive_sheet(FACTS, spec, reports, model=digest("merged"), improvement=1, dropped=[first])
    assert {item.coordinator for item in sheet.fees} == {A, B, C}


def test_attack_an_opening_that_nobody_signed_spoils_its_sheet() -> None:
    """Who heard whom decides on fees: a list that its author did not sign is in no honest sheet."""
    reports = honest(dict.fromkeys(FACTS.members, ROUND))
    said = reports[0].opening
    assert said is not None
    forged = replace(reports[0], opening=replace(said, heard=(), signature=said.signature))
    for lie in (forged, replace(reports[0], opening=replace(said, signature=bytes(65)))):
        sheet = derive_sheet(FACTS, SPEC, [lie, *reports[1:]], model=digest("merged"), improvement=1)
        with pytest.raises(Rejected) as refused:
            check_sheet(sheet, FACTS, SPEC, recover)
        assert refused.value.reason == "bad-signature"
