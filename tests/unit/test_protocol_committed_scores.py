"""When coordinators commit to their scores, when they open them, and that nobody holds up a round."""

from __future__ import annotations

import pytest
from protocol_facts import (
    AGGREGATOR,
    OUTSIDER,
    REVEAL_END,
    ROUND,
    SOLVER,
    VERIFIERS,
    VERIFY_END,
    ask,
    block,
    digest,
    node,
    play,
    verify_phase,
)

from jepanet.protocol import duties, facts
from jepanet.protocol.journal_codec import decode_fact, decode_state, encode_fact, encode_state
from jepanet.protocol.state import NodeState, SignedScores
from jepanet.protocol.transition import transition
from jepanet.types import Address, Role

pytestmark = pytest.mark.unit

C0, C1, C2 = VERIFIERS
UNTIL, OPENED_FROM, HALF = REVEAL_END + 48, REVEAL_END + 54, REVEAL_END + 60
"""Of VERIFY's 120 seconds: when nobody listens any more, when all open, when a sheet lacks some."""
OPEN = duties.OpenScores(ROUND)


def measured(who: Address = C0, role: Role = Role.COORDINATOR) -> NodeState:
    """A node that has measured a round whose scores are committed to first."""
    told = facts.LocalScored(ROUND, digest(f"scores of {who}"), committed=True)
    return play(node(who, role), *verify_phase(), told)[0]


def commits(who: Address, what: str = "") -> facts.PeerCommitted:
    return facts.PeerCommitted(ROUND, who, digest(f"{who} {what}"), bytes(65))


def heard(state: NodeState) -> list[Address]:
    return [item.coordinator for item in state.off_chain[ROUND].commitments]


def test_scores_stay_here_until_every_other_verifier_has_committed() -> None:
    state = measured()
    assert state.off_chain[ROUND].scores == (), "nobody is told what was measured"
    assert OPEN not in ask(state, commits(C1), block(UNTIL - 1))
    state, _ = play(state, commits(C1))
    assert OPEN in ask(state, commits(C2))
    opened, asked = play(state, commits(C2), facts.LocalScoresOpened(ROUND, digest("opened")))
    assert opened.off_chain[ROUND].scores == (SignedScores(C0, digest("opened"), REVEAL_END),)
    assert asked.count(OPEN) == 1 and OPEN not in ask(opened, block(VERIFY_END - 1))


def test_a_silent_verifier_is_waited_for_and_no_longer() -> None:
    state, asked = play(measured(), commits(C1), block(OPENED_FROM - 1))
    assert OPEN not in asked
    assert OPEN in ask(state, block(OPENED_FROM))
    assert OPEN in ask(measured(), block(OPENED_FROM)), "nobody else has committed"


def test_who_measures_late_opens_at_once() -> None:
    state, _ = play(node(C0, Role.COORDINATOR), *verify_phase(), block(OPENED_FROM + 20))
    assert OPEN in ask(state, facts.LocalScored(ROUND, digest("late"), committed=True))


def test_attack_a_commitment_after_the_others_may_have_opened_is_not_heard() -> None:
    assert heard(play(measured(), block(UNTIL - 1), commits(C1))[0]) == [C1]
    state, _ = play(measured(), block(UNTIL), commits(C1))
    assert heard(state) == []
    assert UNTIL < OPENED_FROM, "a clock that lags a little listens to nobody who has read an opening"


def test_attack_a_second_commitment_is_kept_as_evidence_and_a_third_is_not() -> None:
    state, _ = play(measured(), commits(C1), commits(C1), commits(C1, "other"), commits(C1, "third"))
    assert heard(state) == [C1, C1]
    assert OPEN not in play(state, block(UNTIL))[1], "it is still one verifier"


def test_attack_outsiders_commit_to_nothing() -> None:
    state, asked = play(measured(), *(commits(who) for who in (OUTSIDER, SOLVER, AGGREGATOR, C0)))
    assert heard(state) == [] and OPEN not in asked


def test_rounds_without_commitments_are_as_they_were() -> None:
    told = facts.LocalScored(ROUND, digest("scores"))
    state, asked = play(node(C0, Role.COORDINATOR), *verify_phase(), told, block(VERIFY_END - 1))
    assert OPEN not in asked and state.off_chain[ROUND].scores == (
        SignedScores(C0, digest("scores"), REVEAL_END),
    )


def test_a_sheet_waits_for_those_who_waited() -> None:
    state = measured(AGGREGATOR, Role.AGGREGATOR)
    build = duties.BuildSheet(ROUND)
    reports = [facts.PeerScored(ROUND, who, digest(who)) for who in VERIFIERS]
    assert OPEN not in ask(state, block(VERIFY_END - 1)), "an aggregator that is no verifier has none to open"
    assert build in ask(state, *reports)
    two, asked = play(state, *reports[:2], block(HALF - 1))
    assert build not in asked and build in ask(two, block(HALF))
    assert OPENED_FROM < HALF


def test_what_is_heard_and_opened_survives_in_journal_and_snapshot() -> None:
    told: list[facts.Fact] = [
        facts.LocalScored(ROUND, digest("scores"), committed=True), commits(C1), commits(C1, "other"),
        facts.LocalScoresOpened(ROUND, digest("opened")),
    ]  # fmt: skip
    state, _ = play(node(C0, Role.COORDINATOR), *verify_phase())
    again = state
    for fact in told:
        state, _ = transition(state, fact)
        again, _ = transition(again, decode_fact(*encode_fact(fact)))
    assert again == state == decode_state(encode_state(state), state.me)
    old = facts.LocalScored(ROUND, digest("scores"))
    assert "committed" not in encode_fact(old)[1], "entries of rounds without it are as they were"
