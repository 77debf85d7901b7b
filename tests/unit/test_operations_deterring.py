"""What a round's bond is worth against its audits is told in figures and words, and a proposer is warned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal
from jepanet.interface.arguments.round import show_details, show_rules
from jepanet.operations.auditing.rounds import show_round
from jepanet.operations.checks.findings import Level
from jepanet.operations.checks.openings import judge_bond
from jepanet.operations.projects.deterring import deterrence_of_round, shown_deterrence
from jepanet.operations.views.json_form import json_form
from jepanet.protocol.documents.spec import AuditRule, encode_spec
from jepanet.settings.config import ProposerSection
from jepanet.settings.terms import round_terms
from jepanet.work.methods import METHODS
from round_samples import a_spec
from rpc_node import a_round

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


class Shelf:
    """A library with one document, or none."""

    def __init__(self, folder: Path, data: bytes | None) -> None:
        self.path = folder / "rules"
        if data is not None:
            self.path.write_bytes(data)

    async def get(self, what: str, *_: Any, **__: Any) -> Path:
        if not self.path.exists():
            raise Fatal("there is no peer to ask", code=Exit.NO_PEERS)
        return self.path


async def test_a_round_is_shown_with_what_its_bond_deters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = encode_spec(a_spec(audit=AuditRule(8, 250, 6), pay_cap=20 * TOKEN))
    round_ = a_round(1, None, digest_of(spec))
    params = replace(round_.params, bond=30 * TOKEN)
    state = SimpleNamespace(rounds={1: replace(round_, params=params)}, now=0, members=lambda _: ())

    async def known() -> Any:
        return state

    deployment = SimpleNamespace(chain_id=1, rounds=round_.proposer)
    history: Any = SimpleNamespace(state=known, deployment=deployment)
    shelf: Any = Shelf(tmp_path, spec)
    details = await show_round(history, shelf, 1)
    assert details.audits is not None and not details.audits.deters
    show_details(details)
    assert "deterring takes a bond of 60" in " ".join(capsys.readouterr().out.replace("│", "").split())
    told: Any = json_form(details)
    assert told["audits"]["least_bond"] == str(60 * TOKEN)
    assert {item["key"]: item["value"] for item in told["terms"]["rules"]}["audit.segments"] == 8
    show_rules(details)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "a training can be audited in up to 8 parts" in said
        and "no delta is paid more than 20 tokens" in said
    )
    # Rules that are not to be had, or that this program does not know, are no reason to show nothing.
    for data in (None, b"{}"):
        (tmp_path / "rules").unlink(missing_ok=True)
        nowhere: Any = Shelf(tmp_path, data)
        silent = await show_round(history, nowhere, 1)
        assert silent.audits is None and "audits" not in str(json_form(silent))
        show_rules(silent)
        assert "--peer" in capsys.readouterr().out


def test_a_proposer_is_warned_of_what_its_bond_leaves() -> None:
    assert judge_bond(round_terms(ProposerSection(), METHODS)) == []
    section = ProposerSection(audit_segments=8, pay_cap="20", inner_steps=40)
    (row,) = judge_bond(round_terms(section, METHODS))
    assert (
        row.level is Level.WARNING and "at most 5 of the 6" in row.text and "audit_opened" in str(row.remedy)
    )
    (row,) = judge_bond(round_terms(replace(section, audit_opened=6), METHODS))
    assert row.level is Level.OK


def test_a_proposer_is_warned_of_a_bond_that_solvers_do_not_put_up_by_default() -> None:
    section = ProposerSection(audit_segments=8, inner_steps=40, audit_opened=6)
    dear, row = judge_bond(round_terms(section, METHODS))
    assert dear.level is Level.WARNING and "300 tokens is more than solvers" in dear.text
    assert "pay_cap" in str(dear.remedy) and row.level is Level.OK
    assert len(judge_bond(round_terms(replace(section, pay_cap="33"), METHODS))) == 1
