"""For how long a node serves what a round consists of."""

from __future__ import annotations

from jepanet.protocol.state import NodeState
from jepanet.types import RoundId

ROUNDS_KEPT = 8
"""Ended rounds whose files a node keeps, whatever else it keeps: so many of all, and so many of those that it
has a part in, whose sheets and deltas a stranger's eight empty rounds must not let go of."""


def kept_rounds(state: NodeState) -> frozenset[RoundId]:
    """The rounds that have not ended, and the newest that have: who is late by no more can follow by links.

    A node keeps what it has of them pinned, so that its store never collects it.
    """
    ended = [key for key, item in sorted(state.rounds.items()) if item.ended_at]
    with_a_part = [key for key in ended if state.has_part_in(state.rounds[key])]
    return frozenset(state.rounds) - (frozenset(ended[:-ROUNDS_KEPT]) - frozenset(with_a_part[-ROUNDS_KEPT:]))
