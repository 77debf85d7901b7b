"""A score sheet for people: what was measured, and the sum that makes each payment."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.cid import to_cid
from jepanet.operations.receipts.fee_receipts import fee_receipts
from jepanet.operations.receipts.recomputed import Recomputed
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import (
    CoordinatorScore,
    HeldOut,
    Receipt,
    SheetFigures,
    SheetView,
)
from jepanet.protocol.documents.scores import MAX_GAIN, SignedScore
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.caps import pay_limit
from jepanet.protocol.settling.rewards import at_most, capped, earned
from jepanet.protocol.settling.shares import as_paid
from jepanet.protocol.settling.sheet import IMPROVEMENT_ERROR, ScoreSheet
from jepanet.protocol.settling.standing import standing
from jepanet.tokens import exact, tokens
from jepanet.types import Address, Verdict

AS_ONE_OF = "as one of "
"""Begins a sum: of how many merged deltas its gain was measured as one."""
CAPPED = ", at most "
"""In a sum: what follows is the most that the rules let one delta be paid."""
SHARED = "; x "
"""In a sum: what follows is the part of the budget, where more was earned than that holds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a round promised: its spec, budget and fee in wei, and the verifiers, who share the fee. `drawn`:
    solvers whose trainings had to be audited."""

    spec: RoundSpec
    budget: int
    fee: int
    members: tuple[Address, ...]
    drawn: frozenset[Address] = frozenset()


def sheet_view(sheet: ScoreSheet, terms: Terms | None, recomputed: Recomputed | None = None) -> SheetView:
    """Receipts, fees and held-out metrics. Without terms there is no price, and no sum for a payment.
    `recomputed` is told as it is; None: it was not tried."""
    details = {
        score.solver: score.detail for report in sheet.reports for score in report.scores if score.detail
    }
    sums = {} if terms is None else payment_sums(sheet, terms.spec, terms.budget)
    scores = _scores(sheet, terms)
    receipts = tuple(
        Receipt(
            solver=row.solver,
            delta=to_cid(row.digest),
            verdict=row.verdict.name.lower(),
            reason=row.reason,
            detail=details.get(row.solver, ""),
            gain=row.gain,
            stderr=row.stderr,
            measured_on=to_cid(sheet.shard),
            against=to_cid(sheet.base),
            paid=Wei(row.amount),
            how=sums.get(row.solver, ""),
            scores=tuple(scores[row.solver]),
        )
        for row in sheet.rows
    )
    figures = SheetFigures(
        published=sheet.published,
        note=sheet.note,
        price=None if terms is None else Wei(terms.spec.price),
        scored_by=len(sheet.reports),
        heldout=HeldOut(before=_metrics(sheet, "before"), after=_metrics(sheet, "after")),
        fees=fee_receipts(
            sheet,
            None if terms is None else terms.spec,
            0 if terms is None else terms.fee,
            () if terms is None else terms.members,
            () if terms is None else terms.drawn,
        ),
        stderr=_error(sheet),
        recomputed=None if recomputed is None else recomputed.agrees,
        checked="" if recomputed is None else recomputed.said,
        episodes=0 if terms is None else terms.spec.evaluation_episodes,
    )
    return SheetView(receipts, figures)


def _scores(sheet: ScoreSheet, terms: Terms | None) -> dict[Address, list[CoordinatorScore]]:
    """What each coordinator said, by solver, in the order of the reports."""
    rows = {row.solver: row for row in sheet.rows}
    found: dict[Address, list[CoordinatorScore]] = {solver: [] for solver in rows}
    said: dict[Address, list[SignedScore]] = {solver: [] for solver in rows}
    for report in sheet.reports:
        for score in report.scores:
            said.setdefault(score.solver, []).append(score)
    for report in sheet.reports:
        for score in report.scores:
            row = rows.get(score.solver)
            if row is None:  # of a sheet that is wrong, and said to be
                continue
            stands = None if terms is None else standing(score, row, terms.spec, said[row.solver]).value
            found[row.solver].append(
                CoordinatorScore(
                    coordinator=report.coordinator,
                    verdict=score.verdict.name.lower(),
                    reason=score.reason,
                    gain=score.gain,
                    stderr=score.stderr,
                    apart=score.gain - row.gain,
                    standing=stands,
                    audited=score.audit is not None,
                )
            )
    return found


def _error(sheet: ScoreSheet) -> int | None:
    """The improvement's standard error in micro-nats; None where the notes have none that could be one."""
    said = dict(sheet.metrics).get(IMPROVEMENT_ERROR)
    return said if said is not None and 0 <= said <= MAX_GAIN else None


def _metrics(sheet: ScoreSheet, when: str) -> dict[str, float]:
    """Metrics that the sheet calls `WHEN.NAME`, by NAME."""
    start = when + "."
    return {name.removeprefix(start): value / 1e6 for name, value in sheet.metrics if name.startswith(start)}


def payment_sums(sheet: ScoreSheet, spec: RoundSpec, budget: int) -> dict[Address, str]:
    """For each accepted solver, for example "(29,023 - 4,537) x 0.0005 = 12.243".

    A sum that does not give what the sheet pays says so: the sheet is then wrong.
    """
    accepted = [row for row in sheet.rows if row.verdict is Verdict.ACCEPTED]
    price = spec.price if sheet.published else 0
    accepted = [as_paid(row, row.among) for row in accepted]
    full = {row.solver: earned(row.gain, row.stderr, price, spec.shrink_milli) for row in accepted}
    limit = pay_limit(spec, [as_paid(row, row.among) for row in sheet.rows])
    due = {solver: at_most(amount, limit) for solver, amount in full.items()}
    total = sum(due.values())
    told: dict[Address, str] = {}
    for row in accepted:
        if not sheet.published:
            told[row.solver] = "nothing: the merged model was withheld"
            continue
        amount = due[row.solver]
        shrink = "" if spec.shrink_milli == 1000 else f"{spec.shrink_milli / 1000:g} x "
        text = f"({row.gain:,} - {shrink}{row.stderr:,}) x {exact(price)} = {tokens(full[row.solver])}"
        if row.among is not None:
            text = f"{AS_ONE_OF}{row.among.count}: {text}"
        if amount < full[row.solver]:
            text += f"{CAPPED}{tokens(amount)} ({_limiting(spec, amount)})"
        if not amount:
            text = f"{row.gain:,} - {shrink}{row.stderr:,} is no gain"
        if total > budget:
            part = capped(amount, total, budget)
            text += f"{SHARED}{tokens(budget)} / {tokens(total)} = {tokens(part)}"
            amount = part
        if amount != row.amount:
            text += f", but the sheet pays {exact(row.amount)}"
        told[row.solver] = text
    return told


def _limiting(spec: RoundSpec, limit: int) -> str:
    """Which of a round's limits on the pay of one delta comes to so much, in wei."""
    if spec.pay_cap == limit:
        return "pay_cap of the rules"
    return f"{spec.pay_to_median_milli / 1000:g} x the median of what the round's deltas earn"
