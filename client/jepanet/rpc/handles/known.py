"""What the methods about projects and rounds need: of a running node, or of who only looks."""

from __future__ import annotations

from typing import Protocol

from jepanet.operations.views.rounds import SheetView
from jepanet.protocol.state import NodeState, Round


class KnowsRounds(Protocol):
    """Whoever has folded the logs of the chain."""

    @property
    def state(self) -> NodeState: ...

    @property
    def excluded_bps(self) -> int | None:
        """What an excluded delta loses of its bond here, in basis points; None: not known yet."""


class KnowsSheets(Protocol):
    """Whoever has score sheets."""

    async def of(self, round_: Round) -> SheetView | None:
        """The sheet that was recorded for a round; None while none is, or while it is not here."""

    async def brief(self, round_: Round) -> SheetView | None:
        """As `of`, with the figures and at least one's own receipts, for lists of many rounds."""
