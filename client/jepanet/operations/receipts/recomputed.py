"""Whether a score sheet pays what its signed scores, the round's rules and the chain give: no measuring."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.sheet import ScoreSheet, check_sheet
from jepanet.protocol.settling.tally import RoundFacts

MOST_SIGNATURES = 4096
"""More are left to `jepanet verify`: each takes about half a millisecond."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """`agrees` is None where it cannot be told here; `said` is for people."""

    agrees: bool | None
    said: str


def recompute(sheet: ScoreSheet, spec: RoundSpec | None, facts: RoundFacts) -> Recomputed:
    """Does the sums of a sheet again: signatures, verdicts, medians, pay, fees, root."""
    verify = f"`jepanet verify {sheet.round_id}`"
    if spec is None:
        return Recomputed(
            None,
            "cannot be recomputed here: nobody serves the round's rules, which name price and tolerance",
        )
    signatures = sum(len(report.scores) for report in sheet.reports)
    if signatures > MOST_SIGNATURES:
        return Recomputed(
            None,
            f"not recomputed here: {signatures:,} signatures are more than are checked for a receipt; "
            f"{verify} checks them all",
        )
    try:
        check_sheet(sheet, facts, spec, recover_typed)
    except Rejected as error:
        return Recomputed(
            False,
            f"does NOT follow from the sheet's scores, the round's rules and the chain: {error.message}; "
            f"{verify} names everything that is wrong, and a result can be disputed within its window",
        )
    many = f"{len(sheet.reports)} signed reports" if len(sheet.reports) != 1 else "1 signed report"
    return Recomputed(
        True,
        f"recomputed here from {many}, the round's rules and the chain: signatures, verdicts, medians, pay, "
        f"fees and root are those recorded; the measurements themselves are repeated by {verify}",
    )
