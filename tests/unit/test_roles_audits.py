"""Audits as part of scoring: done once, waited for as long as a delta, held against what others sign."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_protocol_audits import SHUT, WRONG, report
from test_roles_results import Journal

from jepanet.errors import Exit, Rejected, Transient
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts, decide
from jepanet.roles.steps import audits as audits_module
from jepanet.roles.steps import missing as missing_module
from jepanet.roles.steps import scoring as scoring_module
from jepanet.roles.steps.audits import (
    Audited,
    Audits,
    CannotAudit,
    as_found,
    believed,
    check_words,
    noted,
)
from jepanet.roles.steps.missing import Missing, grace_end
from jepanet.roles.steps.scoring import check_against_own
from jepanet.types import Address, Digest, Verdict
from jepanet.work.drawn_training import Finding, NotServed, Opened
from jepanet.work.requests.request import WorkerDied
from jepanet.work.requests.scoring import ScoredDelta
from round_samples import GOOD, Vote, a_spec, digest, some_facts

pytestmark = pytest.mark.unit

SPEC = a_spec(audit=AuditRule(8, 1000))
FINDING = digest("finding")


class Bench:
    """A node that scores a round whose only solver is drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, votes: Sequence[Vote] = (GOOD,)) -> None:
        self.facts: RoundFacts = replace(some_facts(len(votes)), beacon=5)
        self.journal = Journal(self.facts, votes)
        self.now, self.traced = 0, list[str]()
        self.held: dict[Digest, Path] = {}
        self.opens: Opened | Exception = Opened()
        self.finds: Finding | Exception = Finding(None, "", (0, 1), FINDING)
        self.worked = 0
        self.round: Any = SimpleNamespace(
            id=self.facts.round_id, reveal_end=1000, params=SimpleNamespace(verify_duration=400)
        )
        self.documents: Any = SimpleNamespace(spec=SPEC)
        self.context: Any = SimpleNamespace(
            journal=self.journal, trace=self.traced.append, jobs=None,
            state=lambda: SimpleNamespace(now=self.now), blobs=SimpleNamespace(path=self.held.get),
        )  # fmt: skip

        self.missing, self.deaths = Missing(self.context), Counter[Digest]()

        async def open_training(*given: Any) -> Opened:
            if isinstance(self.opens, Exception):
                raise self.opens
            return self.opens

        async def audit_training(*given: Any) -> Finding:
            self.worked += 1
            if isinstance(self.finds, Exception):
                raise self.finds
            return self.finds

        async def training(own: Any, item: Any, delta: Path) -> Any:
            return None

        monkeypatch.setattr(audits_module, "open_training", open_training)
        monkeypatch.setattr(audits_module, "audit_training", audit_training)
        monkeypatch.setattr(Audits, "_training", training)

    async def audit(self, *, served: bool = True, drawn: bool = True) -> Audited | None:
        item = self.facts.reveals[0]
        whom = [item.solver] if drawn else []
        audits = Audits(self.context, self.round, self.documents, whom, self.missing, self.deaths)
        return await audits.audit(item, Path("delta") if served else None)

    @property
    def noted(self) -> Mapping[Address, Audited]:
        return noted(self.context, self.facts.round_id)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


# ------------------------------------------------------------------ doing them


async def test_a_finding_is_noted_and_never_looked_for_again(bench: Bench) -> None:
    found = await bench.audit()
    assert found is not None and (found.reason, found.word) == (None, FINDING)
    assert bench.traced == ["audit:noted"]
    bench.opens, bench.finds = NotServed("gone"), Finding("not-reproduced", "x", (), digest("other"))
    assert await bench.audit() == found and bench.worked == 1, "a killed node goes on with what it had found"
    assert bench.noted == {bench.facts.reveals[0].solver: found}


async def test_nobody_who_was_not_drawn_is_audited(bench: Bench) -> None:
    assert await bench.audit(drawn=False) is None
    assert not bench.noted and not bench.worked


async def test_what_is_no_delta_is_left_to_judging(bench: Bench) -> None:
    bench.opens = Opened(formless=True)
    assert await bench.audit() is None
    assert not bench.noted and not bench.worked


async def test_what_is_not_open_is_waited_for_as_long_as_a_delta(bench: Bench) -> None:
    bench.opens = NotServed("state before segment 3: nobody has it")
    for now in (bench.round.reveal_end, grace_end(bench.round) - 1):
        bench.now = now
        with pytest.raises(Transient, match="not open yet"):
            await bench.audit()
    assert not bench.noted
    bench.now += 8
    found = await bench.audit()
    assert found is not None and (found.reason, found.word) == ("not-opened", None)


