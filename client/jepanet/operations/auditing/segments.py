"""`jepanet audit ROUND`: parts of a round's trainings done again, from the chain and whoever serves them.

reveal ──▶ delta ──▶ transcript ──▶ state before a segment ──▶ its steps again ──▶ digests compared

Of every solver that the round's beacon drew, the segments that it drew: the first, the last with what makes
weights a delta, and others. Where the rules draw nobody, of every solver the first, the last and one that is
drawn here, which nobody can have known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.learning.machine.surroundings import said, surroundings
from jepanet.operations.auditing.auditor import Auditor
from jepanet.operations.auditing.failed import WorkDiffers
from jepanet.operations.auditing.round_inputs import (
    round_inputs,
    round_rules,
)
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.views.audits import (
    DIFFERS,
    NOT_SERVED,
    OTHER_BUILD,
    REPRODUCED,
    UNHELD,
    AuditReport,
    SegmentAudit,
)
from jepanet.protocol.documents.spec import EXACT
from jepanet.protocol.settling.audit_draw import drawn_segments, is_drawn
from jepanet.types import Address
from jepanet.work.audit_rules import check_trace
from jepanet.work.transcript import (
    check_build,
)
from jepanet.work.worker import Worker


async def audit_round(
    deployment: Deployment,
    history: History,
    library: Library,
    worker: Worker,
    round_id: int,
    *,
    solvers: Sequence[Address] = (),
    segments: Sequence[int] = (),
    every: bool = False,
    on_segment: Callable[[SegmentAudit], None] = lambda _: None,
) -> AuditReport:
    """Does segments of trainings of a round again: of `solvers`, else of all that were drawn, or with
    `segments` or `every` of all that revealed; those numbered in `segments`, all with `every`, else those
    that were drawn, and of a solver that was not, first, last and one at random.

    Raises:
        WorkDiffers: a segment leads elsewhere, or could not be done again; all others were done first.
        Rejected: `not-audited`, the round's rules ask for no such thing; `other-trace`, another version of
            this program made its states; `not-revealed`; `no-segment`.
        Fatal: no such round, or nobody has revealed yet (`NOT_FOUND`).
        Transient: a file of the round has no provider.
    """
    state = await history.state()
    round_ = find_round(state, round_id)
    chosen = tuple(solvers) or tuple(item.solver for item in round_.reveals)
    if not chosen:
        raise Fatal(
            f"nobody has revealed a delta in round {round_id} (phase {round_.phase(state.now).name.lower()})",
            remedy="audit it once deltas are revealed",
            code=Exit.NOT_FOUND,
        )
    rules, _ = await round_rules(state, round_, library)
    if rules.audit is None:
        raise Rejected(
            f"trainings of round {round_id} leave no states: its rules say nothing of audits",
            reason="not-audited",
            remedy=f"repeat one whole: jepanet verify {round_id} --retrain SOLVER; a proposer asks for "
            "states with proposer.audit_segments",
        )
    check_trace(rules.audit)
    rule, beacon = rules.audit, round_.beacon
    drawn = None
    if rule.probability_milli and beacon is not None:
        revealed = [item.solver for item in round_.reveals]
        drawn = tuple(solver for solver in revealed if is_drawn(rule, beacon, round_.id, solver))
        if not (solvers or segments or every):
            chosen = drawn
    inputs = await round_inputs(state, round_, library, worker)
    auditor = Auditor(deployment, state, round_, inputs, library, worker)
    rows: list[SegmentAudit] = []
    for solver in chosen:
        wrong = None
        try:
            committed = await auditor.committed(solver)
            if rules.audit.mode == EXACT:
                check_build(committed.transcript)
        except Transient as error:
            wrong = _whole(solver, NOT_SERVED, None, error.message)
        except Rejected as error:
            if error.reason in ("not-revealed", "altered-input"):
                raise
            other = error.reason == "other-build"
            found, differs = (OTHER_BUILD, None) if other else (DIFFERS, "transcript")
            wrong = _whole(solver, found, differs, error.message)
        if wrong is not None:
            rows.append(wrong)
            on_segment(wrong)
            continue
        count = len(committed.transcript.segments)
        of_draw = drawn_segments(rule, beacon, round_.id, solver, count=count)
        asked = segments or (() if every else of_draw)
        for number in _numbers(count, asked, every):
            rows.append(await auditor.segment(solver, committed, number))
            on_segment(rows[-1])
    report = AuditReport(
        round_id, all(row.found == REPRODUCED for row in rows), tuple(rows), said(surroundings()), drawn
    )
    # What is told first is what was found, not what could not be looked at.
    for row in sorted(rows, key=lambda row: row.found != DIFFERS):
        if row.found != REPRODUCED:
            raise _differs(report, row)
    return report


def _whole(solver: Address, found: str, differs: str | None, detail: str) -> SegmentAudit:
    """Of a training of which no segment can be done again."""
    return SegmentAudit(solver, None, 0, 0, found, differs, detail, 0.0)


def _numbers(count: int, asked: Sequence[int], every: bool) -> list[int]:
    if asked:
        return sorted(set(asked))
    if every or count <= 3:
        return list(range(count))
    return [0, random.SystemRandom().randrange(1, count - 1), count - 1]


def _differs(report: AuditReport, row: SegmentAudit) -> WorkDiffers:
    where = f"round {report.round}: training of {row.solver}"
    if row.segment is not None:
        where += f", segment {row.segment}"
    if row.found == OTHER_BUILD:
        return WorkDiffers(
            report,
            f"{where}: {row.detail}",
            remedy="audit it on such a machine; nothing was found of that solver, neither good nor bad",
        )
    if row.found == UNHELD:
        return WorkDiffers(
            report,
            f"{where}: {row.detail}",
            remedy="audit the round before while it is served; nothing was found wrong, and nothing proved",
        )
    if row.found == NOT_SERVED:
        return WorkDiffers(
            report,
            f"{where}: {row.detail}",
            remedy="ask other peers (--peer), above all the solver's own; a state that its solver does not "
            "serve proves nothing by itself",
        )
    return WorkDiffers(
        report,
        f"{where}: {row.differs} is not reproduced: {row.detail}",
        remedy="the solver did other work than it committed to; its result stands: a round pays for gain",
    )
