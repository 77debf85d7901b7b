"""What `benchmarks/audited_runs.py` draws over whole runs: who loses a bond, who never does, what is left."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jepanet.federation.judging.judge import Judged, Judgement
from jepanet.protocol.documents.spec import AuditRule
from jepanet.types import Address, Digest, Verdict

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from attacks.federation import Federation
from audited.federation import AuditedFederation
from audited.lottery import END, NOTHING, STEPS, Hand, Terms, drawn_often, first_that_catches

pytestmark = pytest.mark.unit

RULE = AuditRule(segments=32, probability_milli=250, opened=1)
TERMS = Terms.of(RULE, 160, 2.0)
ROUNDS, HANDS = 8, 200


def share(where: str, *, kept_to_one: bool = False) -> float:
    """Of rounds in which an identity is caught."""
    found = [
        Hand(TERMS, number).caught(round_, 0, where, kept_to_one=kept_to_one)
        for number in range(HANDS)
        for round_ in range(ROUNDS)
    ]
    return sum(found) / len(found)


def test_the_bond_is_that_of_the_rule() -> None:
    assert (TERMS.segments, TERMS.bond) == (29, 6.0)


def test_a_cheat_is_caught_as_often_as_it_is_drawn_and_nobody_else() -> None:
    assert share(NOTHING) == 0
    assert share(END) == share(STEPS) == pytest.approx(0.25, abs=0.04)
    assert share(STEPS, kept_to_one=True) == pytest.approx(0.25 / (TERMS.segments - 2), abs=0.008)


def test_identities_are_drawn_each_by_itself() -> None:
    hand = Hand(TERMS, 3)
    told = [[hand.caught(round_, who, END) for round_ in range(64)] for who in range(4)]
    assert len({tuple(item) for item in told}) == 4


def test_who_is_paid_the_most_has_nothing_left_on_the_mean() -> None:
    found = drawn_often(TERMS, [[2, 2, 2]] * ROUNDS, 0, END, HANDS)
    assert abs(found.mean) < 3 * found.error and found.bonds == pytest.approx(0.25 * 3 * ROUNDS, rel=0.1)
    assert drawn_often(TERMS, [[9]] * ROUNDS, 0, END, HANDS).mean < 3 * found.error, "more than R is not paid"


def test_honest_identities_keep_bond_and_pay() -> None:
    found = drawn_often(TERMS, [[1]] * ROUNDS, 0, NOTHING, HANDS)
    assert (found.mean, found.bonds, found.untouched) == (ROUNDS, 0, 1)
    beside = drawn_often(TERMS, [[1, 0]] * ROUNDS, 1, END, HANDS)
    assert beside.mean == pytest.approx(ROUNDS - beside.bonds * TERMS.bond)


def test_the_first_lottery_that_catches_anybody_is_the_one_played() -> None:
    hand = first_that_catches(TERMS, ROUNDS, 2, 1, END)
    caught = [Hand(TERMS, number).left([[0, 0]] * ROUNDS, 1, END)[1] for number in range(hand.number + 1)]
    assert caught[-1] > 0 and not any(caught[:-1])


def test_attack_a_caught_delta_is_neither_merged_nor_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    judgements = tuple(
        Judgement(Address(f"0x{place:040x}"), Digest(bytes([place]) * 32), Verdict.ACCEPTED, "", "", 5, 1)
        for place in range(3)
    )
    monkeypatch.setattr(Federation, "_judged", lambda *_: Judged(judgements, {}, {}))
    now = object.__new__(AuditedFederation)
    seen: list[Judged] = []
    monkeypatch.setattr(Federation, "play", lambda self, _: seen.append(self._judged([], SimpleNamespace())))
    now.audited([None] * 3, {1})
    now.play([None] * 3)
    assert [item.verdict for item in seen[0].judgements] == [
        Verdict.ACCEPTED, Verdict.INVALID, Verdict.ACCEPTED,
    ]  # fmt: skip
    assert seen[0].judgements[1].gain == 0 and seen[0].judgements[1].reason == "not-reproduced"
    assert seen[1].judgements == judgements, "of this round alone"
