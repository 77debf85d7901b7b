"""Who has which duty, and when. One rule a test; hostile facts beside the honest ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from protocol_facts import (
    AGGREGATOR,
    COMMIT_END,
    OPENED,
    OTHER,
    OUTSIDER,
    PROJECT,
    PROPOSER,
    REVEAL_END,
    REVEAL_START,
    ROUND,
    SOLVER,
    VERIFIERS,
    VERIFY_END,
    ask,
    beacon,
    block,
    cancelled,
    challenged,
    committed,
    digest,
    fixed,
    log,
    node,
    opened,
    params,
    play,
    prepared,
    project,
    prologue,
    recorded,
    resolved,
    result,
    revealed,
    sealed,
    settled,
    slashed,
    unsealed,
    verify_phase,
)

from jepanet.protocol import duties, facts
from jepanet.protocol.due.open_rules import SLASHED_AT_ONCE
from jepanet.protocol.due.table import round_duties
from jepanet.protocol.due.view import COURTESY, MAX_REPEATS, REPEAT
from jepanet.protocol.journal_codec import decode_state, encode_state
from jepanet.protocol.state import (
    KEPT_OF_PROJECT,
    KEPT_ROUNDS,
    FailedDuty,
    ProposedSheet,
    Round,
    SignedScores,
)
from jepanet.types import Address, BlockRef, CancelCause, ProjectId, Role, RoundId, SlashCause

pytestmark = pytest.mark.unit

S, C, A, P = Role.SOLVER, Role.COORDINATOR, Role.AGGREGATOR, Role.PROPOSER
C0, C1, C2 = VERIFIERS


def kinds(asked: list[duties.Duty]) -> list[str]:
    return [type(duty).__name__ for duty in asked]


# ------------------------------------------------------------------ solver


def test_a_solver_prepares_trains_and_commits_in_that_order() -> None:
    state, first = play(node(SOLVER, S), *prologue(), block(OPENED))
    assert first == [duties.PrepareRound(ROUND)]
    state, second = play(state, prepared())
    assert second == [duties.TrainShard(ROUND)]
    state, third = play(state, sealed())
    assert third == [duties.SendCommit(ROUND)]
    _, nothing = play(state, block(OPENED + 1), sealed(), prepared())
    assert nothing == []


def test_training_that_ends_after_commit_is_not_committed() -> None:
    assert ask(node(SOLVER, S), *prologue(), prepared(), block(COMMIT_END), sealed()) == []


def test_a_full_round_is_left_alone() -> None:
    crowd = [committed(OTHER), committed(OUTSIDER, 1)]
    assert ask(node(SOLVER, S), *prologue(rounds_max_solvers=2), *crowd, block(OPENED)) == []
    assert ask(node(SOLVER, S), *prologue(rounds_max_solvers=3), *crowd, block(OPENED)) != []


def test_a_verifier_of_the_round_never_trains_in_it() -> None:
    _, asked = play(node(C0, S, C), *prologue(), block(OPENED), prepared(), sealed(), block(OPENED + 9))
    assert kinds(asked) == ["PrepareRound"]


def test_reveal_waits_for_the_confirmed_end_of_the_gap_and_for_the_own_commit() -> None:
    start = [*prologue(), prepared(), sealed(), block(OPENED)]
    state, _ = play(node(SOLVER, S), *start, committed(SOLVER))
    for now in (COMMIT_END - 1, COMMIT_END, REVEAL_START - 1):
        assert duties.SendReveal(ROUND) not in play(state, block(now))[1]
    assert duties.SendReveal(ROUND) in ask(state, block(REVEAL_START))
    assert duties.SendReveal(ROUND) not in ask(state, block(REVEAL_END)), "too late: the contract refuses it"
    without, _ = play(node(SOLVER, S), *start, committed(OTHER))
    assert duties.SendReveal(ROUND) not in ask(without, block(REVEAL_START))


def test_the_delta_is_published_only_after_the_own_reveal_is_confirmed() -> None:
    state, _ = play(
        node(SOLVER, S), *prologue(), prepared(), sealed(), committed(SOLVER), committed(OTHER, 1)
    )
    state, before = play(state, block(REVEAL_START), revealed(OTHER), block(REVEAL_START + 40))
    assert "PublishDelta" not in kinds(before)
    state, after = play(state, revealed(SOLVER))
    assert kinds(after) == ["PublishDelta"]


def test_repetitions_are_spaced_and_end() -> None:
    state, _ = play(node(SOLVER, S), *prologue(), prepared(), sealed(), committed(SOLVER), revealed(SOLVER))
    published: list[int] = []
    for now in range(REVEAL_START, VERIFY_END + 3000):
        state, asked = play(state, block(now))
        published += [now] * kinds(asked).count("PublishDelta")
    assert len(published) == MAX_REPEATS + 1
    assert all(b - a == REPEAT for a, b in pairwise(published))


def test_nothing_is_published_of_a_round_that_was_cancelled() -> None:
    state, _ = play(node(SOLVER, S), *prologue(), prepared(), sealed(), committed(SOLVER), revealed(SOLVER))
    state, before = play(state, block(REVEAL_START))
    assert kinds(before) == ["PublishDelta"]
    state, _ = play(state, cancelled(CancelCause.NOT_UNSEALED))
    assert "PublishDelta" not in kinds(play(state, block(REVEAL_START + 3 * REPEAT))[1])


# ------------------------------------------------------------------ proposer and what anyone may do


def test_a_round_is_asked_for_once_and_the_next_one_after_its_end() -> None:
    state, asked = play(node(PROPOSER, P, rounds=2), project(), block(900), block(901), block(902))
    assert asked == [duties.OpenRound(PROJECT, 1)]
    state, asked = play(state, opened(), block(OPENED), block(OPENED + 1))
    assert asked == [duties.AnnounceRound(ROUND, 0)]
    state, asked = play(state, cancelled(CancelCause.NO_COMMITS), block(1500), block(1501))
    assert asked == [duties.OpenRound(PROJECT, 2)]
    _, asked = play(
        state,
        opened(RoundId(8)),
        replace(cancelled(CancelCause.NO_COMMITS), round_id=RoundId(8)),
        block(1700),
    )
    assert "OpenRound" not in kinds(asked), "two rounds were wanted"


def test_only_the_proposer_announces_its_round_again_and_again_while_commits_are_open() -> None:
    state, _ = play(node(PROPOSER, P), project(), opened())
    first = [duties.AnnounceRound(ROUND, 0)]
    assert play(state, block(OPENED), block(OPENED + 1))[1] == first, "once within an interval"
    assert play(state, block(OPENED), block(OPENED + 6))[1] == [*first, duties.AnnounceRound(ROUND, 1)]
    assert ask(state, block(COMMIT_END)) == [duties.SendCancel(ROUND)]
    assert ask(node(OUTSIDER, P), project(), opened(), block(OPENED)) == []


def test_nobody_else_opens_rounds() -> None:
    for state in (node(PROPOSER, S, rounds=2), node(SOLVER, P, rounds=2), node(PROPOSER, P)):
        assert play(state, project(), block(900))[1] == []


def test_projects_are_visited_in_the_same_order_after_a_snapshot() -> None:
    state, _ = play(node(PROPOSER, P, rounds=1), *(project(ProjectId(n)) for n in (2, 10, 1)))
    restored = decode_state(encode_state(state), state.me)
    fact = block(900)
    assert ask(restored, fact) == ask(state, fact) == [duties.OpenRound(ProjectId(n), 1) for n in (1, 2, 10)]


def test_commits_are_closed_by_a_call_once_commit_is_over() -> None:
    start = [*prologue(), committed(SOLVER)]
    mine, others = play(node(PROPOSER, P), *start)[0], play(node(OUTSIDER), *start)[0]
    assert "CloseCommits" not in kinds(ask(mine, block(COMMIT_END - 1)))
    assert ask(mine, block(COMMIT_END)) == [duties.CloseCommits(ROUND)]
    assert ask(others, block(COMMIT_END + COURTESY - 1)) == []
    assert ask(others, block(COMMIT_END + COURTESY)) == [duties.CloseCommits(ROUND)]
    first = fixed(10**6)
    assert ask(mine, first, block(COMMIT_END + 1)) == []
    assert ask(play(node(PROPOSER, P), *prologue())[0], block(COMMIT_END)) == [duties.SendCancel(ROUND)]


def block_at(number: int, timestamp: int) -> facts.ChainBlock:
    return facts.ChainBlock(BlockRef(number, number.to_bytes(32), timestamp))


def test_the_beacon_is_drawn_once_the_fixed_block_is_confirmed() -> None:
    mine, others = node(PROPOSER, P), node(OUTSIDER)
    start = [*prologue(), committed(SOLVER), fixed(10**6)]
    draw = duties.DrawBeacon(ROUND, 10**6)
    for state in (mine, others):
        state, _ = play(state, *start)
        state, asked = play(state, block_at(10**6 - 1, REVEAL_START))
        assert asked == []
        state, asked = play(state, block_at(10**6, REVEAL_START + 30))
        assert asked == ([draw] if state.me == mine.me else [])
        state, asked = play(state, block_at(10**6 + 1, REVEAL_START + 30 + COURTESY - 1))
        assert asked == []
        assert ask(state, block_at(10**6 + 2, REVEAL_START + 30 + COURTESY)) == (
            [] if state.me == mine.me else [draw]
        )
    late = ask(mine, *start, block_at(10**6, REVEAL_END))
    assert "DrawBeacon" not in kinds(late) and duties.SendCancel(ROUND) in late
    assert ask(mine, *start, beacon(), block_at(10**6, REVEAL_START)) == [duties.UnsealShard(ROUND, 5)]
    waiting, _ = play(others, *start, block_at(10**6, REVEAL_START + 30))
    drawn = block_at(10**6 + 2, REVEAL_START + 30 + COURTESY)
    assert "DrawBeacon" not in kinds(ask(waiting, beacon(), drawn))  # by somebody else meanwhile


def test_a_beacon_that_was_missed_is_drawn_by_the_block_that_replaced_it() -> None:
    state, _ = play(node(PROPOSER, P), *prologue(), committed(SOLVER), fixed(10**6))
    state, _ = play(state, block_at(10**6 + 300, REVEAL_START))
    again = replace(fixed(10**6 + 302), block=BlockRef(10**6 + 300, bytes(32), REVEAL_START))
    state, asked = play(state, again, block_at(10**6 + 301, REVEAL_START + 1))
    assert asked == []
    assert ask(state, block_at(10**6 + 302, REVEAL_START + 2)) == [duties.DrawBeacon(ROUND, 10**6 + 302)]


def test_only_the_proposer_unseals_and_only_the_drawn_shard() -> None:
    start = [*prologue(), committed(SOLVER), beacon(3)]
    assert ask(node(PROPOSER, P), *start, block(REVEAL_START)) == [duties.UnsealShard(ROUND, 3)]
    assert ask(node(OUTSIDER, P), *start, block(REVEAL_START)) == []
    assert ask(node(PROPOSER, P), *start, unsealed(), block(REVEAL_START)) == []


@pytest.mark.parametrize("late", [(), ("recorded",)])
def test_a_deserter_is_slashed_by_others_but_not_by_itself(late: tuple[str, ...]) -> None:
    more = [recorded(at=REVEAL_END + 1)] if late else []
    told = [*verify_phase(), *more, block(REVEAL_END + COURTESY)]
    slash = duties.SlashNonReveal(ROUND, OTHER)
    assert slash in play(node(SOLVER), *told)[1]
    assert slash not in play(node(OTHER), *told)[1]
    assert slash not in play(node(SOLVER), *told[:-1], slashed(OTHER), told[-1])[1]
    assert slash in play(node(PROPOSER, P), *verify_phase())[1], "the proposer need not wait"


def test_attack_a_thousand_silent_commits_keep_no_transaction_waiting() -> None:
    """All at once they take a thousand nonces, behind which the next reveal waits, and the gas for it."""
    crowd = [Address(f"0x{n:040x}") for n in range(1000, 2000)]
    told = [
        *verify_phase(),
        *(committed(who, n) for n, who in enumerate(crowd, 2)),
        block(REVEAL_END + COURTESY),
    ]
    state, asked = play(node(SOLVER), *told)
    first = [item.solver for item in asked if isinstance(item, duties.SlashNonReveal)]
    assert first == [OTHER, *crowd[: SLASHED_AT_ONCE - 1]]
    state, asked = play(state, slashed(OTHER), slashed(crowd[0]), block(REVEAL_END + COURTESY + 1))
    following = [item.solver for item in asked if isinstance(item, duties.SlashNonReveal)]
    assert following == crowd[SLASHED_AT_ONCE - 1 : SLASHED_AT_ONCE + 1], "and so on"
    _, asked = play(node(OUTSIDER, S), *told)
    assert not [item for item in asked if isinstance(item, duties.SlashNonReveal)], "nor those of strangers"


def test_an_expired_round_is_cancelled_and_an_unchallenged_one_settled() -> None:
    assert ask(node(PROPOSER, P), *prologue(), block(COMMIT_END)) == [duties.SendCancel(ROUND)]
    state, _ = play(node(SOLVER), *verify_phase())
    assert duties.SendCancel(ROUND) not in ask(state, block(VERIFY_END + COURTESY - 1))
    assert duties.SendCancel(ROUND) in ask(state, block(VERIFY_END + COURTESY))
    state, _ = play(state, recorded(challenge_end=1400))
    assert duties.SendSettle(ROUND) not in ask(state, block(1400 + COURTESY - 1))
    assert duties.SendSettle(ROUND) in ask(state, block(1400 + COURTESY))


@pytest.mark.parametrize("role", [S, C, A, P])
def test_attack_nobody_pays_for_the_end_of_a_round_that_it_has_no_part_in(role: Role) -> None:
    """A round without a commit costs its maker gas alone. Ended by all who follow every project, it would
    cost each of them some too."""
    alone, full = [*prologue(), block(COMMIT_END + COURTESY)], [*verify_phase()]
    stuck, done = [*full, block(VERIFY_END + COURTESY)], [*full, recorded(), block(1400 + COURTESY)]
    for told, by, duty in (
        (alone, C0, duties.SendCancel(ROUND)),
        (stuck, SOLVER, duties.SendCancel(ROUND)),
        (done, C0, duties.SendSettle(ROUND)),
        (done, SOLVER, duties.SendSettle(ROUND)),
    ):
        assert duty not in play(node(OUTSIDER, role), *told)[1]
        assert duty in play(node(by, role), *told)[1]


# ------------------------------------------------------------------ coordinator


def scored(who: Address) -> list[facts.Fact]:
    return [*verify_phase(), facts.LocalScored(ROUND, digest(f"scores of {who}"))]


def test_a_coordinator_scores_in_verify_only() -> None:
    start = verify_phase()
    state, _ = play(node(C0, C), *start[:-1])
    assert "ScoreDeltas" not in kinds(ask(state, block(REVEAL_END - 1)))
    assert duties.ScoreDeltas(ROUND) in ask(state, block(REVEAL_END))
    assert "ScoreDeltas" not in kinds(play(node(OUTSIDER, C), *start)[1]), "not of this round's set"


def test_a_sheet_is_checked_only_if_its_sender_was_admitted() -> None:
    state, _ = play(node(C0, C), *scored(C0))
    for stranger in (OUTSIDER, SOLVER, PROPOSER):
        after, asked = play(state, facts.PeerSheet(ROUND, stranger, digest("forged")), block(VERIFY_END - 1))
        assert "CheckSheet" not in kinds(asked) and after.off_chain[ROUND].sheets == ()
    assert ask(state, facts.PeerSheet(ROUND, AGGREGATOR, digest("s"))) == [
        duties.CheckSheet(ROUND, digest("s"))
    ]


def test_sheets_of_higher_rank_wait_for_those_of_lower() -> None:
    state, _ = play(node(C0, C), *scored(C0), block(REVEAL_END + 50))
    sheet = facts.PeerSheet(ROUND, C1, digest("second"))  # rank 2: after the aggregator and C0
    state, asked = play(state, sheet, block(REVEAL_END + 50 + 2 * COURTESY - 1))
    assert "CheckSheet" not in kinds(asked)
    assert duties.CheckSheet(ROUND, digest("second")) in ask(state, block(REVEAL_END + 50 + 2 * COURTESY))
    late, _ = play(node(C0, C), *scored(C0), facts.PeerSheet(ROUND, C2, digest("last")))
    assert duties.CheckSheet(ROUND, digest("last")) in ask(late, block(REVEAL_END + 40)), (
        "a third of VERIFY at most"
    )


def test_one_sender_has_one_sheet_one_report_and_one_result() -> None:
    state, _ = play(node(C0, C, A), *scored(C0))
    for n in range(50):
        state, _ = play(
            state,
            facts.PeerSheet(ROUND, C1, digest(f"{n}")),
            facts.PeerScored(ROUND, C1, digest(f"{n}")),
            result(C1, f"{n}"),
        )
    known = state.off_chain[ROUND]
    assert known.sheets == (ProposedSheet(C1, digest("0"), REVEAL_END),)
    assert known.scores[1:] == (SignedScores(C1, digest("0"), REVEAL_END),)
    assert [item.sheet for item in known.results] == [digest("0")]


def test_a_verifier_heard_with_two_results_is_reported_by_every_node() -> None:
    for who, role in ((SOLVER, S), (C0, C), (AGGREGATOR, A), (PROPOSER, Role.PROPOSER)):
        state, _ = play(node(who, role), *verify_phase(), result(C1, "first"))
        assert ask(state, result(C1, "first")) == []
        duty = duties.SlashEquivocation(ROUND, C1, digest("second"), 5)
        state, asked = play(state, result(C1, "second"), result(C1, "second"), block(REVEAL_END + 1))
        assert [item for item in asked if isinstance(item, duties.SlashEquivocation)] == [duty]
        assert duty in list(round_duties(state, state.rounds[ROUND]))
        state, _ = play(state, slashed(C1, SlashCause.EQUIVOCATION))
        assert duty not in list(round_duties(state, state.rounds[ROUND]))


def test_attack_a_round_of_many_solvers_costs_their_number_not_its_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = [OTHER, *(Address(f"0x{n:040x}") for n in range(100, 140))]
    told = [committed(who, n) for n, who in enumerate(crowd)]
    state, _ = play(node(PROPOSER, Role.PROPOSER), *prologue(), *told, beacon(), unsealed())
    state, _ = play(state, *(revealed(who) for who in crowd[1:]), block(REVEAL_END))
    looks: list[Address] = []
    monkeypatch.setattr(Round, "reveal_of", lambda round_, who: looks.append(who))
    asked = list(round_duties(state, state.rounds[ROUND]))
    assert [item.solver for item in asked if isinstance(item, duties.SlashNonReveal)] == [OTHER]
    assert len(looks) < 5


def test_two_improvements_on_one_sheet_are_two_results() -> None:
    state, _ = play(node(SOLVER, S), *verify_phase(), result(C1))
    duty = duties.SlashEquivocation(ROUND, C1, digest("sheet"), 6)
    assert ask(state, facts.PeerResult(ROUND, C1, digest("sheet"), 6, b"other")) == [duty]


def test_results_kept_as_evidence_are_bounded_and_never_against_oneself() -> None:
    state, _ = play(node(C0, C), *verify_phase(), *(result(C1, f"{n}") for n in range(50)))
    assert [item.sheet for item in state.off_chain[ROUND].conflicting] == [
        digest(f"{n}") for n in range(1, 5)
    ]
    state, asked = play(state, *(result(C0, f"{n}") for n in range(3)))
    assert len(state.off_chain[ROUND].conflicting) == 4 and "SlashEquivocation" not in kinds(asked)


def test_after_the_own_result_no_other_sheet_is_checked() -> None:
    state, _ = play(node(C0, C), *scored(C0))
    signed = facts.LocalResultSigned(ROUND, digest("s"), 5, b"mine")
    state, asked = play(state, facts.PeerSheet(ROUND, AGGREGATOR, digest("s")), signed)
    assert asked[-1] == duties.PublishResult(ROUND, 0)
    _, asked = play(state, facts.PeerSheet(ROUND, C2, digest("t")), block(VERIFY_END - 1))
    assert "CheckSheet" not in kinds(asked)


def test_a_result_heard_back_with_the_own_key_bars_a_second_one() -> None:
    """After a lost disk the network remembers what this key signed; two results cost the stake."""
    state, _ = play(node(C0, C), *scored(C0), result(C0, "before the crash"))
    state, asked = play(state, facts.PeerSheet(ROUND, AGGREGATOR, digest("s")), block(VERIFY_END - 1))
    assert "CheckSheet" not in kinds(asked)
    state, _ = play(state, facts.LocalResultSigned(ROUND, digest("s"), 5, b"second"))
    own = state.own[ROUND].result
    assert own is not None and own.sheet == digest("before the crash")
    assert len(state.off_chain[ROUND].results) == 1


# ------------------------------------------------------------------ aggregator


def test_a_sheet_is_built_from_all_scores_or_late_from_a_quorum() -> None:
    state, _ = play(node(AGGREGATOR, A), *scored(AGGREGATOR))
    assert state.off_chain[ROUND].scores == (), "an aggregator's own scores are no verifier's"
    reports = [facts.PeerScored(ROUND, who, digest(who)) for who in VERIFIERS]
    assert duties.BuildSheet(ROUND) in ask(state, *reports)
    two, asked = play(state, *reports[:2], block(REVEAL_END + 39))
    assert "BuildSheet" not in kinds(asked)
    assert duties.BuildSheet(ROUND) in ask(two, block(REVEAL_END + 40))
    assert duties.BuildSheet(ROUND) not in ask(state, *reports[:1], block(VERIFY_END - 1))
    outsiders = [facts.PeerScored(ROUND, who, digest(who)) for who in (OUTSIDER, SOLVER, PROPOSER)]
    assert duties.BuildSheet(ROUND) not in play(state, *outsiders, block(VERIFY_END - 1))[1]


def test_an_aggregator_the_spec_does_not_name_stays_silent() -> None:
    _, asked = play(node(OUTSIDER, A), *scored(OUTSIDER), block(VERIFY_END - 1))
    assert {"ScoreDeltas", "BuildSheet", "PublishSheet"}.isdisjoint(kinds(asked))


def test_a_record_needs_a_quorum_of_distinct_unslashed_verifiers_on_the_own_sheet() -> None:
    built = facts.LocalSheetBuilt(ROUND, digest("sheet"))
    reports = [facts.PeerScored(ROUND, who, digest(who)) for who in VERIFIERS]
    state, _ = play(node(AGGREGATOR, A), *scored(AGGREGATOR), *reports, built)
    record = duties.SendRecord(ROUND, digest("sheet"))
    assert record in ask(state, result(C0), result(C1))
    for results in (
        [result(C0)],
        [result(C0), result(C0), result(C0, "other")],
        [result(C0), result(C1, "other"), result(C1)],
        [result(C0), result(OUTSIDER), result(AGGREGATOR), result(SOLVER)],
        [slashed(C1, SlashCause.EQUIVOCATION), result(C0), result(C1)],
    ):
        assert record not in play(state, *results, block(REVEAL_END + 60))[1]
    assert record in ask(state, slashed(C1, SlashCause.EQUIVOCATION), result(C0), result(C1), result(C2))


def test_a_verifier_records_when_the_aggregator_does_not() -> None:
    signed = facts.LocalResultSigned(ROUND, digest("sheet"), 5, b"mine")
    state, _ = play(node(C0, C), *scored(C0), signed, result(C1))
    record = duties.SendRecord(ROUND, digest("sheet"))
    assert record not in ask(state, block(REVEAL_END + 2 * COURTESY - 1))
    assert record in ask(state, block(REVEAL_END + 2 * COURTESY))


def test_two_roles_of_one_node_share_a_duty() -> None:
    _, asked = play(node(C0, C, A), *verify_phase())
    assert len({duties.duty_key(item) for item in asked}) == len(asked)


# ------------------------------------------------------------------ exits

CLAIMS_END = 1500 + 90 * 86_400


@pytest.mark.parametrize(
    ("who", "end", "expected"),
    [
        (SOLVER, settled, ["SendClaim"]),
        (OTHER, settled, []),
        (C0, settled, ["SendClaim"]),
        (OUTSIDER, settled, []),
        (SOLVER, cancelled, ["ReleaseBond"]),
        (OTHER, cancelled, []),
        (C0, cancelled, []),
        (PROPOSER, settled, []),
        (PROPOSER, cancelled, []),
    ],
)
def test_exits(who: Address, end: Any, expected: list[str]) -> None:
    state, _ = play(node(who, S, C, A), *verify_phase())
    state, asked = play(state, end())
    assert kinds(asked) == expected
    _, later = play(
        state, *(block(now) for now in (1600, 10_000, CLAIMS_END - 1)), result(C1), prepared(), sealed()
    )
    after = ["SlashInvalid"] if who is C0 and end is settled else []  # what the proposer left
    assert kinds(later) == after, "an ended round asks for nothing more"


@pytest.mark.parametrize(
    ("who", "end", "expected"),
    [
        (SOLVER, settled, ["ReleaseBond"]),
        (OTHER, settled, []),
        (C0, settled, []),
        (PROPOSER, settled, []),
        (SOLVER, cancelled, []),
        (PROPOSER, cancelled, []),
    ],
)
def test_what_nobody_claimed_in_time_is_taken_back(who: Address, end: Any, expected: list[str]) -> None:
    state, _ = play(node(who), *verify_phase())
    state, _ = play(state, end(at=1500), block(CLAIMS_END - 1))
    state, asked = play(state, block(CLAIMS_END))
    assert kinds(asked) == expected
    assert play(state, block(10**10))[1] == []
    if who is SOLVER and end is settled:
        state, _ = play(node(who), *verify_phase(), settled(at=1500))
        due = {duties.duty_key(item) for item in round_duties(*_at(state, CLAIMS_END))}
        assert duties.duty_key(duties.SendClaim(ROUND)) not in due, "the contract would refuse it"


def _at(state: Any, now: int) -> tuple[Any, Round]:
    state, _ = play(state, block(now))
    return state, state.rounds[ROUND]


def test_a_solver_without_a_claim_has_its_bond_back_after_two_weeks() -> None:
    """It is left out of the tree, for example. Whoever can still claim is not made to give that up."""
    ripe = 1500 + 14 * 86_400
    state, _ = play(node(SOLVER), *verify_phase(), settled(at=1500))
    assert ask(state, block(ripe)) == []
    state, _ = play(state, facts.LocalDutyFailed(ROUND, "SendClaim", "no-row"))
    assert ask(state, block(ripe - 1)) == []
    assert ask(state, block(ripe)) == [duties.ReleaseBond(ROUND)]


def test_a_slashed_verifier_has_no_fee_to_claim() -> None:
    state, _ = play(node(C0, C), *verify_phase(), slashed(C0, SlashCause.EQUIVOCATION))
    assert ask(state, settled()) == []


def test_a_part_of_the_bond_lost_for_exclusion_leaves_the_solver_in_good_standing() -> None:
    state, _ = play(node(SOLVER), *verify_phase(), settled(), slashed(SOLVER, SlashCause.EXCLUDED))
    assert state.rounds[ROUND].slashed == ()


def test_attack_a_silent_arbiter_holds_a_round_for_its_own_time_only() -> None:
    """A challenge that nobody decides costs its maker nothing: nodes settle once the contract lets them."""
    told = [*verify_phase(), recorded(), challenged(1350)]
    state, _ = play(node(OTHER), *told)
    state = replace(state, me=replace(state.me, resolve_duration=259_200))
    assert ask(state, block(1350 + 259_200 - 1)) == []
    state, asked = play(state, block(1350 + 259_200))
    assert kinds(asked) == ["SendSettle"]


def test_the_proposer_reports_invalid_deltas_once_the_result_stands() -> None:
    state, _ = play(node(PROPOSER, P), *verify_phase())
    state, asked = play(state, settled())
    assert kinds(asked) == ["SlashInvalid"]
    assert play(state, block(CLAIMS_END - 1))[1] == []


def test_attack_a_proposer_that_spares_its_own_junk_is_not_the_only_one_to_report_it() -> None:
    """The round's coordinators come after it, one after the other, so that they do not race for one tenth."""
    for seat, who in enumerate(VERIFIERS):
        state, _ = play(node(who, C), *verify_phase(), settled(at=1500))
        turn = 1500 + (seat + 1) * COURTESY
        assert "SlashInvalid" not in kinds(ask(state, block(turn - 1)))
        assert "SlashInvalid" in kinds(ask(state, block(turn)))
    for who, role in ((OTHER, C), (C0, S)):
        state, _ = play(node(who, role), *verify_phase(), settled(at=1500))
        assert "SlashInvalid" not in kinds(ask(state, block(1500 + 100 * COURTESY)))


