"""`observer`, `project`: a whole network for who takes no part, and the methods of a node that need none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from jepanet import __version__
from jepanet.operations.views.observing import (
    Instruction,
    Observing,
    ProjectInWhole,
    RoundOfProject,
    SolverOfProject,
)
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.method import Method, NoParams, table_of
from jepanet.rpc.observing.commands import commands_of, commands_of_round
from jepanet.rpc.observing.outlook import Outlook, Told
from jepanet.rpc.offered import dashboard, projects, rounds
from jepanet.rpc.offered.paging import Cursor, Limit, Page, page_of
from jepanet.rpc.offered.rounds import Number
from jepanet.rpc.openrpc import discovering
from jepanet.types import ProjectId


@dataclass(frozen=True, slots=True)
class OneProject:
    project: Number


@dataclass(frozen=True, slots=True)
class OfProject:
    project: Number
    limit: Limit = 20
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class RoundsParams:
    project: Number
    limit: Limit = 20
    cursor: Cursor | None = None
    recorded: Annotated[bool, "only rounds with a result that counts"] = False


@dataclass(frozen=True, slots=True)
class CommandsParams:
    project: Number
    round: Annotated[Number | None, "of this round alone"] = None


def methods_of(outlook: Outlook, options: str) -> Mapping[str, Method]:
    """By name. `options`: of a command that looks at the same network."""

    async def status(_: NoParams) -> Observing:
        return await outlook.standing()

    async def whole(given: OneProject) -> ProjectInWhole:
        return told(given.project).project

    async def listed(given: RoundsParams) -> Page[RoundOfProject]:
        found = told(given.project).rounds
        if given.recorded:
            found = [item for item in found if item.outcome in ("merged", "withheld")]
        return page_of(found, lambda item: item.summary.round, given.limit, given.cursor, falling=True)

    async def solvers(given: OfProject) -> Page[SolverOfProject]:
        return page_of(told(given.project).solvers, lambda item: item.place, given.limit, given.cursor)

    async def commands(given: CommandsParams) -> tuple[Instruction, ...]:
        known = told(given.project)
        if given.round is None:
            return commands_of(known.project, options)
        recorded = any(item.id == given.round and item.recorded for item in known.course.rounds)
        return commands_of_round(given.round, options) if recorded else ()

    def told(project: int) -> Told:
        try:
            return outlook.told_of(ProjectId(project))
        except KeyError:
            known = ", ".join(str(int(key)) for key in sorted(outlook.state.projects)[:20]) or "none yet"
            wanted = "" if outlook.project is None else f"; this observer shows {int(outlook.project)} alone"
            raise Refused(Code.NOT_FOUND, f"projects on the chain: {known}{wanted}") from None

    methods = (
        dashboard.serving("observer"),
        Method("observer.status", "How far the chain and the score sheets were read, from whom, and what is "
               "in the way", NoParams, Observing, status),
        Method("project.get", "A project over all its rounds, in figures", OneProject, ProjectInWhole, whole),
        Method("project.rounds", "Rounds of a project, the newest first, with what they came to and the "
               "transactions that say so", RoundsParams, Page[RoundOfProject], listed),
        Method("project.solvers", "Who took part in a project, who was paid most first", OfProject,
               Page[SolverOfProject], solvers),
        Method("project.commands", "Commands that verify a project and fetch its model", CommandsParams,
               tuple[Instruction, ...], commands),
        projects.listing(outlook),
        *rounds.methods(outlook, outlook),
    )  # fmt: skip
    return table_of([*methods, discovering(methods, __version__, "observer")])
