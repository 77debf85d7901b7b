"""What a node signs and records: nothing that its own measurement contradicts, whoever chose the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.contracts.all import Attestation
from jepanet.chain.keys.wallet_files import Wallet, recover_typed
from jepanet.errors import Rejected, Transient
from jepanet.protocol.documents.messages import Provide
from jepanet.protocol.documents.scores import Among, encode_report
from jepanet.protocol.documents.spec import MergeRule, NormCaps, UpdateRule
from jepanet.protocol.duties import (
    BuildSheet,
    CheckSheet,
    PublishResult,
    PublishSheet,
    SendRecord,
    SignSheet,
    SlashEquivocation,
)
from jepanet.protocol.facts import LocalResultSigned, LocalSheetChecked
from jepanet.protocol.settling.sheet import ScoreSheet, decode_sheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RoundFacts, decide
from jepanet.protocol.state import CheckedSheet, Own, SignedResult, SignedScores
from jepanet.roles import aggregator as aggregator_module
from jepanet.roles import coordinator as coordinator_module
from jepanet.roles.aggregator import Aggregator
from jepanet.roles.context import Turns
from jepanet.roles.coordinator import Coordinator
from jepanet.roles.steps import settlement as settlement_module
from jepanet.roles.steps import sheets as sheets_module
from jepanet.roles.steps.merging import Merge, nothing_merged
from jepanet.roles.steps.scoring import MEASURED, MEASURED_NOTE
from jepanet.roles.steps.settlement import Settlement
from jepanet.roles.steps.signed_results import result_message
from jepanet.telemetry import Secret
from jepanet.types import Address, Digest, Phase, Verdict
from jepanet.work.requests.scoring import ScoredDelta, ScoredDeltas
from round_samples import (
    CHAIN,
    CONTRACT,
    FAULT,
    GOOD,
    MISSING,
    Vote,
    a_spec,
    digest,
    recover,
    reports_of,
    resigned,
    some_facts,
)

pytestmark = pytest.mark.unit

NEW = digest("merged")
RICH: Vote = (Verdict.ACCEPTED, "accepted", 900_000_000, 0)
POOR: Vote = (Verdict.ACCEPTED, "accepted", 10, 2_000)
UNSURE: Vote = (Verdict.ACCEPTED, "accepted", 40_000, 900_000_000)
BARRED: Vote = (Verdict.EXCLUDED, "state-guard", 40_000, 2_000)


class Journal:
    """Notes and signatures of one node that measured `votes` itself."""

    def __init__(self, facts: RoundFacts, votes: Sequence[Vote]) -> None:
        self.kept: dict[str, str] = {}
        self.signed: list[bytes] = []
        self.measured(facts, votes)

    def measured(self, facts: RoundFacts, votes: Sequence[Vote], otherwise: Sequence[Vote] = ()) -> None:
        """`otherwise`: what would have been found a hair's breadth away."""
        own, other = (
            tuple(
                ScoredDelta(
                    item.solver, item.digest, *vote[:2], detail="", gain=vote[2], stderr=vote[3], metrics=()
                )
                for item, vote in zip(facts.reveals, found, strict=True)
            )
            if found
            else ()
            for found in (votes, otherwise)
        )
        self.kept[MEASURED_NOTE] = MEASURED.encode(ScoredDeltas((), own, otherwise=other)).decode()

    def notes(self, round_id: int) -> dict[str, str]:
        return self.kept

    def put_note(self, round_id: int, name: str, payload: str) -> None:
        self.kept[name] = payload

    def put_signature(self, kind: str, round_id: int, subject: str, seal: bytes, signature: bytes) -> None:
        self.signed.append(seal)


