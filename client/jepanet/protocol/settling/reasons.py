"""Why a delta is out, and what that costs its solver: one row for every reason that a score may give.

A row of the sheet that is EXCLUDED takes a part of a bond, so each reason also says what it is known by:
whoever finds otherwise by the same bytes knows that the row is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from jepanet.types import Verdict

DUPLICATE = "duplicate"
SHARD_REFUSED = "shard-refused"
"""Of every delta without a fault where the evaluation shard, with this base, can score nothing."""
NOT_REPRODUCED = "not-reproduced"
"""Of INVALID deltas: a drawn part of the training did not lead where its solver committed to."""
NOT_OPENED = "not-opened"
"""Of INVALID deltas: its solver was drawn, and what audits need was not to be had: not less than cheating."""
NOT_AUDITED = "not-audited"
MACHINE_FAILED = "machine-failed"
"""Where a coordinator's machine failed at the audit of a drawn training: it says nothing of its solver."""
DISPUTED = "disputed"
"""Where coordinators agree on nothing: given by the tally, never by a score."""


DROPPED = "dropped"
"""Where the merge is worse with a delta that was accepted: given by whoever merges, never by a score."""


class Known(StrEnum):
    """By what a reason is known."""

    CHAIN = "chain"
    """By reveals and order of commitment: everybody derives it, nobody is asked."""
    BYTES = "bytes"
    """By the delta's own bytes, or the shard's: the same for everybody who has them."""
    ROUND = "round"
    """By the bytes of all deltas of the round: the same for everybody who has them all."""
    MEASURED = "measured"
    """By a measurement, which honest machines do not repeat to the last digit."""
    FETCHING = "fetching"
    """By what reached one coordinator, or what its machine could do with it."""
    VOTES = "votes"
    """By the reports side by side."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What a delta that is out for a reason gets: EXCLUDED, a part of the bond is kept; SPARED, none is."""

    verdict: Literal[Verdict.EXCLUDED, Verdict.SPARED]
    known: Known


REASONS: Mapping[str, Reason] = {
    # The later commit only. Commitments are salted and bound to their solver, so a copy comes from accounts
    # that share a salt or a key: it would take places of a round at no loss.
    DUPLICATE: Reason(Verdict.EXCLUDED, Known.CHAIN),
    "zero-delta": Reason(Verdict.EXCLUDED, Known.BYTES),
    "norm-outlier": Reason(Verdict.EXCLUDED, Known.ROUND),
    "near-copy": Reason(Verdict.EXCLUDED, Known.ROUND),
    "not-measurable": Reason(Verdict.EXCLUDED, Known.MEASURED),
    "state-guard": Reason(Verdict.EXCLUDED, Known.MEASURED),
    "harm": Reason(Verdict.EXCLUDED, Known.MEASURED),
    "unavailable": Reason(Verdict.EXCLUDED, Known.FETCHING),
    # A provider that offers too many bytes proves nothing: only whole bytes with the right digest do.
    "too-large": Reason(Verdict.EXCLUDED, Known.FETCHING),
    # A fault of a machine, for all that anybody knows: bytes that cannot be worked with are a finding.
    NOT_AUDITED: Reason(Verdict.SPARED, Known.FETCHING),
    MACHINE_FAILED: Reason(Verdict.SPARED, Known.FETCHING),
    SHARD_REFUSED: Reason(Verdict.SPARED, Known.BYTES),  # the proposer's shard
    DISPUTED: Reason(Verdict.SPARED, Known.VOTES),
    DROPPED: Reason(Verdict.SPARED, Known.MEASURED),
}
"""Of deltas without a fault of form. Reasons of INVALID ones are the decoder's; they cost the whole bond."""

NOT_FETCHED = tuple(name for name, reason in REASONS.items() if reason.known is Known.FETCHING)
"""Reasons of a coordinator that could not fetch or audit a delta; not held against its fee."""


def unseen(verdict: Verdict, reason: str) -> bool:
    """Whether a finding only says that the delta, or what its audit needs, did not reach whoever says so, or
    that its machine failed at the audit."""
    return (verdict is Verdict.EXCLUDED and reason in NOT_FETCHED) or (
        verdict is Verdict.INVALID and reason == NOT_OPENED
    )


def row_verdict(verdict: Verdict, reason: str) -> Verdict:
    """What a node's own finding comes to as a row of the sheet."""
    known = REASONS.get(reason)
    return known.verdict if verdict is Verdict.EXCLUDED and known is not None else verdict


def against_solver(verdict: Verdict, reason: str) -> bool:
    """Whether a score speaks against the solver's bond.

    Not for a reason that is nobody's fault or that no rule knows, and not for one that is no matter of votes:
    who committed first is read off the chain.
    """
    if verdict is Verdict.INVALID:
        return True
    known = REASONS.get(reason)
    return (
        verdict is Verdict.EXCLUDED
        and known is not None
        and known.verdict is Verdict.EXCLUDED
        and known.known is not Known.CHAIN
    )


def known_alike(reason: str, *, has_all: bool) -> bool:
    """Whether every honest node finds this reason where one does; `has_all`: nobody lacks a delta."""
    known = REASONS.get(reason)
    return known is not None and (known.known is Known.BYTES or (has_all and known.known is Known.ROUND))
