"""Decisions on a round from whose merge accepted deltas were dropped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from jepanet.errors import Rejected
from jepanet.protocol.settling.reasons import DROPPED
from jepanet.protocol.settling.tally import Decision
from jepanet.types import Digest, Verdict


def without(decisions: Sequence[Decision], dropped: Collection[Digest]) -> tuple[Decision, ...]:
    """The decisions, with those deltas SPARED that the merge is better without.

    Raises:
        Rejected: reason `bad-merge`; one that was not accepted, or all that were.
    """
    accepted = {item.digest for item in decisions if item.verdict is Verdict.ACCEPTED}
    if not set(dropped) <= accepted or len(set(dropped)) != len(dropped):
        raise Rejected("a delta that was not accepted is dropped from the merge", reason="bad-merge")
    if accepted and accepted == set(dropped):
        raise Rejected("all deltas are dropped from the merge", reason="bad-merge")
    return tuple(
        replace(item, verdict=Verdict.SPARED, reason=DROPPED)
        if item.verdict is Verdict.ACCEPTED and item.digest in dropped
        else item
        for item in decisions
    )