def test_losing_another_bond_does_not_cost_the_solvers() -> None:
    """A forfeiting proposer or a rejected challenger may be a solver in good standing."""
    for cause in (SlashCause.CHALLENGE_REJECTED, SlashCause.NOT_UNSEALED):
        state, _ = play(node(SOLVER, S), *verify_phase(), slashed(SOLVER, cause))
        assert ask(state, cancelled(CancelCause.NOT_UNSEALED)) == [duties.ReleaseBond(ROUND)]
    state, _ = play(node(SOLVER, S), *verify_phase(), slashed(SOLVER, SlashCause.INVALID))
    assert ask(state, settled()) == [], "an invalid delta has nothing to claim"


# ------------------------------------------------------------------ repetition, foreign facts, memory


def test_a_log_heard_again_changes_nothing_even_out_of_its_time() -> None:
    history = [
        *verify_phase(),
        recorded(),
        slashed(OTHER),
        fixed(10**6),
        challenged(),
        resolved(overturned=False),
        settled(),
        block(1600),
    ]
    state, _ = play(node(SOLVER, S), *history)
    for fact in history:
        after, asked = play(state, fact)
        assert after == state and asked == []


def test_an_old_block_does_not_turn_the_clock_back() -> None:
    old, new = block(OPENED), block(REVEAL_END)
    state, _ = play(node(SOLVER, S), *prologue(), old, new, old)
    assert state.now == REVEAL_END


