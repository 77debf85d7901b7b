"""Whether the rounds that a proposer wants can be audited by its recipe, and what that costs everybody."""

from __future__ import annotations

from pathlib import Path

from jepanet.division import most_steps, segment_count
from jepanet.errors import Exit, Rejected
from jepanet.learning.auditing.division import measured_every
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.checks.findings import Finding, failed, fine, warned
from jepanet.protocol.documents.project_folder import PROJECT_FILES, RECIPE_FILE
from jepanet.protocol.documents.spec import TOLERANT
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.work.audit_rules import check_rule

_STATE_BYTES = 12
"""Of a parameter: the weight and both moments, float32."""
_MIB = 1 << 20


def recipe_of(dataset: Path) -> Recipe | None:
    """That of the project made of a dataset; None where none was, or the file cannot be read."""
    try:
        with (dataset / PROJECT_FILES / RECIPE_FILE).open("rb") as file:
            return read_recipe(file.read(MAX_RECIPE_BYTES))
    except (OSError, Rejected):
        return None


def judge_audit_terms(terms: RoundTerms, recipe: Recipe) -> list[Finding]:
    """A row about audits where the terms ask for any: what would refuse such a round, or what it takes."""
    rule = terms.audit
    if rule is None:
        return []
    steps = terms.inner_steps or recipe.inner_steps
    try:
        check_rule(rule, recipe, steps, terms.codec, terms.feedback_milli)
    except Rejected as error:
        remedy = error.remedy or "write proposer.audit_segments = 0"
        return [failed("audits", f"no round would open: {error.message}", remedy, Exit.CONFIG)]
    every = measured_every(recipe)
    parts, state = segment_count(steps, rule.segments, every), recipe.parameters() * _STATE_BYTES
    text = (
        f"a solver keeps {parts:,} states of {state / _MIB:,.1f} MiB, {parts * state / _MIB:,.1f} MiB a round"
    )
    if not rule.probability_milli:
        remedy = "write proposer.audit_probability_milli = 250, or leave it at that: anybody may repeat parts"
        return [warned("audits", f"{text}; no training is drawn, and nobody loses a bond by one", remedy)]
    drawn = min(parts, rule.opened + 2)
    # The first begins at the base; a tolerant audit also takes the state at the end of each.
    fetched = drawn - 1 + drawn * (rule.mode == TOLERANT)
    again = most_steps(steps, rule.segments, rule.opened, every)
    return [
        fine(
            "audits",
            f"{text}; of a drawn training (a chance of {rule.probability_milli / 1000:g}) every verifier "
            f"fetches {fetched:,} of them and does at most {again:,} of its {steps:,} steps again",
        )
    ]
