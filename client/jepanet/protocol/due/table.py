"""The rules in the order in which they are applied. Pure; the caller removes what was handed out before.

A round on the clock of confirmed blocks (P proposer, S solver, C coordinator, A aggregator):

    COMMIT      GAP            REVEAL               VERIFY                       CHALLENGE   SETTLEABLE
    S train     P close        S reveal, publish    C,A score; C open, publish   P keep      P settle
    S commit    P beacon                            A sheet; C check and sign                S,C claim
                P unseal                            A record
Whoever is late is replaced: every other role takes over a duty open to anyone after `COURTESY` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jepanet.protocol.due import (
    aggregator_rules,
    coordinator_rules,
    exit_rules,
    open_rules,
    scoring_rules,
    solver_rules,
)
from jepanet.protocol.due.view import RoundView
from jepanet.protocol.duties import Duty, OpenRound
from jepanet.protocol.state import NodeState, Project, Round
from jepanet.types import TERMINAL_PHASES, Role

_RULES: tuple[tuple[Callable[[RoundView], bool], tuple[Callable[[RoundView], Iterator[Duty]], ...]], ...] = (
    (
        solver_rules.trains,
        (
            solver_rules.prepare,
            solver_rules.train,
            solver_rules.commit,
            solver_rules.reveal,
            solver_rules.publish_delta,
        ),
    ),
    (
        coordinator_rules.verifies,
        (
            scoring_rules.prepare,
            scoring_rules.score,
            coordinator_rules.open_scores,
            coordinator_rules.publish_scores,
            coordinator_rules.check_sheets,
            coordinator_rules.sign_sheet,
            coordinator_rules.publish_result,
        ),
    ),
    (
        aggregator_rules.aggregates,
        (
            scoring_rules.prepare,
            scoring_rules.score,
            aggregator_rules.build_sheet,
            aggregator_rules.publish_sheet,
            aggregator_rules.record,
        ),
    ),
    (
        open_rules.everybody,
        (
            open_rules.announce,
            open_rules.close_commits,
            open_rules.draw_beacon,
            open_rules.unseal,
            open_rules.slash_non_reveal,
            open_rules.slash_equivocation,
            open_rules.cancel,
            open_rules.keep,
            open_rules.slash_invalid,
            open_rules.settle,
            open_rules.record,
        ),
    ),
    (
        exit_rules.ended,
        (exit_rules.claim, exit_rules.release_bond),
    ),
)
"""Who a group of rules is for, and the rules: a node has the duties of every group that is for it."""

_AFTER_THE_END = frozenset(
    {
        open_rules.slash_invalid,
        exit_rules.claim,
        exit_rules.release_bond,
    }
)
_RULES_OF_THE_ENDED = tuple(
    (is_for, kept)
    for is_for, rules in _RULES
    if (kept := tuple(rule for rule in rules if rule in _AFTER_THE_END))
)
"""No other rule asks for anything in an ended round. Dozens of them are held, and asked at every block."""


def project_duties(state: NodeState, project: Project) -> Iterator[Duty]:
    """Proposer: the next round, once the last one ended and as long as more rounds are wanted."""
    me = state.me
    if Role.PROPOSER not in me.roles or project.owner != me.address or project.active is not None:
        return
    if project.rounds < me.rounds_to_play:
        yield OpenRound(project.id, project.rounds + 1)


def round_duties(state: NodeState, round_: Round) -> Iterator[Duty]:
    """Every duty of this node in this round at the current block, handed out before or not.

    Two roles of one node may name the same duty.
    """
    if state.block is None:
        return
    view = RoundView.of(state, round_)
    ended = view.phase in TERMINAL_PHASES
    for is_for, rules in _RULES_OF_THE_ENDED if ended else _RULES:
        if is_for(view):
            for rule in rules:
                yield from rule(view)
