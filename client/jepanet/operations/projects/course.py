"""A project over all its rounds: what each came to, who earned what, and whether the models hang together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jepanet.cid import to_cid
from jepanet.operations.auditing.rounds import summary
from jepanet.operations.projects.known import known_project
from jepanet.operations.reading.chronicle import Chronicle, Said
from jepanet.operations.reading.sheets import Key, ReadSheet, key_of
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.observing import ProjectInWhole, RoundOfProject, SolverOfProject, Transacted
from jepanet.protocol.state import NodeState, Project, Round, Status
from jepanet.types import Address, ProjectId


@dataclass(frozen=True, slots=True)
class Course:
    """Rounds of one project, ascending, as the chain tells them, and the score sheets that were read."""

    state: NodeState
    chronicle: Chronicle
    sheets: Mapping[Key, ReadSheet]
    project: Project
    rounds: tuple[Round, ...]

    @classmethod
    def of(
        cls, state: NodeState, chronicle: Chronicle, sheets: Mapping[Key, ReadSheet], project: ProjectId
    ) -> Course:
        """Raises: KeyError: there is no such project."""
        rounds = {**chronicle.past, **state.rounds}
        chosen = tuple(item for _, item in sorted(rounds.items()) if item.project_id == project)
        return cls(state, chronicle, sheets, state.projects[project], chosen)

    def sheet(self, round_: Round) -> ReadSheet | None:
        """What was read of a round's score sheet, if anything."""
        return None if round_.recorded is None else self.sheets.get(key_of(round_))


def rounds_of(course: Course) -> list[RoundOfProject]:
    """Every round, the newest first."""
    unlinked = set(unlinked_rounds(course))
    return [_round(course, item, follows=int(item.id) not in unlinked) for item in reversed(course.rounds)]


def solvers_of(course: Course) -> list[SolverOfProject]:
    """Everybody who revealed a delta in a round whose sheet was read; who was paid most comes first."""
    found: dict[Address, SolverOfProject] = {}
    for round_ in course.rounds:
        sheet = course.sheet(round_)
        if sheet is None or round_.status is Status.CANCELLED:
            continue
        final = round_.status is Status.SETTLED
        for row in sheet.rows:
            before = found.get(row.solver) or SolverOfProject(0, row.solver, 0, 0, 0, Wei(0), Wei(0), 0)
            found[row.solver] = SolverOfProject(
                place=0,
                solver=row.solver,
                deltas=before.deltas + 1,
                accepted=before.accepted + row.accepted,
                gain=before.gain + (row.gain if row.accepted else 0),
                paid=Wei(before.paid + (row.amount if final else 0)),
                open=Wei(before.open + (0 if final else row.amount)),
                newest=int(round_.id),
            )
    ordered = sorted(
        found.values(), key=lambda item: (-item.paid - item.open, -item.gain, item.solver.lower())
    )
    return [replace(item, place=place) for place, item in enumerate(ordered, 1)]


def project_of(course: Course) -> ProjectInWhole:
    """The whole of it in figures."""
    counted = [item for item in course.rounds if item.status is not Status.CANCELLED]
    recorded = [(item, item.recorded) for item in counted if item.recorded is not None]
    merged = [(item, told) for item, told in recorded if told.model != item.base]
    settled = [item for item in counted if item.status is Status.SETTLED]
    founding = course.chronicle.founded.get(course.project.id)
    read = [(item, sheet) for item in counted if (sheet := course.sheet(item)) is not None]
    newest = [int(item.id) for item, told in merged if told.model == course.project.model]
    exported = [int(item.id) for item in settled if item.recorded is not None]
    paid = sum(told.payout for item, told in recorded if item.status is Status.SETTLED)
    return ProjectInWhole(
        project=known_project(course.project, course.state.me),
        first_model=None if founding is None else to_cid(founding.model),
        created=None if founding is None else _transacted(founding.said),
        newest=newest[-1] if newest else None,
        exported=exported[-1] if exported else None,
        settled=len(settled),
        merged=len(merged),
        withheld=len(recorded) - len(merged),
        cancelled=len(course.rounds) - len(counted),
        improvement=sum(told.improvement for _, told in merged),
        paid=Wei(paid),
        open=Wei(sum(told.payout for _, told in recorded) - paid),
        solvers=len({row.solver for _, sheet in read for row in sheet.rows}),
        sheets=len(read),
        awaited=len(recorded) - len(read),
        unlinked=tuple(unlinked_rounds(course)),
        left_out=max(0, course.project.rounds - len(course.rounds)),
    )


def unlinked_rounds(course: Course) -> list[int]:
    """Recorded rounds that did not begin from the model that the recorded one before them left. The first
    begins from the project's first model, where older ones were not left out."""
    founding = course.chronicle.founded.get(course.project.id)
    whole = course.project.rounds <= len(course.rounds)
    model = founding.model if founding is not None and whole else None
    found = []
    for item in course.rounds:
        if item.recorded is None or item.status is Status.CANCELLED:
            continue
        if model is not None and item.base != model:
            found.append(int(item.id))
        model = item.recorded.model
    return found


def _round(course: Course, round_: Round, *, follows: bool) -> RoundOfProject:
    recorded, sheet = round_.recorded, course.sheet(round_)
    said = course.chronicle.said.get(round_.id)
    outcome = "open"
    if round_.status is Status.CANCELLED:
        outcome = "cancelled"
    elif recorded is not None:
        outcome = "withheld" if recorded.model == round_.base else "merged"
    return RoundOfProject(
        summary=summary(course.state, round_),
        spec=to_cid(round_.params.spec, "dag-json"),
        outcome=outcome,
        final=round_.status in (Status.SETTLED, Status.CANCELLED),
        follows=follows,
        sheet_read=sheet is not None,
        stderr=None if sheet is None else sheet.stderr,
        note=None if sheet is None else sheet.note,
        accepted=None if sheet is None else sum(row.accepted for row in sheet.rows),
        heldout=None if sheet is None else sheet.heldout,
        opened=None if said is None else _transacted(said.opened),
        recorded=None if said is None else _transacted(said.recorded),
        ended=None if said is None else _transacted(said.ended),
    )


def _transacted(said: Said | None) -> Transacted | None:
    if said is None:
        return None
    return Transacted("0x" + said.transaction.hex(), said.block.number, said.block.timestamp)
