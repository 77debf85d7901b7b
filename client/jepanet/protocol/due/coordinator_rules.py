"""Coordinator: publish the scores, check proposed sheets, sign one result and publish it."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.scoring_rules import has_scored
from jepanet.protocol.due.view import COURTESY, RoundView
from jepanet.types import Address, Role


def verifies(view: RoundView) -> bool:
    return view.has(Role.COORDINATOR) and view.me in view.members


def open_scores(view: RoundView) -> Iterator[duties.Duty]:
    """When every other verifier has committed, or it is so late that nobody listens to commitments."""
    if not has_scored(view) or not view.own.committed or view.own.opened is not None:
        return
    heard = {item.coordinator for item in view.off_chain.commitments}
    missing = [item for item in view.members if item != view.me and item not in heard]
    if not missing or view.now >= view.round.scores_opened_from:
        yield duties.OpenScores(view.round.id)


def publish_scores(view: RoundView) -> Iterator[duties.Duty]:
    if has_scored(view):
        yield duties.PublishScores(view.round.id, view.repeat_in_verify())


def check_sheets(view: RoundView) -> Iterator[duties.Duty]:
    if not has_scored(view) or view.own.result is not None:
        return
    for proposed in view.off_chain.sheets:
        since = max(view.round.reveal_end, proposed.at)
        if view.now >= since + _patience(view, proposed.sender):
            yield duties.CheckSheet(view.round.id, proposed.sheet)


def publish_result(view: RoundView) -> Iterator[duties.Duty]:
    if has_scored(view) and view.own.result is not None:
        yield duties.PublishResult(view.round.id, view.repeat_in_verify())


def _patience(view: RoundView, sender: Address) -> int:
    """Seconds a sheet waits for one of lower rank: the spec's aggregators in order, then the verifiers.

    Several are often proposed at once, and a verifier signs only one: this gathers the signatures on one
    sheet. Counted from when the sheet arrived, for sheets appear long after VERIFY began. A third of VERIFY
    at most, so that the last in line can still be recorded.
    """
    order = (*view.own.aggregators, *view.members)
    rank = order.index(sender) if sender in order else len(order)
    return min(rank * COURTESY, view.round.params.verify_duration // 3)
