"""What each coordinator of a round earned, and why not, nothing included."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import FeeReceipt
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.settling.standing import Reported, reported
from jepanet.tokens import tokens
from jepanet.types import Address

NO_FEE = "no fee: "
"""Begins `FeeReceipt.how` of who earned none."""


def fee_receipts(
    sheet: ScoreSheet,
    spec: RoundSpec | None,
    fee: int,
    members: Sequence[Address],
    drawn: Collection[Address] = (),
) -> tuple[FeeReceipt, ...]:
    """One for every coordinator, in the order of the set and then of the sheet. `spec` None: the round's
    rules are not to be had, and nothing is said of why; `fee` in wei, of the whole round;
    `drawn`: solvers whose trainings had to be audited."""
    paid = {item.coordinator: item.amount for item in sheet.fees}
    found = {} if spec is None else _reported(sheet, spec, len(members), drawn)
    everybody = dict.fromkeys([*members, *(item.coordinator for item in sheet.reports), *paid])
    share = "" if spec is None or not members else f"{tokens(fee)} / {len(members)} verifiers = "
    receipts = []
    for who in everybody:
        stands = found.get(who)
        amount = paid.get(who, 0)
        if who in paid:
            how = f"{share}{tokens(amount)}" if share else ""
        else:
            how = why_unpaid(stands) if spec is not None else ""
        receipts.append(
            FeeReceipt(
                coordinator=who,
                paid=Wei(amount),
                how=how,
                over=0 if stands is None else stands.over,
                under=0 if stands is None else stands.under + stands.sound,
                missed=0 if stands is None else stands.missed,
                reported=any(item.coordinator == who for item in sheet.reports),
                in_time=None if stands is None else stands.in_time,
            )
        )
    return tuple(receipts)


def why_unpaid(stands: Reported | None) -> str:
    """Why a report earned no fee; None: there is none in the sheet."""
    if stands is None:
        return f"{NO_FEE}its scores are not in the sheet; they came late, or not at all"
    why = []
    if stands.over:
        why.append(f"{stands.over} of its {stands.scores} scores lie above what was decided")
    if stands.under:
        why.append(f"{stands.under} of its {stands.scores} scores lie below what was decided")
    if stands.sound:
        why.append(f"it found no fault in {stands.sound} deltas that the others found invalid")
    if 2 * stands.missed > stands.scores:
        why.append(f"it could not fetch {stands.missed} of {stands.scores} deltas")
    if not stands.audited:
        why.append("it did not audit drawn trainings that it could open, or opened fewer than half of them")
    if not stands.as_merged:
        why.append("its gains at the share of the merge lie apart from those that are paid for")
    if stands.in_time is False:
        why.append("it had not committed to its scores before others were opened")
    return NO_FEE + ("; ".join(why) or "the sheet pays it none")


def _reported(
    sheet: ScoreSheet, spec: RoundSpec, members: int, drawn: Collection[Address]
) -> dict[Address, Reported]:
    """By coordinator, of the reports that score exactly what the sheet has rows for: others are wrong, and
    said to be elsewhere."""
    rows = {row.solver for row in sheet.rows}
    return {
        report.coordinator: reported(
            report,
            sheet.reports,
            sheet.rows,
            spec,
            drawn,
            sheet.among,
            members,
            sheet.chain_id,
            sheet.contract,
        )
        for report in sheet.reports
        if {score.solver for score in report.scores} == rows
    }
