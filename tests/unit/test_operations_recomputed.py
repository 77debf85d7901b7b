"""A receipt is recomputed from signed scores, rules and chain; what is forged or cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from jepanet.addresses import checksum_address
from jepanet.errors import Fatal
from jepanet.operations.receipts import recomputed as module
from jepanet.operations.receipts.recomputed import recompute
from jepanet.operations.receipts.unreceipted import without_row
from jepanet.protocol.commitment import merkle_root, result_leaf
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.protocol.documents.typed_data import TypedData, signing_hash
from jepanet.protocol.settling.sheet import ScoreSheet, derive_sheet
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.protocol.state import Identity, NodeState, Round, Status
from jepanet.types import Address, BlockRef, CancelCause, RoundId
from round_samples import GOOD, HARM, MISSING, a_spec, account, digest, report_of, some_facts
from rpc_node import a_round

pytestmark = pytest.mark.unit

SPEC = a_spec(price=5 * 10**14)
KEYS = sorted(
    (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)), key=lambda key: str(key.address).lower()
)
FACTS = replace(some_facts(3, fee=2 * 10**18), members=tuple(checksum_address(key.address) for key in KEYS))


def signed(facts: RoundFacts, number: int) -> ScoreReport:
    def seal(typed: TypedData, who: Address) -> bytes:
        return bytes(KEYS[number].unsafe_sign_hash(signing_hash(typed)).signature)

    return report_of(facts, facts.members[number], [GOOD, HARM, MISSING], seal)


SHEET = derive_sheet(
    FACTS, SPEC, [signed(FACTS, number) for number in range(3)], model=digest("merged"), improvement=30_000
)


def forged(sheet: ScoreSheet) -> ScoreSheet:
    """One that pays a solver twice what is due, with a root that fits."""
    rows = tuple(replace(row, amount=2 * row.amount) for row in sheet.rows)
    made = replace(sheet, rows=rows)
    return replace(
        made,
        root=merkle_root([result_leaf(made.round_id, leaf) for leaf in made.leaves]),
        payout=sum(leaf.amount for leaf in made.leaves),
    )


def test_an_honest_sheet_is_recomputed_whole() -> None:
    found = recompute(SHEET, SPEC, FACTS)
    assert found.agrees is True and "3 signed reports" in found.said and "jepanet verify 7" in found.said


def test_attack_a_forged_payout_is_named() -> None:
    found = recompute(forged(SHEET), SPEC, FACTS)
    assert found.agrees is False and "does NOT follow" in found.said
    (paid,) = [row for row in SHEET.rows if row.amount]
    assert f"the row of {paid.solver} says amount {2 * paid.amount}, not {paid.amount}" in found.said


def test_attack_a_score_that_nobody_signed_is_named() -> None:
    report = SHEET.reports[0]
    lie = replace(report.scores[0], signature=report.scores[1].signature)
    reports = (replace(report, scores=(lie, *report.scores[1:])), *SHEET.reports[1:])
    found = recompute(replace(SHEET, reports=reports), SPEC, FACTS)
    assert found.agrees is False and "was signed by" in found.said


def test_what_cannot_be_recomputed_here_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    found = recompute(SHEET, None, FACTS)
    assert found.agrees is None and found.said.startswith("cannot be recomputed here: ")
    monkeypatch.setattr(module, "MOST_SIGNATURES", 8)
    found = recompute(SHEET, SPEC, FACTS)
    assert found.agrees is None and found.said.startswith("not recomputed here: 9 signatures")


# ------------------------------------------------------------------ who has no row


ME = account("solver", 0)


def seen(round_: Round, now: int) -> NodeState:
    return replace(
        NodeState(Identity(Address("0x" + "00" * 20), frozenset())),
        block=BlockRef(9, bytes(32), now),
        rounds={RoundId(9): round_},
    )


RUNNING = a_round(9, None, digest("spec"))
UNREVEALED = replace(RUNNING, reveals=RUNNING.reveals[1:])


def test_who_has_not_revealed_is_told_until_when_and_what_it_costs() -> None:
    early = without_row(seen(UNREVEALED, 1_080), UNREVEALED, ME)
    assert "has still to be revealed" in early.outcome and "until REVEAL is over" in early.advice
    late = without_row(seen(UNREVEALED, 1_300), UNREVEALED, ME)
    assert late.outcome == "committed and never revealed" and "as soon as somebody shows it" in late.bond
    slashed = replace(UNREVEALED, slashed=(ME,))
    assert without_row(seen(slashed, 1_300), slashed, ME).bond == "1 token, lost whole"


def test_who_has_revealed_is_told_why_there_is_no_row() -> None:
    waits = without_row(seen(RUNNING, 1_170), RUNNING, ME)
    assert "no result is recorded yet" in waits.outcome and waits.unlocks == 1_340 and waits.paid == 0
    ended = replace(RUNNING, status=Status.CANCELLED, cancel_cause=CancelCause.NOT_UNSEALED, ended_at=1_200)
    cancelled = without_row(seen(ended, 1_300), ended, ME)
    assert "evaluation shard not unsealed" in cancelled.outcome and cancelled.unlocks == 1_200
    recorded = a_round(9, digest("sheet"), digest("spec"))
    left_out = without_row(seen(recorded, 1_300), recorded, ME)
    assert "no-row" in left_out.outcome and "dispute" in left_out.advice


def test_who_never_committed_has_none_and_is_told_who_has() -> None:
    with pytest.raises(Fatal, match="did not commit") as caught:
        without_row(seen(RUNNING, 1_170), RUNNING, account("stranger"))
    assert ME in str(caught.value.remedy)
