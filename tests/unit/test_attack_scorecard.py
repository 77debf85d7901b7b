"""The scorecard's own checks: each row that falls short is said in a sentence."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


def opened(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


SCORED, PAGE, BREACHES = (opened(f"scorecard.{name}") for name in ("scored", "page", "breaches"))
PLAYED = SCORED.Scored("noise", "played (work)", "gain beyond its error", 1.0, 0.1, 0.0, False, False)
STOPPED = replace(PLAYED, kind="parsed", gets="gets nothing", cost=0.0, earned=0.0)
OPEN = replace(STOPPED, attack="a leak", open=True, cost=1.0, earned=1.9)
ENOUGH = [PLAYED] * BREACHES.LEAST_ROWS


def said(*rows: object, survived: tuple[str, ...] = ()) -> list[str]:
    return list(BREACHES.breaches([*ENOUGH, *rows], survived))


def test_what_earns_little_or_is_open_with_its_figure_passes() -> None:
    assert said(STOPPED, OPEN) == []


def test_half_of_honest_pay_for_what_it_costs_is_allowed_and_no_more() -> None:
    assert said(replace(PLAYED, cost=2.0, earned=1.0)) == []
    (sentence,) = said(replace(PLAYED, attack="a race", cost=2.0, earned=1.01))
    assert sentence.startswith("'a race' is left with 1.01 of honest pay for 2 trainings")
    (sentence,) = said(replace(PLAYED, attack="nothing done", cost=0.0, earned=0.01))
    assert "'nothing done'" in sentence


def test_what_is_lost_comes_off_what_is_earned() -> None:
    assert said(replace(PLAYED, earned=2.0, lost=1.5)) == []
    assert len(said(replace(PLAYED, earned=2.0, lost=1.4))) == 1


def test_an_open_row_without_a_figure_is_named() -> None:
    assert said(replace(OPEN, earned=None)) == ["'a leak' is open and has no figure"]
    assert said(replace(OPEN, earned=None, words="no pay: a round's delay")) == []


def test_an_open_row_that_the_page_does_not_have_is_named() -> None:
    played = replace(PLAYED, attack="a leak, played", open=True, earned=7.0)
    (sentence,) = said(played, OPEN)
    assert sentence == "'a leak, played' is open, and no open row of the threat model has its figures"
    assert said(played, replace(OPEN, of=("a leak, played",))) == []
    assert len(said(played, replace(STOPPED, of=("a leak, played",)))) == 1, "that one is not open"


def test_a_row_of_which_nobody_says_what_it_earns_is_named() -> None:
    (sentence,) = said(replace(STOPPED, attack="flood", gets="is let go", earned=None))
    assert sentence.startswith("'flood': the page does not say what it earns")
    assert said(replace(STOPPED, gets="", earned=None)) == [], "a table of what is no attack on pay"


def test_failing_tests_survivors_and_too_few_rows_are_named() -> None:
    assert said(replace(STOPPED, held=False)) == ["'noise': a test that shows what stops it fails"]
    assert said(survived=("a cap",)) == ["no test notices when this is taken away: a cap"]
    (sentence,) = BREACHES.breaches(ENOUGH[1:])
    assert sentence.startswith(f"{BREACHES.LEAST_ROWS - 1} rows were played")


def test_of_several_rows_the_one_counts_that_is_left_with_most() -> None:
    few, most = replace(PLAYED, attack="few"), replace(PLAYED, attack="most", cost=2.0, earned=1.9)
    page = [replace(OPEN, earned=None, cost=None)]
    (row,), wrong = PAGE.with_figures(page, [PAGE.Figure("a le", of=("few", "most"))], [few, most])
    assert (row.cost, row.earned, row.of, wrong) == (2.0, 1.9, ("most", "few"), [])


def test_an_entry_that_fits_no_row_or_names_none_is_told() -> None:
    page = [OPEN, replace(OPEN, attack="a leap")]
    for entry in (PAGE.Figure("a flood"), PAGE.Figure("a lea"), PAGE.Figure("a leak", of=("gone",))):
        _, wrong = PAGE.with_figures(page, [entry], [])
        assert len(wrong) == 1, entry


def test_the_page_is_read_as_it_says() -> None:
    lines = """| Attack | What stops it | The attacker | Shown by |
|---|---|---|---|
| steal `x` | [a hash](x.md) | loses its bond | `test_a` |
| leak | nothing | **open**: earns 1.9 | – |
| wait | a clock | waits | `test_b`, `testFuzz_c` |
| said | by nobody | waits | – |
"""
    steal, leak, wait = PAGE.shown(lines)
    assert (steal.attack, steal.defence, steal.earned, steal.tests) == ("steal x", "a hash", 0.0, ("test_a",))
    assert (leak.open, leak.earned) == (True, None)
    assert (wait.open, wait.earned, wait.tests) == (False, None, ("test_b", "testFuzz_c"))


def test_every_figure_is_of_one_row_of_the_threat_model() -> None:
    """Rows whose figures nobody has named yet are told by the scorecard itself."""
    entries = PAGE.read_figures(BENCHMARKS / "attack_figures.toml")
    page = list(PAGE.shown((ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")))
    _, wrong = PAGE.with_figures(page, [replace(item, of=()) for item in entries], [])
    assert wrong == []
