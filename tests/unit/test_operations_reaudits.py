"""What `jepanet verify` says of a round's audits: who forged or skipped one, and what it could not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_protocol_audits import SHUT, report

from jepanet.errors import Rejected, Transient
from jepanet.operations.auditing import reaudits as reaudits_module
from jepanet.operations.auditing.reaudits import Again, Reaudits, compare_words
from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.types import Address, Digest
from jepanet.work.drawn_training import Finding, NotServed, Opened
from round_samples import GOOD, Vote, a_spec, digest, some_facts

pytestmark = pytest.mark.unit

FACTS = replace(some_facts(1), beacon=5)
(SOLVER,) = (item.solver for item in FACTS.reveals)
FINDING = Finding(None, "", (0, 3, 7), digest("finding"))
Told = list[tuple[str, bool, str]]


def told(again: Again | None, *said: tuple[Vote, Digest | None]) -> Told:
    """What is noted where the set's members said this, in their order."""
    found: Told = []
    reports = [
        report(FACTS, who, [vote], {SOLVER: word} if word else {})
        for who, (vote, word) in zip(FACTS.members, said, strict=False)
    ]
    seen = {} if again is None else {SOLVER: again}
    compare_words(FACTS, frozenset({SOLVER}), seen, reports, lambda *line: found.append(line))
    return found


def true_word(number: int) -> Digest:
    return audit_word(FINDING.word, FACTS.members[number])


def test_true_words_agree() -> None:
    found = told(Again(FINDING), (GOOD, true_word(0)), (GOOD, true_word(1)))
    assert all(agrees for _, agrees, _ in found)
    assert found[0] == (f"audit of {SOLVER}", True, "segments 0, 3, 7 lead where its delta says")
    assert found[-1] == ("audits", True, "1 drawn, 1 done again here; coordinators signed that they did 2")


@pytest.mark.parametrize(("word", "named"), [("copied", "forged"), ("made up", "forged"), (None, "skipped")])
def test_attack_a_word_that_no_audit_gave_is_named(word: str | None, named: str) -> None:
    false = {"copied": true_word(0), "made up": digest("made up"), None: None}[word]
    found = told(Again(FINDING), (GOOD, true_word(0)), (GOOD, false))
    wrong = [(what, detail) for what, agrees, detail in found if not agrees]
    assert wrong == [(f"audit by {FACTS.members[1]}", f"{named} the audit of {SOLVER}")]


def test_who_cannot_look_names_nobody_but_who_said_nothing() -> None:
    shut = Again(None, "not served any more")
    assert all(agrees for _, agrees, _ in told(shut, (GOOD, digest("any")), (SHUT, None)))
    wrong = [detail for _, agrees, detail in told(shut, (GOOD, None)) if not agrees]
    assert wrong == [f"skipped the audit of {SOLVER}"], "that takes no audit to see"


class Bench(Reaudits):
    """A machine that verifies a round of one drawn solver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcome: Opened | Exception) -> None:
        inputs: Any = SimpleNamespace(
            spec=a_spec(audit=AuditRule(8, 1000)), recipe=None, manifest=None, files=None
        )
        nothing: Any = SimpleNamespace()
        super().__init__(nothing, nothing, nothing, inputs, nothing, nothing)

        async def training_inputs(*given: Any, **named: Any) -> Any:
            return SimpleNamespace(shards=(), probe=None, seed=b"")

        async def open_training(*given: Any) -> Opened:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        async def audit_training(*given: Any) -> Finding:
            return FINDING

        for name, double in (
            ("training_inputs", training_inputs),
            ("open_training", open_training),
            ("audit_training", audit_training),
            ("model_cap", lambda recipe: 1),
            ("revealed_before", lambda *given: ()),
        ):
            monkeypatch.setattr(reaudits_module, name, double)

    async def found(self, delta: Path | None = Path("delta")) -> dict[Address, Again]:
        return await self.repeat(FACTS, {SOLVER: delta})


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (NotServed("state before segment 3"), "not served any more: state before segment 3"),
        (Transient("training shard: nobody"), "not served any more: training shard: nobody"),
        (Rejected("AVX2 here", reason="other-build"), "other build: AVX2 here"),
    ],
)
async def test_what_cannot_be_done_again_is_said_and_nothing_is_guessed(
    monkeypatch: pytest.MonkeyPatch, outcome: Exception, why: str
) -> None:
    assert await Bench(monkeypatch, outcome).found() == {SOLVER: Again(None, why)}


async def test_a_drawn_training_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Opened())
    assert await bench.found() == {SOLVER: Again(FINDING)}
    assert (await bench.found(None))[SOLVER].finding is None
    assert await Bench(monkeypatch, Opened(formless=True)).found() == {}, (
        "judging finds what is wrong with it"
    )


async def test_damaged_inputs_are_this_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Rejected):
        await Bench(monkeypatch, Rejected("hash", reason="altered-input")).found()