def test_first_word_counts_for_the_own_facts_too() -> None:
    state, _ = play(node(C0, C, A), *scored(C0), facts.LocalSheetBuilt(ROUND, digest("a")))
    state, _ = play(state, facts.LocalResultSigned(ROUND, digest("a"), 1, b"a"))
    again, _ = play(
        state,
        facts.LocalScored(ROUND, digest("b")),
        facts.LocalSheetBuilt(ROUND, digest("b")),
        facts.LocalResultSigned(ROUND, digest("b"), 2, b"b"),
        facts.LocalRoundPrepared(ROUND, (OUTSIDER,)),
    )
    assert again == state
    state, _ = play(node(SOLVER, S), *prologue(), sealed())
    assert play(state, facts.LocalDeltaSealed(ROUND, digest("b"), b"b"))[0] == state


def test_a_failure_is_noted_once() -> None:
    failure = facts.LocalDutyFailed(ROUND, "TrainShard", "no-provider")
    state, _ = play(node(SOLVER, S), *prologue(), failure, failure)
    assert state.own[ROUND].failed == (FailedDuty("TrainShard", "no-provider"),)


def test_foreign_projects_and_unknown_rounds_leave_no_trace() -> None:
    state, _ = play(node(SOLVER, S, projects=frozenset({PROJECT})), *prologue(), block(OPENED))
    elsewhere, key = ProjectId(4), RoundId(9)
    for fact in (
        project(elsewhere),
        opened(key, elsewhere, params(project_id=elsewhere)),
        replace(committed(OTHER), round_id=key),
        replace(settled(), round_id=key),
        facts.PeerSheet(key, C0, digest("s")),
        facts.LocalScored(key, digest("s")),
    ):
        assert play(state, fact) == (state, [])


