"""For how long a node serves what a round consists of."""

from __future__ import annotations

from jepanet.protocol.state import NodeState
from jepanet.types import RoundId

ROUNDS_KEPT = 8
"""Ended rounds whose files a node with a part in them keeps, whatever else it keeps."""


def kept_rounds(state: NodeState) -> frozenset[RoundId]:
    """The rounds that have not ended, and the newest that have: who is late by no more can follow by links.

    A node keeps what it has of them pinned, so that its store never collects it.
    """
    ended = [key for key, item in sorted(state.rounds.items()) if item.ended_at]
    return frozenset(state.rounds) - frozenset(ended[:-ROUNDS_KEPT])
