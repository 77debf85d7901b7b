"""What `jepanet node check` says of open rounds that are audited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.cid import digest_of
from jepanet.errors import Exit
from jepanet.operations.checks.audits import held_rules, judge_audits
from jepanet.operations.checks.findings import Level
from jepanet.operations.checks.machine import check_device
from jepanet.protocol.documents.spec import TOLERANT, TRACE, AuditRule, RoundSpec, encode_spec
from jepanet.settings.config import WorkerSection
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.blob_files import place_of
from jepanet.types import Role
from round_samples import a_spec

pytestmark = pytest.mark.unit

TOKEN = 10**18
HERE = {"torch": "2.13", "cpu": "AVX512"}
SOLVER, COORDINATOR = frozenset({Role.SOLVER}), frozenset({Role.COORDINATOR, Role.PROPOSER})


def rules(build: dict[str, str] | None = HERE, probability: int = 250) -> RoundSpec:
    return replace(a_spec(), audit=AuditRule(8, probability, 6, build, trace=TRACE))


def view(bond: int = 300, digest: bytes = bytes(32)) -> Any:
    return SimpleNamespace(bond=bond * TOKEN, budget=100 * TOKEN, digest=digest)


def levels(bond: int, spec: RoundSpec, roles: frozenset[Role], here: Any = HERE) -> dict[str, Level]:
    return {row.check: row.level for row in judge_audits(3, view(bond), spec, roles, here)}


def test_a_round_without_audits_has_no_row() -> None:
    assert levels(1, a_spec(), SOLVER) == {}


def test_a_bond_that_does_not_deter_is_a_warning() -> None:
    assert levels(300, rules(), SOLVER) == {"audits": Level.OK, "bond": Level.OK}
    assert levels(299, rules(), SOLVER)["bond"] is Level.WARNING
    (row,) = [row for row in judge_audits(3, view(299), rules(), SOLVER, HERE) if row.check == "bond"]
    assert "round 3" in row.text and "takes a bond of 300" in row.text and "0.25" in row.text


def test_a_solver_of_another_build_leaves_the_round_alone_and_a_verifier_could_not_audit() -> None:
    other = rules({**HERE, "cpu": "AVX2"})
    assert levels(300, other, SOLVER)["audits"] is Level.WARNING
    assert levels(300, other, COORDINATOR)["audits"] is Level.FAILURE
    (row,) = [row for row in judge_audits(3, view(), other, COORDINATOR, HERE) if row.check == "audits"]
    assert row.code is Exit.CONFIG and "could not audit" in row.text and "cpu AVX2 there" in row.text
    assert "audits" not in levels(300, other, frozenset({Role.PROPOSER}))
    assert "audits" not in levels(300, other, COORDINATOR, None)  # a running node looks by itself
    assert levels(300, rules({**HERE, "cpu": "AVX2"}, 0), COORDINATOR) == {}  # nobody is drawn
    for roles in (SOLVER, COORDINATOR):  # whoever claims a build that nobody has could not be audited
        assert levels(300, rules(None), roles) == {"audits": Level.WARNING, "bond": Level.OK}
    assert levels(300, rules(None, 0), SOLVER) == {}
    tolerant = replace(a_spec(), audit=AuditRule(8, 250, 6, mode=TOLERANT, trace=TRACE))
    for roles in (SOLVER, COORDINATOR):
        assert levels(300, tolerant, roles) == {"audits": Level.OK, "bond": Level.OK}


def test_rules_are_read_from_the_own_store_and_believed_by_their_digest(tmp_path: Path) -> None:
    data = encode_spec(rules())
    there = view(digest=digest_of(data))
    assert held_rules(tmp_path, there) is None
    path = place_of(Paths(tmp_path).blobs, there.digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert held_rules(tmp_path, there) == rules()
    path.write_bytes(data.replace(b"250", b"251"))
    assert held_rules(tmp_path, there) is None
    path.write_bytes(b" " * (1 << 20))
    assert held_rules(tmp_path, there) is None


@pytest.mark.subprocess
async def test_the_machine_tells_its_build_in_a_line_to_copy() -> None:
    rows, build = await check_device(WorkerSection())
    assert [row.check for row in rows] == ["device", "build"] and build is not None
    assert rows[1].text.startswith(f"torch={build['torch']}, numpy=") and "cpu=" in rows[1].text