def test_ended_rounds_are_forgotten_beyond_a_bound_and_stay_forgotten() -> None:
    told: list[facts.Fact] = [project()]
    for n in range(1, KEPT_ROUNDS + 6):
        told += [
            opened(RoundId(n)),
            replace(cancelled(CancelCause.NO_COMMITS), round_id=RoundId(n)),
            block(1500 + n),
        ]
    state, _ = play(node(SOLVER, S), *told)
    assert sorted(state.rounds) == list(range(6, KEPT_ROUNDS + 6))
    assert play(state, *told) == (state, [])
    assert state.projects[PROJECT].rounds == KEPT_ROUNDS + 5


def test_attack_strangers_rounds_make_nobody_forget_what_a_project_under_way_is_audited_by() -> None:
    """An auditor that no longer knows the delta before takes the whole bond of who carries from it."""
    elsewhere, began = ProjectId(4), KEPT_OF_PROJECT + 2

    def ends(n: int) -> list[facts.Fact]:
        return [replace(cancelled(CancelCause.NO_COMMITS), round_id=RoundId(n)), block(1500 + n)]

    told: list[facts.Fact] = [project(), project(elsewhere)]
    for n in range(1, began):
        told += [opened(RoundId(n)), *ends(n)]
    told.append(opened(RoundId(began)))
    strangers = range(began + 1, began + 1 + 2 * KEPT_ROUNDS)
    for n in strangers:
        told += [opened(RoundId(n), elsewhere, params(project_id=elsewhere)), *ends(n)]
    state, _ = play(node(SOLVER, S), *told)
    own = sorted(key for key, item in state.rounds.items() if item.project_id == PROJECT)
    assert own == list(range(began - KEPT_OF_PROJECT, began + 1))
    assert len(state.rounds) == KEPT_ROUNDS + KEPT_OF_PROJECT + 1, "and no more: memory is bounded"
    assert play(state, *told) == (state, [])
    state, _ = play(state, *ends(began), block(9999))
    assert sorted(state.rounds) == list(strangers)[-KEPT_ROUNDS:], "idle, it is one of many"


