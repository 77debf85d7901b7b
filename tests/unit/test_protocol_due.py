"""The table of rules: complete, and in an order that is part of what a node does."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import pytest
from protocol_facts import (
    OTHER,
    PROPOSER,
    REVEAL_END,
    ROUND,
    SOLVER,
    VERIFIERS,
    ask,
    block,
    cancelled,
    digest,
    node,
    play,
    recorded,
    result,
    settled,
    verify_phase,
)

from jepanet.protocol import facts
from jepanet.protocol.due import (
    aggregator_rules,
    coordinator_rules,
    exit_rules,
    open_rules,
    scoring_rules,
    solver_rules,
    table,
)
from jepanet.protocol.due.view import RoundView
from jepanet.types import TERMINAL_PHASES, Address, Role

pytestmark = pytest.mark.unit

MODULES = (solver_rules, scoring_rules, coordinator_rules, aggregator_rules, open_rules, exit_rules)


def rules_of(module: ModuleType) -> set[object]:
    return {
        found
        for name, found in inspect.getmembers(module, inspect.isfunction)
        if found.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.isgeneratorfunction(found)
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_rule_stands_in_the_table(module: ModuleType) -> None:
    asked = {rule for _, rules in table._RULES for rule in rules}
    written = rules_of(module)
    assert written and written <= asked


def test_no_group_asks_a_rule_twice() -> None:
    for is_for, rules in table._RULES:
        assert len(set(rules)) == len(rules), is_for.__name__


def test_duties_are_offered_in_the_order_of_the_table_and_shared_ones_are_handed_out_once() -> None:
    me = node(VERIFIERS[0], Role.AGGREGATOR, Role.COORDINATOR)
    state, asked = play(me, *verify_phase())
    due = [type(duty).__name__ for duty in table.round_duties(state, state.rounds[ROUND])]
    assert due == ["PrepareRound", "ScoreDeltas", "PrepareRound", "ScoreDeltas"]
    assert [type(duty).__name__ for duty in asked] == ["PrepareRound", "ScoreDeltas"]
    asked = ask(
        state,
        facts.LocalScored(ROUND, digest("scores")),
        facts.PeerScored(ROUND, VERIFIERS[1], digest("of another")),
        block(REVEAL_END + 60),
    )
    assert [type(duty).__name__ for duty in asked] == ["PublishScores", "BuildSheet", "SlashNonReveal"]


@pytest.mark.parametrize("end", [settled, cancelled])
@pytest.mark.parametrize("later", [0, 30, 100 * 24 * 3600])
@pytest.mark.parametrize("who", [PROPOSER, SOLVER, OTHER, VERIFIERS[0]])
def test_of_an_ended_round_the_whole_table_asks_what_the_short_one_does(
    who: Address, later: int, end: Callable[[], facts.ChainEvent]
) -> None:
    twice = (result(VERIFIERS[1], "one"), result(VERIFIERS[1], "another"))
    before = [*verify_phase(), facts.LocalScored(ROUND, digest("scores")), *twice]
    if end is settled:
        before.append(recorded())
    state, _ = play(node(who, *Role), *before, end(), block(1500 + later))
    view = RoundView.of(state, state.rounds[ROUND])
    assert view.phase in TERMINAL_PHASES
    whole = [duty for is_for, rules in table._RULES if is_for(view) for rule in rules for duty in rule(view)]
    assert list(table.round_duties(state, state.rounds[ROUND])) == whole
