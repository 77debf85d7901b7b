"""The table of rules: complete, and in an order that is part of what a node does."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from protocol_facts import REVEAL_END, ROUND, VERIFIERS, ask, block, digest, node, play, verify_phase

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
from jepanet.types import Role

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
