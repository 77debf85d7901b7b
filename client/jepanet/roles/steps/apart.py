"""Coordinators whose scores lie apart from what was decided: told to whoever checks a sheet, and kept."""

from __future__ import annotations

import json

from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.settling.standing import reported
from jepanet.protocol.settling.tally import RoundFacts, drawn_solvers
from jepanet.roles.context import Context
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json

log = get_logger("coordinator")

APART_NOTE = "apart"


def tell_apart(context: Context, facts: RoundFacts, sheet: ScoreSheet, spec: RoundSpec) -> None:
    """Names who earns no fee by a sheet that was derived again here. Over and under alike: a minority that
    says less of somebody's delta moves no median, and should be seen before it is none."""
    found: list[list[str]] = []
    drawn = drawn_solvers(facts, spec)
    for report in sheet.reports:
        stands = reported(
            report,
            sheet.reports,
            sheet.rows,
            spec,
            drawn,
            sheet.among,
            len(facts.members),
            sheet.chain_id,
            sheet.contract,
        )
        if stands.earns:
            continue
        below = stands.under + stands.sound
        log.warning("scores.disowned", round=sheet.round_id, coordinator=report.coordinator, over=stands.over,
                    under=below, missed=stands.missed, audited=stands.audited,
                    in_time=stands.in_time)  # fmt: skip
        sides = {
            "over": stands.over,
            "under": below,
            "missed": stands.missed,
            "share": not stands.as_merged,
            "unaudited": not stands.audited,
            "late": stands.in_time is False,
        }
        found += [[report.coordinator, side] for side, there in sides.items() if there]
    context.journal.put_note(sheet.round_id, APART_NOTE, canonical_json(found).decode())


def kept_apart(note: str | None) -> tuple[tuple[str, str], ...]:
    """(coordinator, one of `metrics.rounds.KINDS_APART`) of a round's note; none without one."""
    return () if note is None else tuple((str(who), str(side)) for who, side in json.loads(note))
