"""A project over all its rounds: what counts, who comes first, and where the chain of models is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jepanet.operations.projects.course import Course, project_of, rounds_of, solvers_of
from jepanet.operations.reading import chronicle as chronicle_module
from jepanet.operations.reading.chronicle import MOST_ROUNDS, Chronicle, Founding, Noted, Said, SaidOfRound
from jepanet.operations.reading.sheets import ReadSheet, RowOfSheet, key_of
from jepanet.operations.views.rounds import HeldOut
from jepanet.protocol.facts import ChainRoundCancelled, ChainRoundOpened
from jepanet.protocol.state import Identity, NodeState, Project, Recorded, Round, Status
from jepanet.types import ZERO_DIGEST, Address, BlockRef, CancelCause, Digest, ProjectId, RoundId
from round_samples import account, digest
from rpc_node import a_round

pytestmark = pytest.mark.unit

ANNA, BEN = account("solver", 1), account("solver", 2)
FIRST = digest("first")
AT = BlockRef(5, bytes(32), 500)


def a_sheet(*rows: tuple[Address, bool, int, int], stderr: int | None = 900) -> ReadSheet:
    return ReadSheet(stderr, "", HeldOut({}, {}), tuple(RowOfSheet(*row) for row in rows))


def recorded(number: int, base: Digest, model: Digest, payout: int, status: Status = Status.SETTLED) -> Round:
    told = Recorded(bytes(32), model, digest(f"sheet {number}"), payout, 5, 1400, bytes(32), 7)
    return replace(a_round(number, None, digest("spec")), base=base, recorded=told, status=status)


def a_course(*rounds: Round, sheets: dict[str, ReadSheet], opened: int | None = None, **past: Any) -> Course:
    project = Project(
        ProjectId(1), account("proposer"), digest("recipe"), digest("data"), digest("two"), bytes(32), 8, 1,
        digest("metadata"), rounds=len(rounds) if opened is None else opened,
    )  # fmt: skip
    state = NodeState(
        Identity(account("nobody"), frozenset()),
        block=AT,
        projects={ProjectId(1): project},
        rounds={item.id: item for item in rounds},
    )
    chronicle = Chronicle(founded={ProjectId(1): Founding(FIRST, Said(b"t" * 32, AT))}, **past)
    named = {f"sheet {item.id}": key_of(item) for item in rounds}
    return Course.of(state, chronicle, {named[name]: item for name, item in sheets.items()}, ProjectId(1))


ONE, TWO = digest("one"), digest("two")
ROUNDS = (
    recorded(1, FIRST, ONE, 30),
    recorded(2, ONE, ONE, 2),
    recorded(3, ONE, TWO, 20),
    recorded(4, TWO, digest("overturned"), 50, Status.CANCELLED),
    recorded(5, TWO, digest("three"), 10, Status.OPEN),
)
SHEETS = {
    "sheet 1": a_sheet((ANNA, True, 40, 20), (BEN, False, -9, 0)),
    "sheet 2": a_sheet((ANNA, True, 3, 0), stderr=None),
    "sheet 4": a_sheet((ANNA, True, 70, 50)),
    "sheet 5": a_sheet((BEN, True, 15, 8)),
}


def test_what_was_cancelled_counts_for_nothing_and_what_may_be_overturned_is_apart() -> None:
    found = project_of(a_course(*ROUNDS, sheets=SHEETS))
    assert (found.merged, found.withheld, found.cancelled, found.settled) == (3, 1, 1, 3)
    assert (int(found.paid), int(found.open)) == (52, 10)
    assert (found.solvers, found.sheets, found.awaited) == (2, 3, 1)
    assert (found.newest, found.exported, found.improvement) == (3, 3, 15)
    assert found.unlinked == () and found.left_out == 0


def test_solvers_are_added_up_over_the_sheets_that_were_read() -> None:
    anna, ben = solvers_of(a_course(*ROUNDS, sheets=SHEETS))
    assert (anna.solver, anna.deltas, anna.accepted, anna.gain, anna.newest) == (ANNA, 2, 2, 43, 2)
    assert (int(anna.paid), int(anna.open)) == (20, 0)
    assert (ben.place, ben.deltas, ben.accepted, ben.gain) == (2, 2, 1, 15)
    assert (int(ben.paid), int(ben.open)) == (0, 8), "a gain that was not merged is none"


def test_a_round_without_its_sheet_is_told_by_the_chain_alone() -> None:
    course = a_course(*ROUNDS, sheets=SHEETS, said={RoundId(3): SaidOfRound(Said(b"o" * 32, AT))})
    newest, cancelled, third, second, _ = rounds_of(course)
    assert (third.outcome, third.sheet_read, third.stderr, third.heldout) == ("merged", False, None, None)
    assert third.opened is not None and third.opened.transaction == "0x" + (b"o" * 32).hex()
    assert third.recorded is None and second.opened is None
    assert (second.outcome, second.sheet_read, second.stderr) == ("withheld", True, None)
    assert (cancelled.outcome, cancelled.final) == ("cancelled", True)
    assert (newest.outcome, newest.final, newest.stderr) == ("merged", False, 900)


def test_attack_a_model_that_came_from_nowhere_is_named() -> None:
    forged = replace(ROUNDS[2], base=digest("elsewhere"))
    broken = a_course(ROUNDS[0], ROUNDS[1], forged, sheets={})
    assert project_of(broken).unlinked == (3,)
    assert [item.follows for item in rounds_of(broken)] == [False, True, True]
    not_from_the_first = a_course(replace(ROUNDS[0], base=digest("elsewhere")), sheets={})
    assert project_of(not_from_the_first).unlinked == (1,)


def test_where_older_rounds_are_left_out_the_first_held_one_follows_from_nothing_known() -> None:
    found = project_of(a_course(*ROUNDS[2:], sheets={}, opened=5))
    assert (found.left_out, found.unlinked) == (2, ())


def opened(number: int, project: int = 1) -> Noted:
    fact = ChainRoundOpened(
        RoundId(number),
        ProjectId(project),
        ANNA,
        a_round(1, None, ZERO_DIGEST).params,
        FIRST,
        1,
        bytes(32),
        1,
        AT,
        0,
    )
    return Noted(fact, number.to_bytes(32, "big"))


def test_a_chronicle_keeps_what_a_state_forgets_up_to_a_bound() -> None:
    rounds = {RoundId(n): ROUNDS[0] for n in range(1, MOST_ROUNDS + 3)}
    kept = {RoundId(MOST_ROUNDS + 2): ROUNDS[0]}
    told = Chronicle().after([opened(1), opened(2), opened(MOST_ROUNDS + 2)], rounds, rounds)
    after = told.after((), rounds, kept)
    assert told.past == {} and len(after.past) == MOST_ROUNDS and min(after.past) == 2
    assert set(after.said) == {2, MOST_ROUNDS + 2}, "and of whom nothing is kept, no transaction is"
    ended = Noted(ChainRoundCancelled(RoundId(2), CancelCause.NO_COMMITS, 0, AT, 1), b"e" * 32)
    last = after.after([ended], kept, kept).said[RoundId(2)].ended
    assert last is not None and last.transaction == b"e" * 32
    assert after.said[RoundId(2)].ended is None, "what was answered does not change"


def test_attack_rounds_of_strangers_push_out_none_of_a_smaller_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chronicle_module, "MOST_ROUNDS", 6)
    mine = {RoundId(n): ROUNDS[0] for n in (1, 2, 3)}
    others = {RoundId(n): replace(ROUNDS[0], project_id=ProjectId(2)) for n in range(4, 40)}
    told = Chronicle().after((), {**mine, **others}, {})
    assert set(told.past) == {1, 2, 3, 37, 38, 39}
    alone = Chronicle(only=ProjectId(1)).after([opened(3), opened(4, 2)], {**mine, **others}, {})
    assert set(alone.past) == {1, 2, 3} and set(alone.said) == {3}
