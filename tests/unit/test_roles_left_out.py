"""A sheet that leaves out a report waits until two thirds of VERIFY, and no longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.errors import Transient
from jepanet.protocol.documents.scores import encode_report
from jepanet.protocol.off_chain import ProposedSheet, SignedResult, SignedScores
from jepanet.protocol.rounds import Round
from jepanet.protocol.settling.sheet import derive_sheet
from jepanet.roles.steps.left_out import wait_for_left_out
from jepanet.types import Address
from round_samples import GOOD, a_spec, digest, reports_of, some_facts

pytestmark = pytest.mark.unit

FACTS = some_facts(2, 3)
A, B, C = FACTS.members
NAME = digest("sheet")
VERIFY = 1_200


def waits(heard: dict[Address, int], *, at: int, now: int, of: int = 2, by_a_result: bool = False) -> bool:
    """Whether a sheet of the first `of` reports, which arrived `at`, waits; `heard`: reports and their times.
    All in seconds of VERIFY. `by_a_result`: another verifier signed it, which nobody was heard to propose."""
    reports = reports_of(FACTS, [[GOOD] * 2] * 3)
    sheet = derive_sheet(FACTS, a_spec(), reports[:of], model=digest("merged"), improvement=1)
    blobs = {digest(item.coordinator): item for item in reports}
    round_: Any = SimpleNamespace(
        id=FACTS.round_id, params=SimpleNamespace(verify_duration=VERIFY), reveal_end=0
    )
    round_.sheets_complete_until = Round.sheets_complete_until.fget(round_)  # type: ignore[attr-defined]
    round_.reports_awaited_until = lambda committed: Round.reports_awaited_until(round_, committed)
    known = SimpleNamespace(
        sheets=() if by_a_result else (ProposedSheet(A, NAME, at),),
        results=(SignedResult(A, NAME, 1, b"", at),) if by_a_result else (),
        scores=tuple(SignedScores(who, digest(who), when) for who, when in heard.items()),
    )
    context: Any = SimpleNamespace(
        off_chain=lambda number: known,
        state=lambda: SimpleNamespace(now=now),
        blobs=SimpleNamespace(read=lambda name, max_bytes: encode_report(blobs[name])),
        journal=SimpleNamespace(notes=lambda number: {}),
    )
    documents: Any = SimpleNamespace(spec=a_spec(committed_scores=True))
    try:
        wait_for_left_out(context, round_, FACTS, documents, sheet, NAME)
    except Transient as error:
        assert C in error.message
        return True
    return False


ALL = {A: 540, B: 540, C: 540}


def test_attack_a_sheet_that_leaves_out_a_report_waits_and_is_signed_at_two_thirds() -> None:
    assert waits(ALL, at=700, now=799)
    assert not waits(ALL, at=700, now=800)
    assert not waits(ALL, at=700, now=701, of=3)


def test_attack_a_sheet_that_one_verifier_signed_without_waiting_waits_for_the_others() -> None:
    """An aggregator and a verifier of its own would have the others sign after it."""
    assert waits(ALL, at=700, now=799, by_a_result=True)
    assert not waits(ALL, at=700, now=800, by_a_result=True)


def test_a_silent_or_late_coordinator_holds_up_nobody() -> None:
    assert not waits({A: 540, B: 540}, at=600, now=600)
    assert not waits({A: 540, B: 540, C: 690}, at=700, now=700)


def test_attack_a_sheet_built_before_it_is_late_lacks_nobody() -> None:
    assert waits({A: 540, B: 540}, at=570, now=571)
    assert waits(ALL, at=545, now=700)
