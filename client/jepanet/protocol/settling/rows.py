"""From decisions to money: a row for every delta, a fee for every coordinator, and the leaves of both.

Integers only, so every node gets the same result. Widths: MAX_DELTAS * MAX_PRICE * MAX_GAIN < 2**128, so no
amount or sum can overflow on chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from jepanet.protocol.commitment import Leaf
from jepanet.protocol.documents.scores import Among, Gain, Reason, ScoreReport, StandardError
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.caps import pay_limit
from jepanet.protocol.settling.rewards import UINT128_MAX, settle_payouts
from jepanet.protocol.settling.shares import as_paid, gains_as_merged
from jepanet.protocol.settling.standing import reported
from jepanet.protocol.settling.tally import Decision, RoundFacts, drawn_solvers
from jepanet.records.marks import DecimalText, LeftOut, OneOf
from jepanet.types import ZERO_DIGEST, Address, Digest, Verdict

RowVerdict = Annotated[Verdict, OneOf((Verdict.ACCEPTED, Verdict.EXCLUDED, Verdict.INVALID, Verdict.SPARED))]
Amount = Annotated[int, DecimalText(UINT128_MAX), "wei"]


@dataclass(frozen=True, slots=True)
class Row:
    """A solver's line of the sheet."""

    solver: Address
    digest: Digest
    verdict: RowVerdict
    reason: Reason
    gain: Gain
    stderr: StandardError
    amount: Amount
    among: Annotated[
        Among | None,
        LeftOut(),
        "what it is paid for, where the rules pay as merged and fewer were merged than revealed",
    ] = None


@dataclass(frozen=True, slots=True)
class Fee:
    """What a coordinator earns for its scores."""

    coordinator: Address
    amount: Amount


def pay(
    facts: RoundFacts,
    spec: RoundSpec,
    reports: Sequence[ScoreReport],
    decisions: Sequence[Decision],
    *,
    published: bool,
) -> tuple[tuple[Row, ...], tuple[Fee, ...]]:
    """Wei for every delta and every coordinator, both ascending by account.

    Accepted deltas earn price x shrunk gain, each at most what the rules leave one delta (`caps.pay_limit`),
    together at most the budget, and nothing when the merged model was not published. A coordinator earns
    fee / (members of the set) when its scores hold (`standing.reported`).
    """
    among = gains_as_merged(spec, facts.revealed, reports, decisions) if published else {}
    paid_for = [as_paid(item, among.get(item.solver)) for item in decisions]
    accepted = [item for item in paid_for if item.verdict is Verdict.ACCEPTED]
    amounts = settle_payouts(
        [(item.gain, item.stderr) for item in accepted],
        price=spec.price if published else 0,
        shrink_milli=spec.shrink_milli,
        budget=facts.budget,
        pay_cap=pay_limit(spec, paid_for),
    )
    paid = {item.solver: amount for item, amount in zip(accepted, amounts, strict=True)}
    rows = tuple(
        Row(
            item.solver,
            item.digest,
            item.verdict,
            item.reason,
            item.gain,
            item.stderr,
            paid.get(item.solver, 0),
            among.get(item.solver),
        )
        for item in decisions
    )
    share = facts.fee // len(facts.members)
    drawn = drawn_solvers(facts, spec)
    fees = tuple(
        Fee(report.coordinator, share)
        for report in sorted(reports, key=lambda item: item.coordinator.lower())
        if reported(
            report, reports, decisions, spec, drawn, among, len(facts.members), facts.chain_id, facts.contract
        ).earns
    )
    return rows, fees


def leaves_of(rows: Sequence[Row], fees: Sequence[Fee]) -> tuple[Leaf, ...]:
    """The leaves of the result tree: solvers by account, then fees by account."""
    solvers = [Leaf(row.solver, row.digest, row.verdict, row.gain, row.amount) for row in rows]
    coordinators = [Leaf(fee.coordinator, ZERO_DIGEST, Verdict.FEE, 0, fee.amount) for fee in fees]
    return (*solvers, *coordinators)