async def test_a_blip_late_in_verify_takes_no_bond(bench: Bench) -> None:
    """A failure long ago and one now, however often it is tried again at once, are no three."""
    bench.opens = NotServed("no provider")
    for now in (bench.round.reveal_end, grace_end(bench.round) + 50, grace_end(bench.round) + 57):
        bench.now = now
        with pytest.raises(Transient, match="not open yet"):
            await bench.audit()
    bench.opens = Opened()
    found = await bench.audit()
    assert found is not None and found.reason is None


async def fetched(bench: Bench, item: RevealedDelta, file: Digest) -> None:
    async with bench.missing.asking(bench.round, item.digest, file):
        bench.held[file] = Path("file")


async def test_what_arrives_ends_the_count_of_failures_and_what_lies_here_does_not(bench: Bench) -> None:
    item, end = bench.facts.reveals[0], grace_end(bench.round)
    for now in (end - 60, end - 50, end - 40):
        bench.now = now
        assert not bench.missing.gives_up(bench.round, item.digest)
    await fetched(bench, item, digest("a state"))
    bench.now = end
    assert not bench.missing.gives_up(bench.round, item.digest)
    await fetched(bench, item, digest("a state"))  # looked for again, and still here
    bench.now = end + 10
    assert not bench.missing.gives_up(bench.round, item.digest)
    bench.now = end + 25
    assert bench.missing.gives_up(bench.round, item.digest)


async def test_attack_a_file_now_and_then_holds_nobody_longer(bench: Bench) -> None:
    item, end = bench.facts.reveals[0], grace_end(bench.round)
    found = []
    for number in range(4):
        bench.now = end + 8 * number
        await fetched(bench, item, digest(f"state {number}"))
        found.append(bench.missing.gives_up(bench.round, item.digest))
    assert found == [False, False, False, True]


