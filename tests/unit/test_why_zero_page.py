"""docs/roles/why-zero.md has every reason for which a delta is out, in words and with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jepanet.operations.receipts.advice import FAULTS
from jepanet.operations.receipts.words import _FAULTS
from jepanet.protocol.settling.reasons import REASONS
from jepanet.types import Verdict

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/roles/why-zero.md").read_text(encoding="utf-8")
SECTIONS = {Verdict.EXCLUDED: "Excluded", Verdict.SPARED: "Spared", Verdict.INVALID: "Invalid"}


def rows(verdict: Verdict, page: str = PAGE) -> dict[str, tuple[str, str]]:
    """Reason -> (meaning, remedy), of the section of a verdict."""
    section = page.partition(f"\n## {SECTIONS[verdict]}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    assert len({name for name, *_ in found}) == len(found), "a reason stands there twice"
    return {name: (meaning.strip(), remedy.strip()) for name, meaning, remedy in found}


@pytest.mark.parametrize("verdict", [Verdict.EXCLUDED, Verdict.SPARED])
def test_every_reason_stands_in_the_section_of_its_verdict(verdict: Verdict) -> None:
    assert set(rows(verdict)) == {name for name, reason in REASONS.items() if reason.verdict is verdict}


def test_every_fault_that_bytes_prove_stands_there() -> None:
    protocol = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    row = re.search(r"^\| `INVALID` \| ([^|]+) \|", protocol, re.MULTILINE)
    assert row is not None
    known = set(re.findall(r"`([\w-]+)`", row[1]))
    assert set(rows(Verdict.INVALID)) == known == set(FAULTS) >= set(_FAULTS)


@pytest.mark.parametrize("verdict", SECTIONS)
def test_each_is_in_words_and_says_what_to_do(verdict: Verdict) -> None:
    assert all(meaning and remedy for meaning, remedy in rows(verdict).values())


def test_a_reason_that_is_left_out_is_missed() -> None:
    assert "harm" not in rows(Verdict.EXCLUDED, PAGE.replace("| `harm` |", "| harm |"))
