"""Whether what a round's deltas gained is too little to be told from its error: its proposer then has the
next one measured over more episodes."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from jepanet.protocol.settling.reasons import DROPPED
from jepanet.protocol.settling.rows import Row
from jepanet.types import Verdict


def gains_within_error(rows: Sequence[Row], sigmas_milli: int, *, measured: int, usual: int) -> bool:
    """Whether half of a round's deltas or more neither gained nor harmed by so many thousandths of an error.

    `measured`: episodes over which they were measured, and `usual`, over which they would be: errors count as
    they would be there, or a round that is measured over more would take back its own reason. Of all deltas
    that were accepted, dropped ones too. What clearly harms is not measured better by more episodes.

    A delta counts for the square of its error: identities are free, and tiny steps, whose errors are as tiny,
    would say of gains whatever who takes them likes. Not for its pay, as in the reference norm: late, honest
    work is not paid, and the one that is would say that gains are clear.
    """
    wider = sigmas_milli / 1000 * sqrt(measured / usual)
    counted = [row for row in rows if row.verdict is Verdict.ACCEPTED or row.reason == DROPPED]
    near = sum(row.stderr**2 for row in counted if abs(row.gain) < wider * row.stderr)
    return 2 * near >= sum(row.stderr**2 for row in counted)
