"""Attack: junk beside honest work dilutes what it is paid for. Pay is at the share of what is merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import Among, ScoreReport, SignedScore, decode_report, encode_report
from jepanet.protocol.documents.spec import MergeRule, encode_spec
from jepanet.protocol.settling.shares import agrees, as_one_of, second_numbers
from jepanet.protocol.settling.sheet import ScoreSheet, check_sheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.types import Verdict
from round_samples import GOOD, MISSING, Vote, a_spec, digest, recover, reports_of, resigned, some_facts

pytestmark = pytest.mark.unit

RULED = a_spec(price=1, pay_as_merged=True, merge=MergeRule(drop_sigmas_milli=1000))
NEW = digest("new model")
HONEST, JUNK = 4, 40


@dataclass(frozen=True)
class Delta:
    """gain(s) = slope s - bend s^2, in micro-nats."""

    slope: int = 120_000
    bend: int = 40_000

    def gain(self, count: int) -> int:
        return round(self.slope / count - self.bend / count**2)

    def vote(self, revealed: int) -> Vote:
        return (Verdict.ACCEPTED, "accepted", self.gain(revealed), 10)


def diluted(found: Sequence[int | None], spec: object = RULED, junk: Vote = MISSING) -> ScoreSheet:
    """Four honest deltas beside junk; `found`: among how many each coordinator measured, None: once only."""
    facts, delta = some_facts(HONEST + JUNK), Delta()
    votes = [delta.vote(HONEST + JUNK)] * HONEST + [junk] * JUNK
    reports: list[ScoreReport] = []
    for report, count in zip(reports_of(facts, [votes] * 3), found, strict=True):
        honest = {item.solver for item in facts.reveals[:HONEST]}
        among = None if count is None else Among(count, delta.gain(count), 10 * (HONEST + JUNK) // count)
        scores = tuple(
            replace(score, among=among) if score.solver in honest else score for score in report.scores
        )
        reports.append(replace(report, scores=scores))
    dropped = [item.digest for item in facts.reveals[HONEST:]] if junk[0] is Verdict.ACCEPTED else []
    return derive_sheet(facts, spec, reports, model=NEW, improvement=5, dropped=dropped)  # type: ignore[arg-type]


def honest_pay(sheet: ScoreSheet) -> list[int]:
    return [row.amount for row in sheet.rows if row.verdict is Verdict.ACCEPTED]


def test_attack_junk_that_nobody_serves_dilutes_nobodys_pay() -> None:
    clean = Delta().gain(HONEST)
    without = honest_pay(diluted([HONEST] * 3, replace(RULED, pay_as_merged=False)))
    assert max(without) < 0.12 * clean
    (paid,) = set(honest_pay(diluted([HONEST] * 3)))
    assert abs(paid - clean) <= 120  # less its standard error, as everywhere


def test_attack_junk_that_is_dropped_dilutes_nobodys_pay() -> None:
    worthless: Vote = (Verdict.ACCEPTED, "accepted", 0, 900)
    (paid,) = set(honest_pay(diluted([HONEST] * 3, junk=worthless)))
    assert abs(paid - Delta().gain(HONEST)) <= 120


def scored(count: int) -> SignedScore:
    delta, revealed = Delta(), HONEST + JUNK
    among = Among(count, delta.gain(count), 10 * revealed // count)
    return replace(reports_of(some_facts(1), [[GOOD]])[0].scores[0], gain=delta.gain(revealed), among=among)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_who_measured_among_fewer_comes_to_the_same(count: int) -> None:
    """A coordinator that was served other junk signs other numbers, and they say the same."""
    revealed, due = HONEST + JUNK, Among(HONEST, Delta().gain(HONEST), 110)
    assert abs(as_one_of(scored(count), revealed, HONEST)[0] - due.gain) <= revealed
    assert agrees(scored(count), due, revealed, 2000)
    lie = replace(scored(count), among=replace(scored(count).among, gain=scored(count).among.gain + 20_000))  # type: ignore[type-var,union-attr]
    assert not agrees(lie, due, revealed, 2000)


@pytest.mark.parametrize("count", [5, 8, 20])
def test_attack_tiny_deltas_that_look_worth_paying_multiply_nobodys_pay(count: int) -> None:
    """They are dropped later, so that fewer are merged than anybody measured among: pay grows no further.

    Whoever measured so has no number at the share of the merge, and stands in nobody's way who has.
    """
    revealed, due = HONEST + JUNK, Among(HONEST, Delta().gain(HONEST), 110)
    assert as_one_of(scored(count), revealed, HONEST)[0] == Delta().gain(count) < due.gain
    assert agrees(scored(count), due, revealed, 2000)
    assert not agrees(scored(count), replace(due, gain=2 * due.gain), revealed, 2000)


def test_at_the_counts_that_were_measured_nothing_is_read_off_between() -> None:
    score = reports_of(some_facts(1), [[(Verdict.ACCEPTED, "accepted", 777, 33)]])[0].scores[0]
    both = replace(score, among=Among(4, 5_555, 300))
    assert as_one_of(both, 44, 4) == (5_555, 300)
    assert as_one_of(both, 44, 44)[0] == 777
    assert as_one_of(score, 44, 44) == (777, 33)
    assert as_one_of(score, 44, 4) == (777, 33), "measured once, it is that"
    assert as_one_of(both, 44, 2) == (5_555, 300), "and never at more than was measured"


def test_attack_one_of_three_signs_another_second_number_and_earns_no_fee() -> None:
    facts, junk = some_facts(HONEST + JUNK), (Verdict.ACCEPTED, "accepted", 0, 900)
    sheet = diluted([HONEST] * 3, junk=junk)
    liar = sheet.reports[0]
    scores = tuple(
        score if score.among is None else replace(score, among=replace(score.among, gain=900_000))
        for score in liar.scores
    )
    swayed = derive_sheet(
        facts, RULED, (replace(liar, scores=scores), *sheet.reports[1:]), model=NEW, improvement=5,
        dropped=sheet.dropped,
    )  # fmt: skip
    assert len(sheet.fees) == 3
    assert honest_pay(swayed) == honest_pay(sheet)
    assert {fee.coordinator for fee in swayed.fees} == {item.coordinator for item in sheet.reports[1:]}


NO: Vote = (Verdict.EXCLUDED, "harm", -5_000, 1_000)


def paid_fees(*seconds: Sequence[int | None]) -> list[int]:
    """Places of the coordinators that earn a fee. Two deltas of six are worth paying; `seconds`: of each
    coordinator, among how many it measured these two again, None: not."""
    facts = some_facts(6, len(seconds))
    votes = [(Verdict.ACCEPTED, "accepted", 10_000, 1_000)] * 2 + [NO] * 4
    reports: list[ScoreReport] = []
    for report, counts in zip(reports_of(facts, [votes] * len(seconds)), seconds, strict=True):
        found = {
            item.solver: None if count is None else Among(count, 28_000, 3_000)
            for item, count in zip(facts.reveals, counts, strict=False)
        }
        scores = tuple(replace(score, among=found.get(score.solver)) for score in report.scores)
        reports.append(replace(report, scores=scores))
    sheet = derive_sheet(facts, RULED, reports, model=NEW, improvement=5)
    return [facts.members.index(fee.coordinator) for fee in sheet.fees]


def test_attack_who_leaves_out_second_numbers_earns_no_fee() -> None:
    """It would measure half as much. The wide band is for those who found more worth paying."""
    assert paid_fees((2, 2), (2, 2), (2, 2)) == [0, 1, 2]
    assert paid_fees((2, 2), (2, 2), (None, None)) == [0, 1]
    assert paid_fees((2, 2), (2, 2), (2, None)) == [0, 1]
    assert paid_fees((2, 2), (2, 2), (5, 5)) == [0, 1], "among as many as it finds worth paying itself"


def test_a_coordinator_that_finds_others_worth_paying_has_its_own_second_numbers() -> None:
    facts = some_facts(3)
    (report,) = reports_of(facts, [[GOOD, GOOD, NO]])[:1]
    worth = [item.solver for item in facts.reveals[:2]]

    def with_second(count: int | None, *who: str) -> ScoreReport:
        among = None if count is None else Among(count, 60_000, 3_000)
        return replace(report, scores=tuple(
            replace(score, among=among if score.solver in who else None) for score in report.scores
        ))  # fmt: skip

    assert second_numbers(with_second(2, *worth), 3)
    for count, who in ((None, worth), (2, worth[:1]), (1, worth), (3, worth)):
        assert not second_numbers(with_second(count, *who), 3)
    assert second_numbers(with_second(None), 2), "all that were revealed are worth paying: once is enough"
    assert not second_numbers(with_second(2, *worth), 2)
    none = replace(report, scores=tuple(replace(item, gain=0, stderr=9) for item in report.scores))
    assert second_numbers(none, 3), "none is"


def test_sheets_and_reports_carry_it_and_old_ones_do_not() -> None:
    facts = some_facts(HONEST + JUNK)
    sheet = diluted([HONEST] * 3)
    assert decode_sheet(encode_sheet(sheet)) == sheet
    assert decode_report(encode_report(sheet.reports[0])) == sheet.reports[0]
    for row in sheet.rows:
        assert (row.among is not None) == (row.verdict is Verdict.ACCEPTED)
    forged = replace(sheet, rows=tuple(replace(row, among=None) for row in sheet.rows))
    with pytest.raises(Rejected):
        check_sheet(forged, facts, RULED, recover)
    old = diluted([None] * 3, a_spec())
    assert b"among" not in encode_sheet(old) and b"as_merged" not in encode_spec(a_spec())
    bad = replace(sheet.reports[0], scores=tuple(
        replace(score, among=Among(4, 1, 1)) for score in sheet.reports[0].scores
    ))  # fmt: skip
    with pytest.raises(Rejected, match="only an accepted delta"):
        encode_report(bad)


def test_the_signature_covers_it() -> None:
    facts = some_facts(HONEST + JUNK)
    sheet = diluted([HONEST] * 3)
    signed = derive_sheet(
        facts, RULED, [resigned(facts, report) for report in sheet.reports], model=NEW, improvement=5
    )
    check_sheet(signed, facts, RULED, recover)
    with pytest.raises(Rejected) as caught:
        check_sheet(sheet, facts, RULED, recover)  # the samples were signed before it was added
    assert caught.value.reason == "bad-signature"
