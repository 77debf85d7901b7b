"""Whether what a round's deltas gained is too little to be told from their errors: its proposer then has the
next one measured over more episodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from jepanet.protocol.settling.reasons import DROPPED
from jepanet.protocol.settling.rows import Row
from jepanet.types import Verdict


def gains_below_error(rows: Sequence[Row], sigmas_milli: int, *, measured: int, usual: int) -> bool:
    """Whether the median delta of a round gained less than so many thousandths of a standard error.

    `measured`: episodes over which it was measured, and `usual`, over which it would be: errors count as they
    would be there, or a round that is measured over more would take back its own reason. Of all deltas that
    were accepted, dropped ones too; of two in the middle, the one that gained more of its error.
    """
    wider = sqrt(measured / usual)
    found = sorted(
        row.gain - sigmas_milli / 1000 * wider * row.stderr
        for row in rows
        if row.verdict is Verdict.ACCEPTED or row.reason == DROPPED
    )
    return not found or found[len(found) // 2] < 0
