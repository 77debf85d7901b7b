"""What an ended round owes to this account, whatever roles its node has now."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.view import RoundView
from jepanet.types import TERMINAL_PHASES, Phase

CLAIM_DURATION = 90 * 24 * 3600
"""Seconds after a settlement in which claims are open: `TrainingRounds.CLAIM_DURATION`."""


def ended(view: RoundView) -> bool:
    return view.phase in TERMINAL_PHASES


def claim(view: RoundView) -> Iterator[duties.Duty]:
    entitled = _revealed(view) or view.me in view.members
    if view.phase is Phase.SETTLED and not _claims_over(view) and entitled:
        yield duties.SendClaim(view.round.id)


def release_bond(view: RoundView) -> Iterator[duties.Duty]:
    if _revealed(view) and (_claims_over(view) or view.phase is Phase.CANCELLED):
        yield duties.ReleaseBond(view.round.id)


def withdraw_credit(view: RoundView) -> Iterator[duties.Duty]:
    if view.round.proposer == view.me:
        yield duties.WithdrawCredit(view.round.id)


def sweep(view: RoundView) -> Iterator[duties.Duty]:
    if view.round.proposer == view.me and _claims_over(view):
        yield duties.SweepRound(view.round.id)


def _claims_over(view: RoundView) -> bool:
    return view.phase is Phase.SETTLED and view.now >= view.round.ended_at + CLAIM_DURATION


def _revealed(view: RoundView) -> bool:
    """Whether this account is a solver in good standing."""
    return view.round.reveal_of(view.me) is not None and view.me not in view.round.slashed
