"""Who checks a sheet is told whose scores lie apart, below as above, and keeps it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.roles.steps.apart import APART_NOTE, kept_apart, tell_apart
from jepanet.types import Verdict
from round_samples import GOOD, MISSING, Vote, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

LOW: Vote = (Verdict.ACCEPTED, "accepted", 10_000, 2_000)
HIGH: Vote = (Verdict.ACCEPTED, "accepted", 90_000, 2_000)


def told(rows: list[list[Vote]], **spec: Any) -> tuple[list[Any], tuple[tuple[str, str], ...]]:
    """What is logged and what is kept of a sheet with a row of votes for each coordinator."""
    facts, rules = some_facts(len(rows[0]), len(rows)), a_spec(**spec)
    sheet = derive_sheet(facts, rules, reports_of(facts, rows), model=digest("merged"), improvement=1)
    notes: dict[str, str] = {}
    context: Any = SimpleNamespace(
        journal=SimpleNamespace(put_note=lambda number, name, text: notes.__setitem__(name, text))
    )
    with structlog.testing.capture_logs() as lines:
        tell_apart(context, facts, sheet, rules)
    places = {who: f"{place}" for place, who in enumerate(facts.members)}
    lines = [{**line, "coordinator": places[line["coordinator"]]} for line in lines]
    return lines, tuple((places[who], side) for who, side in kept_apart(notes[APART_NOTE]))


def test_below_and_above_are_told_alike() -> None:
    lines, kept = told([[GOOD, GOOD], [GOOD, GOOD], [LOW, GOOD], [HIGH, LOW], [GOOD, GOOD]])
    assert [(item["coordinator"], item["over"], item["under"]) for item in lines] == [
        ("2", 0, 1),
        ("3", 1, 1),
    ]
    assert {item["event"] for item in lines} == {"scores.disowned"}
    assert kept == (("2", "under"), ("3", "over"), ("3", "under"))


def test_an_honest_round_says_nothing() -> None:
    assert told([[GOOD, GOOD], [GOOD, MISSING], [GOOD, GOOD]]) == ([], ())
    assert kept_apart(None) == ()


def test_who_had_not_committed_is_told_as_late() -> None:
    lines, kept = told([[GOOD]] * 3, committed_scores=True)
    assert [item["in_time"] for item in lines] == [False] * 3
    assert kept == (("0", "late"), ("1", "late"), ("2", "late"))
