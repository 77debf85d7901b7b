"""What a sheet says of the merge beside its bytes (gain, metrics, why it was withheld) as measured here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.federation.judging.judge import judge_merge
from jepanet.learning.evaluation.guards import absolute_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics as Measured
from jepanet.learning.recipe import Gates
from jepanet.protocol.documents.scores import Metrics
from jepanet.protocol.settling.sheet import ScoreSheet, derive_sheet
from jepanet.roles.steps.held_merge import hold_merge
from jepanet.roles.steps.merging import Merge, nothing_merged
from jepanet.types import Digest
from round_samples import GOOD, MISSING, Vote, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

FACTS = some_facts(2, 3)
SPEC = a_spec()
NEW = digest("merged")
METRICS: Metrics = (
    ("after.rank", 11_000_000),
    ("after.variance", 900_000),
    ("before.rank", 12_000_000),
    ("stderr.improvement", 3_000),
)
GAINS = Merge(NEW, True, 30_000, "", METRICS)
WITHHELD = Merge(NEW, False, -4_000, "no improvement: -0.004000 nats per direction", METRICS)


def sheet_of(merge: Merge, *, votes: Vote = GOOD, model: Digest | None = None) -> ScoreSheet:
    """The sheet of whoever measured that."""
    return derive_sheet(
        FACTS,
        SPEC,
        reports_of(FACTS, [[votes] * 2] * 3),
        model=model or (NEW if merge.published else FACTS.base),
        improvement=merge.improvement,
        note=merge.note,
        metrics=merge.metrics,
    )


def why_not(sheet: ScoreSheet, here: Merge) -> str:
    """The reason for which the sheet is not signed; empty when it is."""
    try:
        hold_merge(sheet, here, SPEC)
    except Rejected as error:
        return error.reason
    return ""


def changed(name: str, value: int) -> Metrics:
    return tuple((key, value if key == name else own) for key, own in METRICS)


def test_attack_metrics_that_nobody_measured_are_not_signed() -> None:
    """They stand on the model's card."""
    assert hold_merge(sheet_of(GAINS), GAINS, SPEC) == 30_000
    for name, value in (("after.rank", 32_000_000), ("before.rank", 1), ("stderr.improvement", 10**9)):
        assert why_not(sheet_of(replace(GAINS, metrics=changed(name, value))), GAINS) == "wrong-metrics"
    assert not why_not(sheet_of(replace(GAINS, metrics=METRICS[:3])), GAINS), "earlier sheets say no error"
    for names in ((), METRICS[1:], (*METRICS, ("told", 1)), (*METRICS[:3], ("stderr.other", 3_000))):
        assert why_not(sheet_of(replace(GAINS, metrics=names)), GAINS) == "wrong-metrics"


def test_attack_a_published_merge_has_no_note_of_why_it_was_withheld() -> None:
    with pytest.raises(Rejected) as caught:
        sheet_of(replace(GAINS, note="state guards: rank fell"))
    assert caught.value.reason == "bad-merge"


def test_attack_a_merge_is_withheld_for_what_is_measured_here_and_nothing_else() -> None:
    assert hold_merge(sheet_of(WITHHELD), WITHHELD, SPEC) == -4_000
    for note in ("", "the solvers cheated", "state guards: rank", "no improvement: ask the owner"):
        assert why_not(sheet_of(replace(WITHHELD, note=note)), WITHHELD) == "wrong-note"
    forged = replace(WITHHELD, metrics=changed("before.rank", 1))
    assert why_not(sheet_of(forged), WITHHELD) == "wrong-metrics"
    assert why_not(sheet_of(replace(WITHHELD, improvement=-900_000)), WITHHELD) == "wrong-improvement"


def test_attack_of_a_merge_that_hardly_gains_here_no_other_words_are_signed() -> None:
    """Within the tolerance of nothing it may be withheld elsewhere, maybe with what is dropped here."""
    hardly = replace(GAINS, improvement=1_500)
    assert hold_merge(sheet_of(WITHHELD), hardly, SPEC) == 0
    assert not why_not(sheet_of(replace(WITHHELD, note="state guards: sigreg; rank")), hardly)
    for note in ("", "state guards: rank; the owner", "state guards: ", "a solver cheated"):
        assert why_not(sheet_of(replace(WITHHELD, note=note)), hardly) == "wrong-note"


def test_attack_a_round_without_an_accepted_delta_is_told_in_no_other_words() -> None:
    nothing = nothing_merged(FACTS.base, ())
    sheet = sheet_of(nothing, votes=MISSING)
    assert hold_merge(sheet, nothing_merged(FACTS.base, sheet.rows), SPEC) == 0
    for lie, reason in (
        (replace(nothing, note="a solver cheated"), "wrong-note"),
        (replace(nothing, metrics=(("before.rank", 1),)), "wrong-metrics"),
        (replace(nothing, improvement=-3_000), "wrong-improvement"),
    ):
        assert why_not(sheet_of(lie, votes=MISSING), nothing_merged(FACTS.base, sheet.rows)) == reason


def test_two_honest_machines_sign_each_others_accounts() -> None:
    """As far apart as a device may lie from a CPU: 3 % of a metric, a word that holds another number."""
    off = Merge(NEW, True, 30_040, "", tuple((name, value * 103 // 100 + 50) for name, value in METRICS))
    assert not why_not(sheet_of(off), GAINS)
    assert not why_not(sheet_of(GAINS), off)
    other = replace(WITHHELD, improvement=-4_040, note="no improvement: -0.004040 nats per direction")
    assert not why_not(sheet_of(other), WITHHELD)
    near = replace(GAINS, metrics=(("before.rank", 300), *METRICS[3:]))
    assert not why_not(sheet_of(replace(near, metrics=(("before.rank", 2_300), *METRICS[3:]))), near), (
        "a number near zero may be off by the tolerance"
    )


class Damaging:
    """A scorer of a merge that breaks every guard there is."""

    unit = "nats per token"

    def gain(self, weights: object) -> object:
        return type("Gain", (), {"mean": -1.0, "stderr": 0.5})()

    def metrics(self, weights: object) -> dict[str, float]:
        return {"rank": 0.1}

    def state_guards(self, base: object, candidate: object) -> tuple[str, ...]:
        low, high = (replace(SOUND, variance=v, sigreg=1e9, rank=0.0) for v in (0.01, 1e9))
        gates = Gates(healthy_variance=0.5)
        found = (*state_guards(SOUND, low, gates), *state_guards(SOUND, high, gates))
        return tuple(dict.fromkeys((*found, *absolute_guards(SOUND, low, gates))))

    merge_guards = state_guards


SOUND = Measured(*np.ones(9))


def test_every_word_that_a_merge_is_withheld_for_is_known_to_signers() -> None:
    hardly = replace(GAINS, improvement=1)
    found = judge_merge({}, {}, Damaging())  # type: ignore[arg-type]  # as much of a scorer as is asked
    assert found.note.count(";") == 4
    assert not why_not(sheet_of(replace(WITHHELD, note=found.note)), hardly)
    harmless = type("Harmless", (Damaging,), {"merge_guards": lambda *given: ()})()
    found = judge_merge({}, {}, harmless)
    assert found.note.startswith("no improvement: ")
    assert not why_not(sheet_of(replace(WITHHELD, note=found.note)), hardly)