class Blobs:
    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def put_bytes(self, data: bytes, *, pin: str | None = None) -> Digest:
        name: Digest = digest(data.hex())
        self.held[name] = data
        return name

    def read(self, name: bytes, *, max_bytes: int) -> bytes:
        return self.held[name]

    def publish(self, name: bytes) -> None:
        pass


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a node's context for a round whose documents are here and whose merge is always good."""

    def make(facts: RoundFacts, votes: Sequence[Vote]) -> Any:
        documents = SimpleNamespace(spec=a_spec())
        blobs = Blobs()
        wallet = Wallet.from_key(Secret(b"\x07" * 32))
        round_ = SimpleNamespace(id=facts.round_id, base=facts.base, slashed=())
        off_chain = SimpleNamespace(scores=(), sheets=(), results=(), conflicting=())

        async def round_documents(context: Any, of: Any) -> Any:
            return documents

        async def obtain_bytes(context: Any, name: bytes, **limits: Any) -> bytes:
            return blobs.held[name]

        async def measure_merge(*given: Any) -> Merge:
            return Merge(NEW, True, 30_000, "", ())

        for module in (coordinator_module, aggregator_module):
            monkeypatch.setattr(module, "round_documents", round_documents)
            monkeypatch.setattr(module, "measure_merge", measure_merge)
            monkeypatch.setattr(module, "facts_of", lambda *given: facts)
        monkeypatch.setattr(coordinator_module, "obtain_document", obtain_bytes)
        monkeypatch.setattr(coordinator_module, "recover_typed", recover)
        return SimpleNamespace(
            me=wallet.address, wallet=wallet, chain_id=CHAIN, rounds_address=CONTRACT, blobs=blobs,
            journal=Journal(facts, votes), round=lambda round_id: round_, turns=Turns(),
            off_chain=lambda round_id: off_chain,
            state=lambda: SimpleNamespace(threshold=lambda of: facts.threshold),
        )  # fmt: skip

    return make


def sheet_of(facts: RoundFacts, votes: Sequence[Sequence[Vote]]) -> ScoreSheet:
    """The sheet of a proposer that picked these reports and no other."""
    return derive_sheet(facts, a_spec(), reports_of(facts, votes), model=NEW, improvement=30_000)


def refused_sheet(facts: RoundFacts) -> ScoreSheet:
    reports = reports_of(facts, [[REFUSED] * 2] * 2)
    note = nothing_merged(facts.base, decide(facts, reports)).note
    return derive_sheet(facts, a_spec(), reports, model=facts.base, improvement=0, note=note)


async def signs(context: Any, facts: RoundFacts, sheet: ScoreSheet) -> bool:
    name = context.blobs.put_bytes(encode_sheet(sheet))
    try:
        assert (await check_and_sign(context, facts, name)).sheet == name
    except Rejected as error:
        assert error.reason == "scores-disagree"
        assert context.journal.signed == []
        return False
    return True


async def check_and_sign(context: Any, facts: RoundFacts, name: Digest) -> LocalResultSigned:
    """What a node signs alone, when its turn has come."""
    (checked,) = await Coordinator(context).check_sheet(CheckSheet(facts.round_id, name))
    assert isinstance(checked, LocalSheetChecked) and context.journal.signed == []
    own = Own(checked=(CheckedSheet(name, checked.improvement, 0),))
    context.own = lambda round_id: own
    (signed,) = await Coordinator(context).sign_sheet(SignSheet(facts.round_id, name, context.me))
    assert isinstance(signed, LocalResultSigned) and len(context.journal.signed) == 1
    context.journal.signed.clear()
    return signed


# ------------------------------------------------------------------ signing


async def test_a_sheet_of_scores_as_measured_here_is_signed(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=5)
    assert await signs(desk(facts, [GOOD] * 2), facts, sheet_of(facts, [[GOOD] * 2] * 3))


@pytest.mark.parametrize("lie", [RICH, POOR, UNSURE, BARRED], ids=["rich", "poor", "unsure", "barred"])
async def test_attack_two_of_five_cannot_have_their_scores_signed_by_choosing_the_reports(
    desk: Any, lie: Vote
) -> None:
    facts = some_facts(solvers=2, coordinators=5)
    picked = sheet_of(facts, [[lie, GOOD], [lie, GOOD], [GOOD, GOOD]])
    assert not await signs(desk(facts, [GOOD] * 2), facts, picked)


async def test_attack_a_delta_measured_here_is_not_unavailable_because_a_minority_says_so(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=5)
    picked = sheet_of(facts, [[MISSING, GOOD], [MISSING, GOOD], [GOOD, GOOD]])
    assert not await signs(desk(facts, [GOOD] * 2), facts, picked)


