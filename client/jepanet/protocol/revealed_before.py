"""The delta that a solver revealed last before a round: what its codec left out goes into the next one."""

from __future__ import annotations

from jepanet.protocol.rounds import Round
from jepanet.protocol.state import NodeState
from jepanet.types import Address, Digest


def revealed_before(state: NodeState, round_: Round, solver: Address) -> tuple[tuple[Round, Digest], ...]:
    """The deltas that `solver` revealed in earlier rounds of the project, newest first, as far as they are
    known here. Those from the round's own base do not count: nothing of them was merged."""
    return tuple(
        (item, reveal.digest)
        for item in sorted(state.rounds.values(), key=lambda item: item.id, reverse=True)
        if item.project_id == round_.project_id and item.id < round_.id and item.base != round_.base
        for reveal in [item.reveal_of(solver)]
        if reveal is not None
    )
