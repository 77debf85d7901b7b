"""The receipts of a round in sentences, of whoever committed in it."""

from __future__ import annotations

from jepanet.operations.auditing.rounds import fetch_sheet, judged_facts, schedule, summary
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.receipts.unreceipted import without_row
from jepanet.operations.receipts.words import in_words
from jepanet.operations.views.rounds import ReceiptInWords, RoundDetails
from jepanet.types import Address


async def told_receipts(
    history: History,
    library: Library,
    round_id: int,
    solver: Address | None = None,
    *,
    excluded_bps: int | None = None,
) -> tuple[ReceiptInWords, ...]:
    """Every receipt of a round, or that of one account, which has one from its commitment on.

    Raises:
        Fatal: no such round; nothing is recorded and no account is named; the account did not commit.
        Transient: a result is recorded and nobody serves its sheet. Rejected: as `rounds.read_sheet`.
    """
    state = await history.state()
    round_ = find_round(state, round_id)
    sheet = await fetch_sheet(library, round_, judged_facts(state, round_, history.deployment))
    if solver is not None and all(item.solver != solver for item in sheet.receipts):
        return (without_row(state, round_, solver),)
    return in_words(
        RoundDetails(summary(state, round_), sheet),
        solver,
        excluded_bps=excluded_bps,
        schedule=schedule(state, round_),
    )