async def test_attack_a_fault_found_nowhere_else_is_not_signed(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    assert not await signs(desk(facts, [GOOD] * 2), facts, sheet_of(facts, [[FAULT, GOOD]] * 2))


async def test_attack_a_delta_served_to_few_spoils_no_round(desk: Any) -> None:
    """More than a minority could not fetch it, or everybody has reported: then it is out for all."""
    facts = some_facts(solvers=2, coordinators=3)
    most = sheet_of(facts, [[MISSING, GOOD], [MISSING, GOOD]])
    assert await signs(desk(facts, [GOOD] * 2), facts, most)
    pair = some_facts(solvers=2, coordinators=2)
    complete = sheet_of(pair, [[MISSING, GOOD], [GOOD, GOOD]])
    assert await signs(desk(pair, [GOOD] * 2), pair, complete)


ZERO: Vote = (Verdict.EXCLUDED, "zero-delta", 0, 0)
COPY: Vote = (Verdict.EXCLUDED, "near-copy", 0, 0)
OUTLIER: Vote = (Verdict.EXCLUDED, "norm-outlier", 0, 0)
REFUSED: Vote = (Verdict.EXCLUDED, "shard-refused", 0, 0)
NAMED_TWICE: Vote = (Verdict.EXCLUDED, "duplicate", 0, 0)
FLAT: Vote = (Verdict.ACCEPTED, "accepted", 0, 0)
"""Accepted and worth nothing: no number tells it from one that is out."""
FLAT_HARM: Vote = (Verdict.EXCLUDED, "harm", 0, 0)


@pytest.mark.parametrize("refused_here", [True, False])
@pytest.mark.parametrize("refused_there", [True, False])
async def test_in_a_hairs_breadth_of_a_threshold_either_side_is_signed(
    desk: Any, refused_here: bool, refused_there: bool
) -> None:
    """A round would end without a result where honest machines find a base on both sides of `score.least`."""
    facts = some_facts(solvers=2, coordinators=3)
    sides = {True: [REFUSED] * 2, False: [GOOD] * 2}
    context = desk(facts, sides[refused_here])
    sheet = refused_sheet(facts) if refused_there else sheet_of(facts, [sides[False]] * 2)
    if refused_here != refused_there:
        assert not await signs(context, facts, sheet)
    context.journal.measured(facts, sides[refused_here], sides[not refused_here])
    assert await signs(context, facts, sheet)


async def test_attack_no_sheet_takes_some_deltas_from_one_side_and_some_from_the_other(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    context.journal.measured(facts, [GOOD] * 2, [REFUSED] * 2)
    assert not await signs(context, facts, sheet_of(facts, [[REFUSED, GOOD]] * 2))


@pytest.mark.parametrize("there", [ZERO, COPY, OUTLIER, REFUSED], ids=lambda vote: vote[1])
@pytest.mark.parametrize("here", [FLAT, FLAT_HARM], ids=lambda vote: vote[1])
async def test_attack_a_majority_names_a_reason_that_the_bytes_here_do_not_show(
    desk: Any, there: Vote, here: Vote
) -> None:
    """A part of the bond is at stake, and the gain says nothing: the reason itself is held."""
    facts = some_facts(solvers=2, coordinators=3)
    assert not await signs(desk(facts, [here, GOOD]), facts, sheet_of(facts, [[there, GOOD]] * 2))


@pytest.mark.parametrize("here", [ZERO, COPY, OUTLIER, REFUSED], ids=lambda vote: vote[1])
@pytest.mark.parametrize("there", [FLAT, FLAT_HARM], ids=lambda vote: vote[1])
async def test_attack_a_majority_passes_over_what_the_bytes_here_show(
    desk: Any, there: Vote, here: Vote
) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    assert not await signs(desk(facts, [here, GOOD]), facts, sheet_of(facts, [[there, GOOD]] * 2))


@pytest.mark.parametrize("both", [ZERO, COPY, OUTLIER, REFUSED, FLAT_HARM], ids=lambda vote: vote[1])
async def test_a_reason_that_is_found_here_too_is_signed(desk: Any, both: Vote) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    assert await signs(desk(facts, [both, GOOD]), facts, sheet_of(facts, [[both, GOOD]] * 2))


async def test_a_measured_reason_may_fall_on_either_side_of_its_cut(desk: Any) -> None:
    """Those who would not sign for such a difference would let anybody stop rounds with deltas on the cut."""
    facts = some_facts(solvers=2, coordinators=3)
    assert await signs(desk(facts, [FLAT, GOOD]), facts, sheet_of(facts, [[FLAT_HARM, GOOD]] * 2))


async def test_attack_two_of_five_call_a_first_commit_a_duplicate(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=5)
    picked = sheet_of(facts, [[NAMED_TWICE, GOOD], [NAMED_TWICE, GOOD], [GOOD, GOOD]])
    assert not await signs(desk(facts, [GOOD] * 2), facts, picked)


async def test_angles_and_medians_are_held_only_where_nobody_lacks_a_delta(desk: Any) -> None:
    """A twin that reached some only: the others cannot know, and a solver must not stop a round by that."""
    facts = some_facts(solvers=3, coordinators=3)
    told = sheet_of(facts, [[COPY, FLAT, GOOD]] * 2)
    assert await signs(desk(facts, [FLAT, MISSING, GOOD]), facts, told)
    partly = sheet_of(facts, [[COPY, FLAT, GOOD], [COPY, MISSING, GOOD], [FLAT, FLAT, GOOD]])
    assert await signs(desk(facts, [FLAT, FLAT, GOOD]), facts, partly)
    assert not await signs(desk(facts, [FLAT, FLAT, GOOD]), facts, told)


async def test_attack_a_liar_and_one_who_saw_nothing_take_no_part_of_a_bond(desk: Any) -> None:
    """Junk served to one proves nothing against a delta that is sound here, though all have reported."""
    facts = some_facts(solvers=2, coordinators=4)
    votes = [[BARRED, GOOD], [BARRED, GOOD], [MISSING, GOOD], [GOOD, GOOD]]
    sheet = sheet_of(facts, votes)
    assert sheet.rows[[row.solver for row in sheet.rows].index(facts.reveals[0].solver)].verdict is (
        Verdict.EXCLUDED
    )
    assert not await signs(desk(facts, [GOOD] * 2), facts, sheet)


async def test_what_could_not_be_fetched_here_is_left_to_those_who_could(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    assert await signs(desk(facts, [MISSING, GOOD]), facts, sheet_of(facts, [[GOOD] * 2] * 2))


# ------------------------------------------------------------------ building


def scores_of(members: Sequence[Address], names: Sequence[Digest]) -> tuple[SignedScores, ...]:
    return tuple(SignedScores(who, name) for who, name in zip(members, names, strict=True))


async def test_attack_a_liar_among_the_first_reports_does_not_end_the_aggregators_duty(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    reports = reports_of(facts, [[POOR, GOOD], [GOOD, GOOD], [GOOD, GOOD]])
    context = desk(facts, [GOOD] * 2)
    names = [context.blobs.put_bytes(encode_report(report)) for report in reports]
    off_chain = context.off_chain(facts.round_id)
    off_chain.scores = scores_of(facts.members[:2], names[:2])
    with pytest.raises(Transient, match="1 reports are out"):
        await Aggregator(context).build_sheet(BuildSheet(facts.round_id))
    off_chain.scores = scores_of(facts.members, names)
    assert await Aggregator(context).build_sheet(BuildSheet(facts.round_id))


async def test_scores_of_everybody_that_cannot_be_reproduced_are_not_built_on(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    reports = reports_of(facts, [[RICH, GOOD]] * 3)
    names = [context.blobs.put_bytes(encode_report(report)) for report in reports]
    context.off_chain(facts.round_id).scores = scores_of(facts.members, names)
    with pytest.raises(Rejected) as caught:
        await Aggregator(context).build_sheet(BuildSheet(facts.round_id))
    assert caught.value.reason == "scores-disagree"


# ------------------------------------------------------------------ recording


class Lens:
    """The round in VERIFY; everybody holds the minimum, but for those named with free and unbonding stake."""

    def __init__(self, stakes: Mapping[str, tuple[int, int]] | None = None) -> None:
        self._stakes = stakes or {}

    async def phase(self, round_id: int, block: str) -> Phase:
        return Phase.VERIFY

    async def account(self, who: str, block: str) -> Any:
        free, unbonding = self._stakes.get(who, (100, 0))
        return SimpleNamespace(free=free, unbonding=unbonding)


class Rounds:
    """Refuses what the contract refuses: a median improvement that contradicts the model."""

    def __init__(self) -> None:
        self.carried: list[int] = []
        self.signatures: set[bytes] = set()

    async def configuration(self, block: str) -> Any:
        return SimpleNamespace(minimum_verifier_stake=100)

    def record_training(self, *given: Any) -> Any:
        attestations: Sequence[Attestation] = given[-1]
        self.carried = sorted(item.improvement for item in attestations)
        self.signatures = {item.signature for item in attestations}
        return self


async def test_attack_a_signature_with_a_contradicting_improvement_does_not_stop_the_record(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    sheet = sheet_of(facts, [[GOOD] * 2] * 3)
    context = desk(facts, [GOOD] * 2)
    name = context.blobs.put_bytes(encode_sheet(sheet))
    keys = [Wallet.from_key(Secret(bytes([n]) * 32)) for n in (1, 2, 3)]

    def signed(who: Wallet, improvement: int) -> SignedResult:
        typed = result_message(context, sheet, name, improvement)
        return SignedResult(who.address, name, improvement, who.sign_typed(typed))

    rounds, lens = Rounds(), Lens()
    context.contracts = SimpleNamespace(rounds=rounds, lens=lens)

    async def submit(context: Any, key: str, call: Any) -> None:
        assert call is rounds

    monkeypatch.setattr(aggregator_module, "submit", submit)
    duty, off_chain = SendRecord(facts.round_id, name), context.off_chain(facts.round_id)
    off_chain.results = (signed(keys[0], -5), signed(keys[1], 30_000))
    with pytest.raises(Transient, match="1 valid signatures, 2 are needed"):
        await Aggregator(context).send_record(duty)
    off_chain.results += (signed(keys[2], 29_000),)
    await Aggregator(context).send_record(duty)
    assert rounds.carried == [29_000, 30_000]


async def test_attack_a_signature_of_a_verifier_without_stake_does_not_stop_the_record(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract refuses a record that carries one: it is left out, also where it is on its way out."""
    facts = some_facts(solvers=2, coordinators=3)
    sheet = sheet_of(facts, [[GOOD] * 2] * 3)
    context = desk(facts, [GOOD] * 2)
    name = context.blobs.put_bytes(encode_sheet(sheet))
    keys = [Wallet.from_key(Secret(bytes([n]) * 32)) for n in (1, 2, 3)]
    results = []
    for key in keys:
        typed = result_message(context, sheet, name, 30_000)
        results.append(SignedResult(key.address, name, 30_000, key.sign_typed(typed)))
    context.off_chain(facts.round_id).results = tuple(results)
    rounds, lens = Rounds(), Lens({keys[0].address: (60, 40), keys[1].address: (60, 39)})
    context.contracts = SimpleNamespace(rounds=rounds, lens=lens)

    async def submit(context: Any, key: str, call: Any) -> None:
        assert call is rounds

    monkeypatch.setattr(aggregator_module, "submit", submit)
    await Aggregator(context).send_record(SendRecord(facts.round_id, name))
    assert rounds.signatures == {results[0].signature, results[2].signature}


# ------------------------------------------------------------------ equivocation


@pytest.mark.parametrize("forged", [None, 0, 1, 2], ids=["none", "first", "second", "third"])
async def test_two_truly_signed_results_are_reported_whatever_else_was_said(
    desk: Any, monkeypatch: pytest.MonkeyPatch, forged: int | None
) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    liar = Wallet.from_key(Secret(b"\x01" * 32))
    sheets = [sheet_of(facts, [[GOOD] * 2] * n) for n in (2, 3)]
    names = [context.blobs.put_bytes(encode_sheet(sheet)) for sheet in sheets]
    said = []
    for number, (place, improvement) in enumerate(((0, 30_000), (1, 30_000), (1, 29_000))):
        typed = result_message(context, sheets[place], names[place], improvement)
        signature = bytes(65) if number == forged else liar.sign_typed(typed)
        said.append(SignedResult(liar.address, names[place], improvement, signature))
    off_chain = context.off_chain(facts.round_id)
    off_chain.results, off_chain.conflicting = (said[0],), tuple(said[1:])

    async def obtain_bytes(context: Any, name: bytes, **limits: Any) -> bytes:
        data: bytes = context.blobs.held[name]
        return data

    async def submit(context: Any, key: str, call: Any) -> None:
        sent.append((key, call))

    sent: list[tuple[str, Any]] = []
    context.contracts = SimpleNamespace(rounds=SimpleNamespace(slash_equivocation=lambda *proof: proof))
    monkeypatch.setattr(sheets_module, "obtain_bytes", obtain_bytes)
    monkeypatch.setattr(settlement_module, "submit", submit)
    duty = SlashEquivocation(facts.round_id, liar.address, names[1], 30_000)
    await Settlement(context).slash_equivocation(duty)
    ((key, (first, first_signature, second, second_signature)),) = sent
    assert key == f"equivocation/7/{liar.address}"
    assert first != second
    for result, signature in ((first, first_signature), (second, second_signature)):
        sheet = sheets[names.index(result.sheet)]
        typed = result_message(context, sheet, result.sheet, result.improvement)
        assert (result.root, result.model, result.payout) == (sheet.root, sheet.model, sheet.payout)
        assert recover_typed(typed, signature) == liar.address


async def test_attack_nobody_is_reported_for_results_it_did_not_sign(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    honest = Wallet.from_key(Secret(b"\x01" * 32))
    sheet = sheet_of(facts, [[GOOD] * 2] * 3)
    name = context.blobs.put_bytes(encode_sheet(sheet))
    true = honest.sign_typed(result_message(context, sheet, name, 30_000))
    off_chain = context.off_chain(facts.round_id)
    off_chain.results = (SignedResult(honest.address, name, 30_000, true),)
    off_chain.conflicting = (SignedResult(honest.address, name, 29_000, true),)

    async def obtain_bytes(context: Any, name: bytes, **limits: Any) -> bytes:
        data: bytes = context.blobs.held[name]
        return data

    monkeypatch.setattr(sheets_module, "obtain_bytes", obtain_bytes)
    with pytest.raises(Rejected) as caught:
        await Settlement(context).slash_equivocation(
            SlashEquivocation(facts.round_id, honest.address, name, 29_000)
        )
    assert caught.value.reason == "no-equivocation"


def test_the_lower_median_of_few_reports_is_where_two_of_five_want_it() -> None:
    """Why signers compare: the rule itself cannot tell who chose the reports."""
    facts = some_facts(solvers=1, coordinators=5)
    (found,) = decide(facts, reports_of(facts, [[RICH], [RICH], [GOOD]]))
    assert (found.verdict, found.gain) == (Verdict.ACCEPTED, RICH[2])


# ------------------------------------------------------------------ coded updates


RULED = a_spec(update=UpdateRule("int8"))


def ruled_sheet(facts: RoundFacts, update: Digest | None) -> ScoreSheet:
    reports = reports_of(facts, [[GOOD] * 2] * 3)
    return derive_sheet(facts, RULED, reports, model=NEW, improvement=30_000, update=update)


async def test_a_dropped_delta_is_held_against_the_merge_and_not_against_its_score(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was accepted here as there, so its row contradicts no score; whether it goes, the worker says."""
    spec = a_spec(merge=MergeRule(drop_sigmas_milli=1000))
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    dropped, kept = (item.digest for item in facts.reveals)
    asked: list[Any] = []

    async def round_documents(*given: Any) -> Any:
        return SimpleNamespace(spec=spec)

    async def measure_merge(context: Any, of: Any, documents: Any, *deltas: Any) -> Merge:
        asked.append(deltas)
        if len(asked) > 1:
            raise Rejected("it is not dropped here", reason="drops-disagree")
        return Merge(NEW, True, 30_000, "", ())

    monkeypatch.setattr(coordinator_module, "round_documents", round_documents)
    monkeypatch.setattr(coordinator_module, "measure_merge", measure_merge)
    sheet = derive_sheet(
        facts, spec, reports_of(facts, [[GOOD] * 2] * 3), model=NEW, improvement=30_000, dropped=(dropped,)
    )
    assert await signs(context, facts, sheet)
    assert asked == [((kept, dropped), (dropped,))]
    other = desk(facts, [GOOD] * 2)
    monkeypatch.setattr(coordinator_module, "round_documents", round_documents)
    monkeypatch.setattr(coordinator_module, "measure_merge", measure_merge)
    with pytest.raises(Rejected, match="not dropped here"):
        await Coordinator(other).check_sheet(
            CheckSheet(facts.round_id, other.blobs.put_bytes(encode_sheet(sheet)))
        )
    assert other.journal.signed == []


async def test_attack_a_sheet_that_waits_for_a_report_is_measured_meanwhile_and_not_signed(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until two thirds of VERIFY; a merge that is only begun then would be too late."""
    measured: list[Merge] = []

    def waits(*given: Any) -> None:
        if not measured or len(waited) < 2:
            waited.append(1)
            raise Transient("a report is left out")

    async def measure_merge(*given: Any) -> Merge:
        measured.append(Merge(NEW, True, 30_000, "", ()))
        return measured[-1]

    waited: list[int] = []

    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    monkeypatch.setattr(coordinator_module, "wait_for_left_out", waits)
    monkeypatch.setattr(coordinator_module, "measure_merge", measure_merge)
    sheet = sheet_of(facts, [[GOOD] * 2] * 2)
    for _ in range(2):
        with pytest.raises(Transient):
            await signs(context, facts, sheet)
        assert context.journal.signed == [] and len(measured) == 1
    assert await signs(context, facts, sheet) and len(measured) == 1


@pytest.mark.parametrize("forged", [True, False])
async def test_attack_nobody_signs_after_one_who_did_not(desk: Any, forged: bool) -> None:
    """Whoever names two sheets with false signatures splits the others at no loss to itself."""
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    name = context.blobs.put_bytes(encode_sheet(sheet_of(facts, [[GOOD] * 2] * 3)))
    other = Wallet.from_key(Secret(b"\x01" * 32))
    typed = result_message(context, sheet_of(facts, [[GOOD] * 2] * 3), name, 29_000)
    signature = bytes(65) if forged else other.sign_typed(typed)
    context.off_chain(facts.round_id).results = (SignedResult(other.address, name, 29_000, signature),)
    own = Own(checked=(CheckedSheet(name, 30_000, 0),))
    context.own = lambda round_id: own
    said = await Coordinator(context).sign_sheet(SignSheet(facts.round_id, name, other.address))
    assert len(said) == len(context.journal.signed) == (0 if forged else 1)


async def test_one_result_is_signed_of_a_sheet_that_was_checked(desk: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)
    name = context.blobs.put_bytes(encode_sheet(sheet_of(facts, [[GOOD] * 2] * 3)))
    checked = (CheckedSheet(name, 30_000, 0),)
    for own in (Own(), Own(checked=checked, result=SignedResult(context.me, name, 30_000, b"earlier"))):
        context.own = lambda round_id, own=own: own
        assert not await Coordinator(context).sign_sheet(SignSheet(facts.round_id, name, context.me))
    assert context.journal.signed == []


async def test_attack_second_numbers_of_a_minority_are_not_signed(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of five sway the median of three chosen reports: what is paid for is measured here as well."""
    spec = a_spec(pay_as_merged=True)
    facts = some_facts(solvers=3, coordinators=5)
    votes = [GOOD, GOOD, MISSING]

    async def round_documents(*given: Any) -> Any:
        return SimpleNamespace(spec=spec)

    def sheet(*gains: int) -> ScoreSheet:
        reports = []
        for report, gain in zip(reports_of(facts, [votes] * 3), gains, strict=True):
            scores = tuple(
                replace(score, among=Among(2, gain, 3_000)) if score.verdict is Verdict.ACCEPTED else score
                for score in report.scores
            )
            reports.append(resigned(facts, replace(report, scores=scores)))
        return derive_sheet(facts, spec, reports, model=NEW, improvement=30_000)

    context = desk(facts, votes)
    monkeypatch.setattr(coordinator_module, "round_documents", round_documents)
    found = MEASURED.decode(context.journal.kept[MEASURED_NOTE].encode())
    own = tuple(
        replace(item, among=Among(2, 58_000, 3_000)) if item.verdict is Verdict.ACCEPTED else item
        for item in found.judgements
    )
    context.journal.kept[MEASURED_NOTE] = MEASURED.encode(replace(found, judgements=own)).decode()
    assert not await signs(context, facts, sheet(58_000, 99_000, 99_000))
    assert await signs(context, facts, sheet(58_000, 58_500, 99_000))


@pytest.mark.parametrize(
    ("mine", "said", "reason"),
    [
        (Merge(digest("mine"), True, 30_000, "", ()), {"model": NEW, "improvement": 30_000}, "wrong-model"),
        (Merge(NEW, True, 30_000, "", ()), {"improvement": 0, "note": "no"}, "withheld-improvement"),
        (Merge(NEW, False, 0, "no", ()), {"model": NEW, "improvement": 30_000}, "no-improvement"),
        (Merge(NEW, True, 30_000, "", ()), {"model": NEW, "improvement": 10**9}, "wrong-improvement"),
        (Merge(NEW, True, 30_000, "", ()), {"model": NEW, "improvement": 1}, "wrong-improvement"),
    ],
)
async def test_attack_a_merge_that_comes_out_otherwise_here_is_not_signed(
    desk: Any, monkeypatch: pytest.MonkeyPatch, mine: Merge, said: dict[str, Any], reason: str
) -> None:
    """Another model, a good merge that is withheld, one that does not pass, a gain that nobody measured."""
    facts = some_facts(solvers=2, coordinators=3)
    context = desk(facts, [GOOD] * 2)

    async def measure_merge(*given: Any) -> Merge:
        return mine

    monkeypatch.setattr(coordinator_module, "measure_merge", measure_merge)
    sheet = derive_sheet(
        facts, a_spec(), reports_of(facts, [[GOOD] * 2] * 2), **{"model": facts.base, **said}
    )
    name = context.blobs.put_bytes(encode_sheet(sheet))
    with pytest.raises(Rejected) as refused:
        await Coordinator(context).check_sheet(CheckSheet(facts.round_id, name))
    assert (refused.value.reason, context.journal.signed) == (reason, [])


async def test_attack_a_reference_norm_that_the_merge_does_not_give_is_not_signed(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next round's lengths are held against it."""
    facts = some_facts(solvers=2, coordinators=3)
    spec = a_spec(norms=NormCaps(to_reference_milli=1000))
    norms = {item.digest: 5_000_000 for item in facts.reveals}

    async def round_documents(context: Any, of: Any) -> Any:
        return SimpleNamespace(spec=spec)

    async def measure_merge(*given: Any) -> Merge:
        return Merge(NEW, True, 30_000, "", (), norms=tuple(norms.items()))

    context = desk(facts, [GOOD] * 2)
    monkeypatch.setattr(coordinator_module, "round_documents", round_documents)
    monkeypatch.setattr(coordinator_module, "measure_merge", measure_merge)
    monkeypatch.setattr(coordinator_module, "serve_result", lambda *given: None)
    reports = reports_of(facts, [[GOOD] * 2] * 2)
    for reference in (5_000_000, 9_000_000):
        sheet = derive_sheet(facts, spec, reports, model=NEW, improvement=30_000, reference=reference)
        name = context.blobs.put_bytes(encode_sheet(sheet))
        if reference == 5_000_000:
            await Coordinator(context).check_sheet(CheckSheet(facts.round_id, name))
            continue
        with pytest.raises(Rejected) as refused:
            await Coordinator(context).check_sheet(CheckSheet(facts.round_id, name))
        assert refused.value.reason == "wrong-reference"


@pytest.fixture
def ruled(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A desk in a round with an update rule, whose merge gives `update` and `left`."""
    documents = SimpleNamespace(spec=RULED)

    async def round_documents(context: Any, of: Any) -> Any:
        return documents

    async def measure_merge(*given: Any) -> Merge:
        return Merge(NEW, True, 30_000, "", (), digest("update"), digest("left"))

    def make(facts: RoundFacts) -> Any:
        context = desk(facts, [GOOD] * 2)
        for module in (coordinator_module, aggregator_module):
            monkeypatch.setattr(module, "round_documents", round_documents)
            monkeypatch.setattr(module, "measure_merge", measure_merge)
        context.published, context.said = set(), []
        context.blobs.publish = context.published.add
        context.blobs.is_public = context.published.__contains__
        context.blobs.path = lambda name: name
        context.documents = SimpleNamespace(remainder_of=lambda path: digest("left"))
        context.network = SimpleNamespace(addresses=())

        async def say(body: Any) -> None:
            context.said.append(body)

        context.say = say
        return context

    return make


async def test_attack_a_sheet_with_another_update_is_not_signed(ruled: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    context = ruled(facts)
    name = context.blobs.put_bytes(encode_sheet(ruled_sheet(facts, digest("another update"))))
    with pytest.raises(Rejected) as caught:
        await Coordinator(context).check_sheet(CheckSheet(facts.round_id, name))
    assert caught.value.reason == "wrong-update"
    assert (context.journal.signed, context.published) == ([], set())


async def test_mergers_serve_and_announce_model_update_and_remainder(ruled: Any) -> None:
    facts = some_facts(solvers=2, coordinators=3)
    made = {NEW, digest("update"), digest("left")}
    signer = ruled(facts)
    name = signer.blobs.put_bytes(encode_sheet(ruled_sheet(facts, digest("update"))))
    signed = await check_and_sign(signer, facts, name)
    assert signer.published == made | {name}, "those who sign after it need the sheet"
    signer.own = lambda round_id: SimpleNamespace(result=signed)
    await Coordinator(signer).publish_result(PublishResult(facts.round_id))
    assert {body.digest for body in signer.said if isinstance(body, Provide)} == made | {name}

    builder = ruled(facts)
    reports = reports_of(facts, [[GOOD] * 2] * 3)
    names = [builder.blobs.put_bytes(encode_report(report)) for report in reports]
    builder.off_chain(facts.round_id).scores = scores_of(facts.members, names)
    (built,) = await Aggregator(builder).build_sheet(BuildSheet(facts.round_id))
    assert decode_sheet(builder.blobs.held[built.sheet]).update == digest("update")
    assert builder.published == made | {built.sheet}
    builder.own = lambda round_id: SimpleNamespace(sheet=built.sheet)
    await Aggregator(builder).publish_sheet(PublishSheet(facts.round_id))
    assert {body.digest for body in builder.said if isinstance(body, Provide)} == made | {built.sheet}
