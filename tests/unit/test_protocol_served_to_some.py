"""A solver that serves some coordinators alone takes nobody's fee: those it did not reach say nothing of a
delta's worth, and those it did are held against one another where nobody is paid for it."""

from __future__ import annotations

import pytest

from jepanet.protocol.settling.standing import Reported, reported
from jepanet.protocol.settling.tally import decide
from jepanet.types import Verdict
from round_samples import FAULT, GOOD, HARM, MISSING, Vote, a_spec, reports_of, some_facts

pytestmark = pytest.mark.unit

SHUT: Vote = (Verdict.INVALID, "not-opened", 0, 0)
FAILED: Vote = (Verdict.EXCLUDED, "not-audited", 0, 0)
FORGED: Vote = (Verdict.INVALID, "not-reproduced", 0, 0)
FAR: Vote = (Verdict.ACCEPTED, "accepted", 60_000, 2_000)


def standings(votes: list[Vote], *, committed: bool) -> list[Reported]:
    """Of coordinators that give these votes of one delta; whether they were in time is not looked at."""
    facts, spec = some_facts(1, len(votes)), a_spec(committed_scores=committed)
    reports = reports_of(facts, [[vote] for vote in votes])
    decisions = decide(facts, reports)
    return [
        reported(
            report, reports, decisions, spec, frozenset(), {}, len(facts.members), facts.chain_id,
            facts.contract,
        )
        for report in reports
    ]  # fmt: skip


def apart(votes: list[Vote], *, committed: bool) -> list[bool]:
    return [bool(item.over or item.under or item.sound) for item in standings(votes, committed=committed)]


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    "votes",
    [
        pytest.param([SHUT, SHUT, GOOD], id="drawn, and one alone could look: the whole bond is lost"),
        pytest.param([MISSING, MISSING, GOOD], id="one alone had it: a part of the bond is lost"),
        pytest.param([MISSING, MISSING, GOOD, GOOD], id="half of an even set had it: nothing is lost"),
        pytest.param([SHUT, SHUT, GOOD, GOOD], id="half of an even set could look"),
        pytest.param([FAILED, FAILED, GOOD], id="an audit that most machines fail at"),
        pytest.param([SHUT, GOOD, GOOD], id="one alone could not look"),
        pytest.param([SHUT, SHUT, HARM], id="who looked found that it harms"),
    ],
)
def test_attack_whoever_serves_some_takes_no_coordinators_fee(votes: list[Vote], committed: bool) -> None:
    assert apart(votes, committed=committed) == [False] * len(votes)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        pytest.param([FORGED, FORGED, GOOD], [False, False, True], id="a forgery called sound"),
        pytest.param([FAULT, FAULT, GOOD], [False, False, True], id="a fault of form called sound"),
        pytest.param([MISSING, MISSING, GOOD, GOOD, FAR], [False] * 4 + [True], id="one it reached"),
        pytest.param([GOOD, GOOD, FAR], [False, False, True], id="far from what is paid for"),
    ],
)  # fmt: skip
def test_attack_what_is_wrong_by_those_who_saw_it_earns_no_fee(
    votes: list[Vote], expected: list[bool], committed: bool
) -> None:
    assert apart(votes, committed=committed) == expected
