"""Coordinator: publish the scores, check proposed sheets, sign one result and publish it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jepanet.protocol import duties
from jepanet.protocol.due.scoring_rules import has_scored
from jepanet.protocol.due.view import COURTESY, RoundView
from jepanet.protocol.off_chain import SignedResult
from jepanet.types import Address, Digest, Role


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
    for item in _heard(view):
        yield duties.CheckSheet(view.round.id, item.sheet)


def sign_sheet(view: RoundView) -> Iterator[duties.Duty]:
    """The same sheet as another verifier, where that is one to which this node came by itself: whoever sends
    each of them another sheet splits nobody. Otherwise in the order of the set, a turn apart."""
    own, round_ = view.own, view.round
    if not has_scored(view) or own.result is not None or not own.checked:
        return
    signers: dict[Digest, list[Address]] = {item.sheet: [] for item in own.checked}
    waits = own.checked[0].at
    for item in _heard(view):
        if item.sheet in signers:
            signers[item.sheet].append(item.coordinator)
        elif item.sheet not in own.refused:  # it is being checked
            waits = max(waits, item.at + round_.params.verify_duration // 4)
    for sheet, those in sorted(signers.items(), key=lambda pair: (-len(pair[1]), _first(view, pair[1]))):
        for who in those:
            yield duties.SignSheet(round_.id, sheet, who)
    late = round_.reveal_end + round_.params.verify_duration * 5 // 6
    if view.now >= min(waits, late) + view.members.index(view.me) * _turn(view):
        yield duties.SignSheet(round_.id, own.checked[0].sheet, view.me)


def publish_result(view: RoundView) -> Iterator[duties.Duty]:
    if has_scored(view) and view.own.result is not None:
        yield duties.PublishResult(view.round.id, view.repeat_in_verify())


def _heard(view: RoundView) -> list[SignedResult]:
    """What other verifiers signed, by their word. Who was heard with two results leads nobody."""
    two = {item.coordinator for item in view.off_chain.conflicting}
    return [
        item for item in view.off_chain.results if item.coordinator != view.me and item.coordinator not in two
    ]


def _first(view: RoundView, those: Sequence[Address]) -> int:
    return min(map(view.members.index, those), default=len(view.members))


def _turn(view: RoundView) -> int:
    """Seconds between two verifiers that sign by themselves; all turns are over in an eighth of VERIFY."""
    return max(1, min(COURTESY, view.round.params.verify_duration // (8 * len(view.members))))


def _patience(view: RoundView, sender: Address) -> int:
    """Seconds a sheet waits for one of lower rank: the spec's aggregators in order, then the verifiers.

    Several are often proposed at once, and a verifier signs only one: this gathers the signatures on one
    sheet. Counted from when the sheet arrived, for sheets appear long after VERIFY began. A third of VERIFY
    at most, so that the last in line can still be recorded.
    """
    order = (*view.own.aggregators, *view.members)
    rank = order.index(sender) if sender in order else len(order)
    return min(rank * COURTESY, view.round.params.verify_duration // 3)