@pytest.mark.parametrize(
    ("who", "role", "owed"),
    [
        (SOLVER, S, {"SendClaim"}),
        (C0, C, {"SendClaim", "SlashInvalid"}),
        (PROPOSER, P, {"SlashInvalid"}),
        (OUTSIDER, S, set()),
    ],
)
def test_attack_strangers_rounds_close_no_claim_and_save_no_bond(
    who: Address, role: Role, owed: set[str]
) -> None:
    """Whoever is to lose a bond by a settlement lets empty rounds end in the same block, for gas alone."""
    elsewhere, strangers = ProjectId(4), range(100, 100 + 2 * KEPT_ROUNDS)
    told: list[facts.Fact] = [*prologue(), project(elsewhere), committed(SOLVER), revealed(SOLVER)]
    told += [recorded(at=REVEAL_END + 1), settled()]
    for n in strangers:
        theirs = opened(RoundId(n), elsewhere, params(project_id=elsewhere))
        told += [replace(theirs, proposer=OTHER, verifier_set=2)]
        told += [replace(cancelled(CancelCause.NO_COMMITS), round_id=RoundId(n))]
    state, _ = play(node(who, role), *told, block(VERIFY_END + 10_000))
    kept = state.rounds.get(ROUND)
    assert {type(duty).__name__ for duty in (round_duties(state, kept) if kept else ())} == owed
    assert len(state.rounds) == KEPT_ROUNDS + bool(owed), "and no more: memory is bounded"


def test_of_ones_own_ended_rounds_so_many_more_are_kept() -> None:
    told: list[facts.Fact] = [project()]
    for n in range(1, 2 * KEPT_ROUNDS + 3):
        told += [opened(RoundId(n)), replace(cancelled(CancelCause.NO_COMMITS), round_id=RoundId(n))]
    state, _ = play(node(PROPOSER, P), *told, block(9000))
    assert sorted(state.rounds) == list(range(3, 2 * KEPT_ROUNDS + 3))


def test_the_model_head_moves_with_the_chain() -> None:
    moved = log(facts.ChainModelAdvanced, project_id=PROJECT, model=digest("new"))
    state, _ = play(node(SOLVER, S), *prologue(), moved)
    assert state.projects[PROJECT].model == digest("new")
