"""Phases at their borders: the rules of `TrainingRounds.phase`, second by second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol_facts import (
    COMMIT_END,
    OPENED,
    OTHER,
    OUTSIDER,
    REVEAL_END,
    REVEAL_START,
    ROUND,
    SOLVER,
    VERIFY_END,
    beacon,
    cancelled,
    committed,
    log,
    node,
    play,
    prologue,
    recorded,
    revealed,
    settled,
    unsealed,
)

from jepanet.protocol import facts
from jepanet.protocol.state import LONGEST_DISPUTE, Round
from jepanet.types import Phase

pytestmark = pytest.mark.unit


def round_after(*told: Any) -> Round:
    state, _ = play(node(OUTSIDER), *prologue(), *told)
    return state.rounds[ROUND]


FULL = ("commit", "beacon", "unseal", "reveal")


def facts_of(*names: str) -> list[Any]:
    table: dict[str, Callable[[], Any]] = {
        "commit": lambda: committed(SOLVER),
        "beacon": beacon,
        "unseal": unsealed,
        "reveal": lambda: revealed(SOLVER),
    }
    return [table[name]() for name in names]


@pytest.mark.parametrize(
    ("known", "now", "expected"),
    [
        ((), OPENED, Phase.COMMIT),
        ((), COMMIT_END - 1, Phase.COMMIT),
        ((), COMMIT_END, Phase.CANCELLABLE),
        (("commit",), COMMIT_END - 1, Phase.COMMIT),
        (("commit",), COMMIT_END, Phase.GAP),
        (("commit",), REVEAL_START - 1, Phase.GAP),
        (("commit",), REVEAL_START, Phase.REVEAL),
        (("commit",), REVEAL_END - 1, Phase.REVEAL),
        (("commit",), REVEAL_END, Phase.CANCELLABLE),
        (("commit", "reveal"), REVEAL_END, Phase.CANCELLABLE),
        (("commit", "beacon", "unseal"), REVEAL_END, Phase.CANCELLABLE),
        (FULL, REVEAL_END - 1, Phase.REVEAL),
        (FULL, REVEAL_END, Phase.VERIFY),
        (FULL, VERIFY_END - 1, Phase.VERIFY),
        (FULL, VERIFY_END, Phase.CANCELLABLE),
    ],
)
def test_before_a_record(known: tuple[str, ...], now: int, expected: Phase) -> None:
    assert round_after(*facts_of(*known)).phase(now) is expected


def test_commits_closed_early_move_everything_after_them() -> None:
    round_ = round_after(*facts_of("commit"), log(facts.ChainCommitsClosed, 1020, at=1020))
    assert [round_.phase(t) for t in (1019, 1020, 1029, 1030, 1119)] == [
        Phase.COMMIT,
        Phase.GAP,
        Phase.GAP,
        Phase.REVEAL,
        Phase.REVEAL,
    ]
    assert round_.reveal_end == 1120


def test_reveals_closed_early_start_verify_at_once() -> None:
    round_ = round_after(*facts_of(*FULL), log(facts.ChainRevealsClosed, 1090, at=1090))
    assert [round_.phase(t) for t in (1089, 1090, 1209, 1210)] == [
        Phase.REVEAL,
        Phase.VERIFY,
        Phase.VERIFY,
        Phase.CANCELLABLE,
    ]


def test_a_record_opens_the_challenge_window_whatever_verify_had_left() -> None:
    round_ = round_after(*facts_of(*FULL), recorded(challenge_end=1400))
    assert round_.phase(VERIFY_END) is Phase.CHALLENGE
    assert round_.phase(1399) is Phase.CHALLENGE
    assert round_.phase(1400) is Phase.SETTLEABLE


def test_a_dispute_ends_with_its_resolution_or_with_the_arbiters_time() -> None:
    def challenged() -> Any:
        return log(facts.ChainChallenged, 1350, challenger=OTHER, evidence=bytes(32))

    def resolved(overturned: bool) -> Any:
        return log(facts.ChainResolved, 1380, overturned=overturned)

    disputed = round_after(*facts_of(*FULL), recorded(), challenged())
    assert disputed.phase(1401) is Phase.DISPUTED
    assert disputed.phase(1350 + LONGEST_DISPUTE - 1) is Phase.DISPUTED
    assert disputed.phase(1350 + LONGEST_DISPUTE) is Phase.SETTLEABLE

    back = round_after(*facts_of(*FULL), recorded(), challenged(), resolved(overturned=False))
    assert [back.phase(t) for t in (1399, 1400)] == [Phase.CHALLENGE, Phase.SETTLEABLE]

    over = round_after(*facts_of(*FULL), recorded(), challenged(), resolved(overturned=True))
    assert over.phase(1400) is Phase.DISPUTED, "the cancellation in the same transaction ends it"


@pytest.mark.parametrize(
    ("end", "expected"),
    [(settled, Phase.SETTLED), (cancelled, Phase.CANCELLED)],
    ids=("settled", "cancelled"),
)
def test_an_end_is_final(end: Any, expected: Phase) -> None:
    round_ = round_after(*facts_of(*FULL), recorded(), end())
    assert {round_.phase(t) for t in (0, COMMIT_END, 1399, 10**12)} == {expected}
