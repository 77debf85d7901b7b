"""Whether this node could take part in rounds that are audited, and what their bonds deter."""

from __future__ import annotations

from pathlib import Path

from jepanet.chain.contracts.all import RoundView
from jepanet.cid import digest_of
from jepanet.errors import Exit, Rejected
from jepanet.learning.auditing.division import measured_every
from jepanet.learning.recipe import MAX_RECIPE_BYTES
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.checks.findings import Finding, failed, fine, warned
from jepanet.operations.projects.deterring import deterrence_of_round, deterring_words
from jepanet.protocol.documents.build import Build, apart
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, TOLERANT, AuditRule, RoundSpec
from jepanet.settings.paths import Paths
from jepanet.storage.blobs.blob_files import place_of
from jepanet.types import Digest, Role
from jepanet.work.audit_rules import check_trace
from jepanet.work.methods import known_spec


def held_rules(data_dir: Path, round_: RoundView) -> RoundSpec | None:
    """The rules of a round without a result, where this node's store has them and this program knows them."""
    try:
        data = _held(data_dir, Digest(round_.digest), MAX_SPEC_BYTES)
        return None if data is None else known_spec(data)
    except Rejected:
        return None


def held_guard(data_dir: Path, rules: RoundSpec) -> int | None:
    """Steps between two measurements of the guard of a round's recipe, 0 for none; None as `held_rules`."""
    try:
        data = _held(data_dir, rules.recipe, MAX_RECIPE_BYTES)
        return None if data is None else measured_every(read_recipe(data))
    except Rejected:
        return None


def _held(data_dir: Path, digest: Digest, max_bytes: int) -> bytes | None:
    path = place_of(Paths(data_dir).blobs, digest)
    try:
        data = path.read_bytes() if path.stat().st_size <= max_bytes else b""
    except OSError:
        return None
    return data if digest_of(data) == digest else None


def judge_audits(
    number: int,
    view: RoundView,
    rules: RoundSpec,
    roles: frozenset[Role],
    here: Build | None,
    guard: int | None = None,
) -> list[Finding]:
    """Rows about one open round. `here`: what this machine computes trainings by; None: not asked. `guard`:
    as `held_guard`."""
    if rules.audit is None:
        return []
    found = deterrence_of_round(rules, bond=view.bond, budget=view.budget, measured_every=guard)
    rows = _of_build(number, rules.audit, roles, here)
    if found is None:
        return rows
    text = f"round {number}: " + "; ".join(deterring_words(found))
    if found.deters:
        return [*rows, fine("bond", text)]
    remedy = (
        "who cheats takes from the pay of the others: ask its proposer for a bond by the rule, or stay away"
    )
    return [*rows, warned("bond", text, remedy)]


def _of_build(number: int, rule: AuditRule, roles: frozenset[Role], here: Build | None) -> list[Finding]:
    verifies = bool({Role.COORDINATOR, Role.AGGREGATOR} & roles) and rule.probability_milli > 0
    if here is None or not (verifies or Role.SOLVER in roles):
        return []
    try:
        check_trace(rule)
    except Rejected as error:
        return [
            warned("audits", f"this node leaves round {number} alone: {error.message}", error.remedy or "")
        ]
    remedy = "take part with such a machine, or leave such projects out of projects.follow"
    if rule.mode == TOLERANT:
        return [fine("audits", f"round {number} is audited on any build, to within a measured distance")]
    if rule.build is None:
        if not rule.probability_milli:
            return []
        text = f"this node leaves round {number} alone: it audits drawn trainings and names no build"
        return [warned("audits", text, "leave such projects out of projects.follow")]
    if here == rule.build:
        return [fine("audits", f"this machine computes as round {number} is audited")]
    why = f"round {number} is audited on another build: {apart(here, rule.build)}"
    if verifies:
        text = f"this node could not audit, and signs no scores: {why}"
        return [failed("audits", text, remedy, Exit.CONFIG)]
    return [warned("audits", f"this node leaves it alone: {why}", remedy)]
