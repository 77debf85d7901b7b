"""The rules of a round: `transition(state, fact) -> (state, duties)`.

No clock, no randomness, no I/O: time arrives as confirmed blocks. A step has two halves. `absorb` folds one
fact into the state. `jepanet.protocol.due` then reads the state and says what is due; a duty is handed out
once (`Own.issued`), and from then on the outbox keeps it until it is done, whatever crashes.

      fact ──▶ absorb ──▶ state ──▶ what is due ──▶ duties not handed out before
"""

from __future__ import annotations

from dataclasses import replace

from jepanet.protocol import facts
from jepanet.protocol.absorb import absorb
from jepanet.protocol.due.table import project_duties, round_duties
from jepanet.protocol.duties import Duty, duty_key
from jepanet.protocol.state import Identity, NodeState
from jepanet.types import RoundId


def genesis(me: Identity) -> NodeState:
    """The state of a node before its first fact."""
    return NodeState(me=me)


def transition(state: NodeState, fact: facts.Fact) -> tuple[NodeState, tuple[Duty, ...]]:
    """One step. A fact that contradicts or repeats what is known changes nothing and asks for nothing new."""
    place = _place(fact)
    if place is not None and place <= state.cursor:
        return state, ()
    after = absorb(state, fact)
    if after is state:
        return state, ()
    if place is not None:
        after = replace(after, cursor=place)
    asked: list[Duty] = []
    for round_id in _touched(after, fact):
        own = after.own[round_id]
        # Two roles of one node may name the same duty.
        due = {duty_key(duty): duty for duty in round_duties(after, after.rounds[round_id])}
        new = {key: duty for key, duty in due.items() if key not in own.issued}
        if new:
            after = after.with_own(round_id, replace(own, issued=own.issued.union(new)))
            asked += new.values()
    if isinstance(fact, facts.ChainBlock):
        # By id: the order of a dictionary does not survive a snapshot.
        for _, project in sorted(after.projects.items()):
            wanted = tuple(project_duties(after, project))
            if wanted and project.asked <= project.rounds:
                after = after.with_project(replace(project, asked=project.rounds + 1))
                asked += wanted
    return after, tuple(asked)


def _place(fact: facts.Fact) -> tuple[int, int] | None:
    """Where a log stands on the chain. They come in this order and at least once: it shows repetitions."""
    if isinstance(fact, facts.ChainBlock | facts.PeerFact | facts.LocalFact):
        return None
    return fact.block.number, fact.log_index


def _touched(state: NodeState, fact: facts.Fact) -> tuple[RoundId, ...]:
    """Rounds whose duties may have changed: the fact's own, or after a block every one still held."""
    if isinstance(fact, facts.ChainBlock):
        return tuple(sorted(state.rounds))
    round_id = getattr(fact, "round_id", None)
    return (round_id,) if round_id in state.rounds else ()
