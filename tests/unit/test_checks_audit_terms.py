"""What `jepanet node check` says of the audits that a proposer's terms ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jepanet.errors import Exit
from jepanet.learning.presets import preset
from jepanet.operations.checks.audit_terms import judge_audit_terms, recipe_of
from jepanet.operations.checks.findings import Finding, Level
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.work.methods import METHODS

pytestmark = pytest.mark.unit
RECIPE = preset("language-tiny")


def rows(**changes: Any) -> list[Finding]:
    return judge_audit_terms(round_terms(ProposerSection(pay_cap="20", **changes), METHODS), RECIPE)


def test_rounds_without_audits_have_no_row() -> None:
    assert rows() == []


def test_what_an_audited_round_takes_of_everybody_is_told() -> None:
    (row,) = rows(audit_segments=8, audit_opened=2)
    assert row.level is Level.OK, row
    assert "keeps 8 states of 2.0 MiB, 15.7 MiB a round" in row.text
    assert "fetches 3 of them and does at most 28 of its 80 steps again" in row.text
    (row,) = rows(audit_segments=8, audit_opened=2, audit_mode="tolerant")
    assert "fetches 7 of them" in row.text, "tolerant audits take the end of each part as well"
    (row,) = rows(audit_segments=8, audit_opened=20)
    assert "fetches 7 of them and does at most 80 of its 80 steps" in row.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"audit_mode": "tolerant", "audit_segments": 4}, "over parts of 39 steps"),
        ({"audit_mode": "tolerant", "audit_segments": 8, "codec": "topk10"}, "codec topk10"),
    ],
)
def test_rounds_that_would_never_open_fail_before_they_are_due(changes: dict[str, Any], told: str) -> None:
    (row,) = rows(**changes)
    assert row.level is Level.FAILURE and row.code is Exit.CONFIG
    assert told in row.text and row.remedy


def test_audits_that_draw_nobody_are_a_warning() -> None:
    (row,) = rows(audit_segments=8, audit_probability_milli=0)
    assert row.level is Level.WARNING and "nobody loses a bond" in row.text


def test_a_recipe_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert recipe_of(tmp_path) is None
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "recipe.json"
    path.write_bytes(b"{}")
    assert recipe_of(tmp_path) is None
    path.write_bytes(RECIPE.to_bytes())
    assert recipe_of(tmp_path) == RECIPE
