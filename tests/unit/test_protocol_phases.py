"""Phases at their borders: the rules of the contracts' `Phases`, second by second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from protocol_facts import (
    COMMIT_END,
    OPENED,
    OUTSIDER,
    REVEAL_END,
    REVEAL_START,
    ROUND,
    SOLVER,
    VERIFY_END,
    beacon,
    cancelled,
    challenged,
    committed,
    log,
    node,
    play,
    prologue,
    recorded,
    resolved,
    revealed,
    settled,
    unsealed,
)

from jepanet.protocol import facts
from jepanet.protocol.state import LONGEST_DISPUTE, Round
from jepanet.types import Address, Phase

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
RESOLVE = 259_200


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


def test_every_further_challenge_gives_the_arbiter_its_whole_time() -> None:
    told = (*facts_of(*FULL), recorded(), challenged(1350), challenged(1390, SOLVER))
    disputed = round_after(*told)
    assert disputed.phase(1390 + LONGEST_DISPUTE - 1) is Phase.DISPUTED
    assert disputed.phase(1390 + LONGEST_DISPUTE) is Phase.SETTLEABLE
    upheld = round_after(*told, resolved(overturned=False))
    assert [upheld.phase(t) for t in (1399, 1400)] == [Phase.CHALLENGE, Phase.SETTLEABLE]


def test_commit_lasts_to_its_half_although_every_place_is_taken() -> None:
    """`CommitsClosed` may name a time to come."""
    round_ = round_after(*facts_of("commit"), log(facts.ChainCommitsClosed, 1005, at=1030))
    assert [round_.phase(t) for t in (1029, 1030, 1040)] == [Phase.COMMIT, Phase.GAP, Phase.REVEAL]


def test_phases_are_the_contracts_on_shared_vectors() -> None:
    cases = json.loads((ROOT / "tests" / "vectors" / "phases.json").read_text())["cases"]
    assert {int(case["phase"]) for case in cases} == {int(phase) for phase in Phase} - {0}
    for case in cases:
        round_ = round_of(case)
        assert round_.phase(int(case["time"]), RESOLVE) == int(case["phase"]), case


def round_of(case: dict[str, Any]) -> Round:
    """A round with the facts of a vector, made from events."""
    solvers = [Address(f"0x{n:040x}") for n in range(100, 100 + int(case["commits"]))]
    terms = {
        name: int(case[key])
        for name, key in (
            ("gap", "gap"),
            ("reveal_duration", "revealDuration"),
            ("verify_duration", "verifyDuration"),
        )
    }
    told: list[Any] = [committed(who, index) for index, who in enumerate(solvers)]
    told += [revealed(who) for who in solvers[: int(case["reveals"])]]
    told += [unsealed()] if case["unsealed"] else []
    told += [recorded(challenge_end=int(case["challengeEnd"]))] if case["recorded"] else []
    told += [challenged(int(case["resolveEnd"]) - RESOLVE)] if case["disputed"] else []
    told += [settled()] if case["settled"] else []
    told += [cancelled()] if case["cancelled"] else []
    first = prologue(changes={**terms}, commit_end=int(case["commitEnd"]))
    state, _ = play(node(OUTSIDER), *first, *told)
    return state.rounds[ROUND]