async def test_attack_a_solver_that_drips_holds_nobody_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file would come at last, ten VERIFYs later."""
    monkeypatch.setattr(missing_module, "_LEAST_SECONDS", 0.2)
    bench.round.params.verify_duration = 0  # a sixteenth of it is less than that
    item, file = bench.facts.reveals[0], digest("a state")
    bench.now = grace_end(bench.round)
    for _ in range(2):
        with pytest.raises(Transient, match="too slowly"):
            async with asyncio.timeout(5), bench.missing.asking(bench.round, item.digest, file):
                await asyncio.sleep(1000)
    assert bench.missing.gives_up(bench.round, item.digest)
    other = bench.missing.gives_up(bench.round, digest("another delta"))
    assert not other, "who is not slow is not held for it"


async def test_room_that_this_node_lacks_is_no_time_that_a_solver_took(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_module, "_LEAST_SECONDS", 0.05)
    bench.round.params.verify_duration = 0
    item = bench.facts.reveals[0]
    bench.now = grace_end(bench.round)
    for _ in range(3):
        with pytest.raises(Transient, match="full"):
            async with bench.missing.asking(bench.round, item.digest, digest("a state")):
                await asyncio.sleep(0.02)
                raise Transient("full", code=Exit.DISK_FULL)
    async with bench.missing.asking(bench.round, item.digest, digest("a state")):
        await asyncio.sleep(0.01)


async def test_a_node_that_has_just_started_knows_nobody_and_blames_nobody(bench: Bench) -> None:
    """Killed in VERIFY and back a little late: nothing can be fetched before its first peer is there."""
    bench.opens, bench.now = NotServed("no provider"), grace_end(bench.round) + 100
    with pytest.raises(Transient):
        await bench.audit()
    bench.missing = Missing(bench.context)  # killed once more
    bench.now += 24
    with pytest.raises(Transient):
        await bench.audit()
    bench.opens = Opened()
    found = await bench.audit()
    assert found is not None and found.reason is None


async def test_attack_a_drawn_solver_that_does_not_even_serve_its_delta(bench: Bench) -> None:
    """To be `unavailable` costs a part of the bond: less than to be caught."""
    found = await bench.audit(served=False)
    assert found is not None and found.reason == "not-opened"


@pytest.mark.parametrize(
    "error",
    [
        Transient("the worker ended"),
        Transient("full", code=Exit.DISK_FULL),
        Rejected("x", reason="other-build"),
        Rejected("x", reason="other-trace"),
    ],
)
async def test_what_this_node_cannot_do_is_no_finding(bench: Bench, error: Exception) -> None:
    bench.now = 10**9
    for place in ("opens", "finds"):
        setattr(bench, place, error)
        with pytest.raises(type(error)):
            await bench.audit()
        assert not bench.noted


async def test_attack_a_training_whose_audit_kills_the_worker_ends_no_round(bench: Bench) -> None:
    """For a while it may be the machine; then the node says nothing of the solver, and scores the others."""
    for error in (
        WorkerDied("the worker ended with status -11"),
        Transient("no memory left", code=Exit.OUT_OF_MEMORY),
    ):
        bench.finds, bench.now = error, 0
        bench.deaths.clear()
        for _ in range(5):
            with pytest.raises(Transient):
                await bench.audit()
        bench.now = grace_end(bench.round)
        with pytest.raises(CannotAudit, match=error.message):
            await bench.audit()
        bench.deaths.clear()
        for _ in range(2):
            with pytest.raises(Transient):
                await bench.audit()
        for _ in range(2):
            with pytest.raises(CannotAudit, match=error.message):
                await bench.audit()
        assert not bench.noted, "a machine that has a worker again looks anew"


@pytest.mark.parametrize("reason", ["worker-error", "took-too-long", "malformed", "other-transcript"])
@pytest.mark.parametrize("place", ["opens", "finds"])
async def test_attack_a_training_that_is_refused_ends_no_round(bench: Bench, reason: str, place: str) -> None:
    setattr(bench, place, Rejected("x", reason=reason))
    with pytest.raises(CannotAudit):
        await bench.audit()
    assert not bench.noted


async def test_of_what_cannot_be_audited_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing:
        async def audit(self, item: Any, delta: Any) -> None:
            raise CannotAudit("x")

    async def fetched(*given: Any) -> tuple[Path, None]:
        return Path("delta"), None

    scoring: Any = scoring_module.Scoring(SimpleNamespace(state=None))  # type: ignore[arg-type]
    monkeypatch.setattr(scoring_module.Scoring, "_delta", fetched)
    first, second = some_facts(2).reveals
    found = await scoring._deltas(None, None, [first, second], Refusing())
    nothing = (None, "not-audited")
    assert found == {first.digest: nothing, second.digest: nothing}


def test_a_finding_becomes_the_verdict() -> None:
    facts = some_facts(2)
    plain = ScoredDelta(
        facts.reveals[0].solver, facts.reveals[0].digest, Verdict.ACCEPTED, "accepted", "", 5, 1, ()
    )
    audited = {
        plain.solver: Audited(plain.digest, "not-reproduced", "segment 2: \x1b[2J ü" + "x" * 300, FINDING)
    }
    found = as_found(plain, audited)
    assert (found.verdict, found.reason, found.gain, found.stderr) == (
        Verdict.INVALID,
        "not-reproduced",
        0,
        0,
    )
    assert len(found.detail) == 240 and found.detail.isprintable() and found.detail.isascii()
    other = replace(plain, digest=facts.reveals[1].digest)  # the later of two that reveal one digest
    assert as_found(other, {plain.solver: audited[plain.solver]}) is other
    sound = {plain.solver: Audited(plain.digest, None, "", FINDING)}
    assert as_found(plain, sound) is plain


# ------------------------------------------------------------------ what others sign


def told(facts: RoundFacts, who: Address, vote: Vote, word: Digest | None) -> ScoreReport:
    (solver,) = (item.solver for item in facts.reveals)
    return report(facts, who, [vote], {solver: word} if word else {})


def honest(bench: Bench) -> list[ScoreReport]:
    members = bench.facts.members
    return [told(bench.facts, who, GOOD, audit_word(FINDING, who)) for who in members[:2]]


async def test_honest_words_are_believed_and_signed(bench: Bench) -> None:
    await bench.audit()
    reports = honest(bench)
    assert believed(bench.context, bench.facts, bench.documents, reports) == reports
    check_words(bench.context, bench.facts, bench.documents, reports)


async def test_the_word_of_another_build_is_believed_where_the_rules_are_tolerant(bench: Bench) -> None:
    near = digest("near")
    bench.finds = Finding(None, "", (0, 1), FINDING, (near,))
    await bench.audit()
    who = bench.facts.members[2]
    reports = [*honest(bench), told(bench.facts, who, GOOD, audit_word(near, who))]
    assert believed(bench.context, bench.facts, bench.documents, reports) == reports
    check_words(bench.context, bench.facts, bench.documents, reports)


@pytest.mark.parametrize("how", ["copied", "made up", "skipped"])
async def test_attack_a_word_that_no_audit_gave(bench: Bench, how: str) -> None:
    await bench.audit()
    reports, liar = honest(bench), bench.facts.members[2]
    copied = reports[0].scores[0].audit
    word = {"copied": copied, "made up": digest("made up"), "skipped": None}[how]
    false = told(bench.facts, liar, GOOD, word)
    assert believed(bench.context, bench.facts, bench.documents, [*reports, false]) == reports
    with pytest.raises(Rejected, match=liar) as refused:
        check_words(bench.context, bench.facts, bench.documents, [*reports, false])
    assert refused.value.reason == "audit-forged"


async def test_who_could_not_look_calls_nobody_a_liar(bench: Bench) -> None:
    bench.opens = NotServed("nobody has it")
    for now in (10**6, 10**7):
        bench.now = now
        with pytest.raises(Transient):
            await bench.audit()
    bench.now = 10**9
    await bench.audit()
    reports = [*honest(bench), told(bench.facts, bench.facts.members[2], GOOD, digest("made up"))]
    assert believed(bench.context, bench.facts, bench.documents, reports) == reports
    check_words(bench.context, bench.facts, bench.documents, reports)


async def test_attack_a_report_on_an_audit_that_nobody_drew_spoils_no_sheet(bench: Bench) -> None:
    facts = bench.facts
    bench.documents = SimpleNamespace(spec=a_spec())
    plain = [told(facts, who, GOOD, None) for who in facts.members[:2]]
    for false in (
        told(facts, facts.members[2], WRONG, None),
        told(facts, facts.members[2], GOOD, digest("w")),
    ):
        assert believed(bench.context, facts, bench.documents, [*plain, false]) == plain


# ------------------------------------------------------------------ rounds in which some could not look


@pytest.mark.parametrize(
    ("mine", "votes", "signs"),
    [
        (WRONG, [WRONG, WRONG, GOOD], True),
        (GOOD, [WRONG, WRONG, GOOD], False),  # a bond is not taken for what is reproduced here
        (WRONG, [GOOD, GOOD, WRONG], False),  # nor is paid for what is not
        (SHUT, [GOOD, GOOD, SHUT], True),  # it was opened to the others
        (SHUT, [WRONG, WRONG, SHUT], True),
        (GOOD, [SHUT, SHUT, GOOD], True),  # it was opened here, but not to as many as it takes
        (GOOD, [SHUT, GOOD, GOOD], True),
        (WRONG, [SHUT, WRONG, SHUT], True),
        (GOOD, [SHUT, WRONG, GOOD], False),
    ],
)
def test_a_solver_that_opens_to_some_alone_stalls_no_round(
    monkeypatch: pytest.MonkeyPatch, mine: Vote, votes: list[Vote], signs: bool
) -> None:
    bench = Bench(monkeypatch, [mine])
    reports = [report(bench.facts, who, [vote]) for who, vote in zip(bench.facts.members, votes, strict=True)]
    decisions = decide(bench.facts, reports)
    if signs:
        check_against_own(bench.context, bench.facts, reports, decisions, 2000)
    else:
        with pytest.raises(Rejected, match="cannot be reproduced"):
            check_against_own(bench.context, bench.facts, reports, decisions, 2000)


@pytest.mark.parametrize("code", [Exit.DISK_FULL, Exit.NOT_RUNNING, Exit.TRY_AGAIN])
async def test_a_delta_that_this_node_has_no_room_for_is_not_called_unavailable(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: Exit
) -> None:
    """A store that others' deltas filled, or a network that was stopped, takes nobody's bond."""

    async def obtain(*given: Any, **limits: Any) -> Path:
        raise Transient("not here", code=code)

    monkeypatch.setattr(scoring_module, "obtain", obtain)
    bench.now = 10**9
    scoring, item = scoring_module.Scoring(bench.context), bench.facts.reveals[0]
    if code is Exit.TRY_AGAIN:
        for _ in range(2):
            with pytest.raises(Transient):
                await scoring._delta(bench.round, SPEC, item)
            bench.now += 25
        assert await scoring._delta(bench.round, SPEC, item) == (None, None)
        return
    with pytest.raises(Transient):
        await scoring._delta(bench.round, SPEC, item)
