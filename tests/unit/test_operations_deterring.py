"""What a round's bond is worth against its audits is told in figures and words, and a proposer is warned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jepanet.operations.checks.findings import Level
from jepanet.operations.checks.openings import judge_bond
from jepanet.operations.projects.deterring import deterrence_of_round, shown_deterrence
from jepanet.protocol.documents.spec import AuditRule
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.work.methods import METHODS
from round_samples import a_spec

pytestmark = pytest.mark.unit

TOKEN = 10**18


def told(bond: int, rule: AuditRule, **changes: Any) -> Any:
    found = deterrence_of_round(a_spec(audit=rule, **changes), bond=bond * TOKEN, budget=100 * TOKEN)
    assert found is not None
    return shown_deterrence(found)


def test_rounds_in_which_nobody_is_drawn_say_nothing() -> None:
    for rule in (None, AuditRule(8)):
        assert deterrence_of_round(a_spec(audit=rule), bond=TOKEN, budget=TOKEN) is None


def test_a_bond_that_deters_is_told_with_where_a_cheat_still_pays() -> None:
    seen = told(60, AuditRule(8, 250, 1), pay_cap=20 * TOKEN)  # 40 steps in 8 parts of 5
    assert (seen.deters, seen.chance, seen.most_paid, seen.least_bond) == (True, 0.25, 20 * TOKEN, 60 * TOKEN)
    assert (seen.between, seen.undeterred, seen.least_for_one) == (6, 5, 460 * TOKEN)
    first, second = seen.words
    assert "chance of 0.25" in first and "at most 20" in first and first.endswith("that does not pay")
    assert "at most 5 of the 6 parts" in second and "until the bond is 460" in second


def test_a_bond_that_does_not_deter_is_told_with_the_one_that_would() -> None:
    seen = told(10, AuditRule(8, 250, 6))
    assert not seen.deters and seen.undeterred == 6
    assert "that pays, for deterring takes a bond of 300" in seen.words[0] and "any of the 6" in seen.words[1]
    none_between = told(10, AuditRule(8, 250, 0))
    assert none_between.least_for_one is None and "no bond is enough" in none_between.words[1]


def test_all_parts_done_again_leave_no_place_to_cheat_in() -> None:
    seen = told(300, AuditRule(8, 250, 6))
    assert seen.deters and seen.undeterred == 0 and seen.words[1].startswith("nor does it pay")
    assert len(told(300, AuditRule(2, 250, 1)).words) == 1  # there is nothing between


def test_a_proposer_is_warned_of_what_its_bond_leaves() -> None:
    assert judge_bond(round_terms(ProposerSection(), METHODS)) == []
    section = ProposerSection(audit_segments=8, pay_cap="20", inner_steps=40)
    (row,) = judge_bond(round_terms(section, METHODS))
    assert (
        row.level is Level.WARNING and "at most 5 of the 6" in row.text and "audit_opened" in str(row.remedy)
    )
    (row,) = judge_bond(round_terms(replace(section, audit_opened=6), METHODS))
    assert row.level is Level.OK
