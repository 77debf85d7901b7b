"""What an ended round owes to this account, whatever roles its node has now."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.view import RoundView
from jepanet.types import TERMINAL_PHASES, Phase

CLAIM_DURATION = 90 * 24 * 3600
"""Seconds after a settlement in which claims are open: `Ends.CLAIM_DURATION` of the contracts."""
RELEASE_DELAY = 14 * 24 * 3600
"""Seconds after a settlement from which a bond is released without a claim: `Ends.RELEASE_DELAY`."""


def ended(view: RoundView) -> bool:
    return view.phase in TERMINAL_PHASES


def claim(view: RoundView) -> Iterator[duties.Duty]:
    entitled = view.round.reveal_of(view.me) is not None or view.me in view.members
    slashed = view.me in view.round.slashed  # a verifier's fee is lost too
    if view.phase is Phase.SETTLED and not _claims_over(view) and entitled and not slashed:
        yield duties.SendClaim(view.round.id)


def release_bond(view: RoundView) -> Iterator[duties.Duty]:
    """In a settled round only where the claim came to nothing: after it nothing can be claimed any more."""
    if not _revealed(view):
        return
    released = view.phase is Phase.SETTLED and view.now >= view.round.ended_at + RELEASE_DELAY
    if view.phase is Phase.CANCELLED or _claims_over(view) or (released and _claim_failed(view)):
        yield duties.ReleaseBond(view.round.id)


def _claims_over(view: RoundView) -> bool:
    return view.phase is Phase.SETTLED and view.now >= view.round.ended_at + CLAIM_DURATION


def _claim_failed(view: RoundView) -> bool:
    return any(item.duty == duties.SendClaim.__name__ for item in view.own.failed)


def _revealed(view: RoundView) -> bool:
    """Whether this account is a solver in good standing."""
    return view.round.reveal_of(view.me) is not None and view.me not in view.round.slashed
