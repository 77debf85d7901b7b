"""Coordinator and aggregator: prepare the round and measure every revealed delta."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.view import RoundView
from jepanet.types import Phase


def prepare(view: RoundView) -> Iterator[duties.Duty]:
    if view.phase in (Phase.COMMIT, Phase.GAP, Phase.REVEAL, Phase.VERIFY):
        yield duties.PrepareRound(view.round.id)


def score(view: RoundView) -> Iterator[duties.Duty]:
    if may_score(view):
        yield duties.ScoreDeltas(view.round.id)


def may_score(view: RoundView) -> bool:
    """Not an aggregator the spec does not name: the others refuse its sheet."""
    named = view.state.may_propose(view.round, view.me)
    return view.phase is Phase.VERIFY and view.own.prepared and named


def has_scored(view: RoundView) -> bool:
    return may_score(view) and view.own.scores is not None
