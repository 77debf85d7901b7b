"""Aggregator: build the score sheet, publish it, and record it once enough verifiers have signed."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.protocol import duties
from jepanet.protocol.due.scoring_rules import has_scored
from jepanet.protocol.due.view import RoundView
from jepanet.types import Role


def aggregates(view: RoundView) -> bool:
    return view.has(Role.AGGREGATOR)


def build_sheet(view: RoundView) -> Iterator[duties.Duty]:
    """When every verifier's scores are there, or it is late (`reports_awaited_until`) and a quorum's are."""
    if not has_scored(view) or view.own.sheet is not None:
        return
    reports = len(view.off_chain.scores)
    late = view.now >= view.round.reports_awaited_until(view.own.committed)
    if reports == len(view.members) or (late and reports >= view.threshold):
        yield duties.BuildSheet(view.round.id)


def publish_sheet(view: RoundView) -> Iterator[duties.Duty]:
    if has_scored(view) and view.own.sheet is not None:
        yield duties.PublishSheet(view.round.id, view.repeat_in_verify())


def record(view: RoundView) -> Iterator[duties.Duty]:
    sheet = view.own.sheet
    if has_scored(view) and sheet is not None and view.signatures(sheet) >= view.threshold:
        yield duties.SendRecord(view.round.id, sheet)
