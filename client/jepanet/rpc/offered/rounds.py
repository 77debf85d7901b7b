"""`rounds`, `receipts`: rounds as the node follows them, and what their score sheets say.

Of ended rounds the node keeps the newest; older ones are on the chain, and `jepanet round show` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from jepanet.errors import Fatal
from jepanet.operations.auditing.rounds import commitments, schedule, summary
from jepanet.operations.receipts.unreceipted import without_row
from jepanet.operations.receipts.words import in_words
from jepanet.operations.views.rounds import (
    Commitment,
    ExplainedReceipt,
    Receipt,
    RoundDetails,
    RoundFigures,
    RoundSchedule,
    RoundSummary,
    SheetView,
)
from jepanet.protocol.state import NodeState, Round
from jepanet.records.marks import SAFE_INTEGER, Range
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.known import KnowsRounds, KnowsSheets
from jepanet.rpc.method import Method
from jepanet.rpc.offered.paging import Cursor, Limit, Page, page_of
from jepanet.types import Address, RoundId

Number = Annotated[int, Range(1, SAFE_INTEGER)]


@dataclass(frozen=True, slots=True)
class ListParams:
    limit: Limit = 20
    cursor: Cursor | None = None
    project: Annotated[Number | None, "of this project alone"] = None


@dataclass(frozen=True, slots=True)
class OneRound:
    round: Number


@dataclass(frozen=True, slots=True)
class OfRound:
    round: Number
    limit: Limit = 20
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class OneReceipt:
    round: Number
    solver: Address


def methods(node: KnowsRounds, sheets: KnowsSheets) -> tuple[Method, ...]:
    """Those of these namespaces."""

    async def listed(given: ListParams) -> Page[RoundSummary]:
        state = node.state
        chosen = [
            item
            for _, item in sorted(state.rounds.items(), reverse=True)
            if given.project is None or item.project_id == given.project
        ]
        page = page_of(chosen, lambda item: int(item.id), given.limit, given.cursor, falling=True)
        return Page(tuple(summary(state, item) for item in page.items), page.next)

    async def one(given: OneRound) -> RoundFigures:
        round_ = known_round(node.state, given.round)
        sheet = await sheets.brief(round_)
        figures = None if sheet is None else sheet.figures
        return RoundFigures(summary(node.state, round_), sheet is not None, figures)

    async def scheduled(given: OneRound) -> RoundSchedule:
        return schedule(node.state, known_round(node.state, given.round))

    async def committed(given: OfRound) -> Page[Commitment]:
        found = list(enumerate(commitments(known_round(node.state, given.round)), 1))
        page = page_of(found, lambda item: item[0], given.limit, given.cursor)
        return Page(tuple(item for _, item in page.items), page.next)

    async def receipts(given: OfRound) -> Page[Receipt]:
        sheet = await _sheet(known_round(node.state, given.round))
        page = page_of(list(enumerate(sheet.receipts, 1)), lambda item: item[0], given.limit, given.cursor)
        return Page(tuple(item for _, item in page.items), page.next)

    async def receipt(given: OneReceipt) -> ExplainedReceipt:
        round_ = known_round(node.state, given.round)
        sheet = await _sheet(round_)
        found = next((item for item in sheet.receipts if item.solver == given.solver), None)
        if found is None:
            raise _no_row(round_, given.solver)
        details = RoundDetails(summary(node.state, round_), SheetView((found,), sheet.figures))
        when = schedule(node.state, round_)
        words = in_words(details, excluded_bps=node.excluded_bps, schedule=when)[0]
        return ExplainedReceipt(found, words)

    def _no_row(round_: Round, solver: Address) -> Refused:
        try:
            told = without_row(node.state, round_, solver)
        except Fatal as error:
            return Refused(Code.NOT_FOUND, error.message)
        return Refused(Code.NOT_FOUND, f"{told.outcome}; its bond: {told.bond}")

    async def _sheet(round_: Round) -> SheetView:
        if round_.recorded is None:
            raise Refused(Code.NOT_FOUND, "no result is recorded for this round")
        sheet = await sheets.of(round_)
        if sheet is None:
            raise Refused(Code.UNAVAILABLE, "the score sheet of this round is not stored here")
        return sheet

    return (
        Method("rounds.list", "Rounds, the newest first", ListParams, Page[RoundSummary], listed),
        Method("rounds.get", "One round, with the figures of its score sheet", OneRound, RoundFigures, one),
        Method("rounds.schedule", "When the phases of a round end", OneRound, RoundSchedule, scheduled),
        Method(
            "rounds.commitments",
            "Who committed to what in a round, in order, and what was revealed",
            OfRound,
            Page[Commitment],
            committed,
        ),
        Method("receipts.list", "What each solver of a round earned", OfRound, Page[Receipt], receipts),
        Method(
            "receipts.get",
            "One solver's receipt: what was measured, what became of the delta, what it earned and why",
            OneReceipt,
            ExplainedReceipt,
            receipt,
        ),
    )


def known_round(state: NodeState, number: int) -> Round:
    """Raises: Refused (`NOT_FOUND`): the node does not follow this round, or no more."""
    found = state.rounds.get(RoundId(number))
    if found is None:
        known = f"from {min(state.rounds)} to {max(state.rounds)}" if state.rounds else "none yet"
        raise Refused(Code.NOT_FOUND, f"rounds that this node keeps: {known}")
    return found
