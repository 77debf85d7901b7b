"""Solver: train, commit, reveal, and only then publish."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.view import RoundView
from jepanet.types import Phase, Role


def trains(view: RoundView) -> bool:
    """A verifier of a round may not train in it."""
    return view.has(Role.SOLVER) and view.me not in view.members


def _may_commit(view: RoundView) -> bool:
    if view.phase is not Phase.COMMIT or view.round.committed(view.me):
        return False
    most = view.round.params.max_solvers
    return not most or len(view.round.commits) < most


def prepare(view: RoundView) -> Iterator[duties.Duty]:
    if _may_commit(view):
        yield duties.PrepareRound(view.round.id)


def train(view: RoundView) -> Iterator[duties.Duty]:
    if _may_commit(view) and view.own.prepared and view.own.sealed is None:
        yield duties.TrainShard(view.round.id)


def commit(view: RoundView) -> Iterator[duties.Duty]:
    if _may_commit(view) and view.own.sealed is not None:
        yield duties.SendCommit(view.round.id)


def reveal(view: RoundView) -> Iterator[duties.Duty]:
    if view.phase is not Phase.REVEAL or view.own.sealed is None:
        return
    if view.round.committed(view.me) and view.round.reveal_of(view.me) is None:
        yield duties.SendReveal(view.round.id)


def publish_delta(view: RoundView) -> Iterator[duties.Duty]:
    """Once the reveal is confirmed: from then on the digest is public and copying it is useless."""
    round_ = view.round
    if view.own.sealed is None or round_.reveal_of(view.me) is None:
        return
    if round_.recorded is None:
        lasts = round_.params.reveal_duration + round_.params.verify_duration
        yield duties.PublishDelta(round_.id, view.repeat(round_.reveal_start, lasts))
