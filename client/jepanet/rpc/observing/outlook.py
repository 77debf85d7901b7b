"""What an observer knows: kept up with the chain and with its peers for as long as somebody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, NoReturn

from jepanet.errors import JepanetError, Transient
from jepanet.operations.access import ChainAccess
from jepanet.operations.auditing.rounds import judged_facts
from jepanet.operations.projects.course import Course, project_of, rounds_of, solvers_of
from jepanet.operations.reading.endpoints import compare_endpoints
from jepanet.operations.reading.history import History
from jepanet.operations.reading.library import Library
from jepanet.operations.reading.sheets import Sheets
from jepanet.operations.views.observing import (
    EndpointStanding,
    Observing,
    ProjectInWhole,
    RoundOfProject,
    SolverOfProject,
    Trouble,
)
from jepanet.operations.views.rounds import SheetView
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.protocol.state import NodeState, Round
from jepanet.telemetry import get_logger
from jepanet.types import ProjectId

log = get_logger("observing")

_EVERY: Final = 4.0
"""Seconds between looks at the chain while somebody asks."""
_ASKING: Final = 30.0
"""Seconds for which somebody who asked is taken to ask again."""
_COMPARED_EVERY: Final = 15.0
_STILL: Final = 20.0
"""Seconds without one more block after which reading counts as held up."""
_FETCHED_EVERY: Final = 1.0
_PEERS_TAKE: Final = 2.0


class Outlook:
    """Of one network. `project`: the one that is wanted; None: all."""

    def __init__(
        self, chain: ChainAccess, history: History, library: Library, project: ProjectId | None = None
    ) -> None:
        self.project = project
        self.sheets = Sheets(library)
        self._chain = chain
        self._history = history
        self._library = library
        self._read = False
        self._excluded_bps: int | None = None
        self._trouble: Trouble | None = None
        self._endpoints: tuple[EndpointStanding, ...] = ()
        self._asked = asyncio.Event()
        self._asked_at = 0.0
        self._whole: tuple[NodeState, NodeState] | None = None
        self._told: dict[ProjectId, Told] = {}

    # ------------------------------------------------------------------ what is known

    @property
    def state(self) -> NodeState:
        """As the newest block that was read has it, with older rounds too."""
        found, past = self._history.so_far, self._history.chronicle.past
        if self._whole is None or self._whole[0] is not found:
            self._whole = (found, replace(found, rounds={**past, **found.rounds}))
        return self._whole[1]

    @property
    def excluded_bps(self) -> int | None:
        """What an excluded delta loses of its bond, in basis points; None until the chain was read."""
        return self._excluded_bps

    @property
    def ready(self) -> bool:
        """Whether the chain was read to its newest block and is followed. Nobody counts as asking by it: who
        has no token causes no request to an endpoint."""
        return self._read and self._trouble is None

    async def of(self, round_: Round) -> SheetView | None:
        """The score sheet of a round, as `Sheets.of`."""
        return await self.sheets.of(round_, self._facts(round_))

    async def brief(self, round_: Round) -> SheetView | None:
        """As `of`: an observer has no receipts of its own."""
        return await self.of(round_)

    async def standing(self) -> Observing:
        """How far all was read, and what is in the way. Somebody asked: the chain is looked at again soon."""
        self._asked_at = time.monotonic()
        self._asked.set()
        deployment, block = self._chain.deployment, self._history.position
        awaited = len(self.sheets.awaited(self._wanted()))
        return Observing(
            project=None if self.project is None else int(self.project),
            chain_id=deployment.chain_id,
            contract=deployment.rounds,
            block=block.number,
            timestamp=block.timestamp,
            read=self._read,
            chain=self._trouble,
            endpoints=self._endpoints,
            peers=await self._peers(),
            sheets=len(self.sheets.read),
            awaited=awaited,
            files=self.sheets.trouble if awaited else None,
        )

    def told_of(self, project: ProjectId) -> Told:
        """Everything of a project, worked out once for as long as nothing new is known.

        Raises: KeyError: there is no such project, or it is not the one that is wanted.
        """
        if self.project not in (None, project):
            raise KeyError(project)
        course = Course.of(self._history.so_far, self._history.chronicle, self.sheets.read, project)
        known = self._told.get(project)
        if known is None or not known.is_of(course):
            known = self._told[project] = Told(course)
        return known

    # ------------------------------------------------------------------ keeping up

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._for_ever(self._compare, _COMPARED_EVERY))
            group.create_task(self._for_ever(self._fetch, _FETCHED_EVERY))

    async def _follow(self) -> NoReturn:
        while True:
            before = self._history.position
            try:
                async with asyncio.timeout(_STILL):
                    await self._history.state()
                    if self._excluded_bps is None:
                        fixed = await self._chain.contracts.rounds.configuration("latest")
                        self._excluded_bps = fixed.excluded_bps
                self._read, self._trouble = True, None
            except TimeoutError:  # reading everything may take longer than that
                if self._history.position == before:
                    self._held_up(Transient("no endpoint of the chain gives a block that follows"))
                continue
            except JepanetError as error:
                self._held_up(error)
            await self._pause(_EVERY)

    def _held_up(self, error: JepanetError) -> None:
        since = int(time.time()) if self._trouble is None else self._trouble.since
        self._trouble = Trouble(error.message, error.remedy, since)

    async def _for_ever(self, do: Callable[[], Awaitable[None]], every: float) -> NoReturn:
        while True:
            try:
                await do()
            except JepanetError as error:
                log.info("observer.delayed", why=error.message)
            except Exception as error:  # what a stranger's file caused ends nothing else that is shown
                log.error("observer.crashed", exc_info=error)
            await self._pause(every)

    async def _pause(self, seconds: float) -> None:
        """At least so long, and until somebody asks."""
        await asyncio.sleep(seconds)
        if time.monotonic() - self._asked_at > _ASKING:
            self._asked.clear()
            await self._asked.wait()

    async def _compare(self) -> None:
        chain = self._chain
        self._endpoints = await compare_endpoints(chain.rpc, chain.deployment, max(1, chain.confirmations))

    async def _fetch(self) -> None:
        while await self.sheets.fetch_next(self._wanted(), self._facts):
            pass

    def _wanted(self) -> Sequence[Round]:
        """Rounds whose sheets are wanted, the newest first."""
        rounds = sorted(self.state.rounds.items(), reverse=True)
        return [item for _, item in rounds if self.project in (None, item.project_id)]

    def _facts(self, round_: Round) -> RoundFacts | None:
        return judged_facts(self.state, round_, self._chain.deployment)

    async def _peers(self) -> int | None:
        try:
            async with asyncio.timeout(_PEERS_TAKE):
                return await self._library.peers()
        except (JepanetError, TimeoutError):
            return None


class Told:
    """What was worked out of a course; each when it is first asked for."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._rounds: list[RoundOfProject] | None = None
        self._solvers: list[SolverOfProject] | None = None
        self._project: ProjectInWhole | None = None

    def is_of(self, course: Course) -> bool:
        """Whether nothing was learnt since: the same objects, not only equal ones."""
        mine = self.course
        return (
            mine.state is course.state and mine.chronicle is course.chronicle and mine.sheets is course.sheets
        )

    @property
    def project(self) -> ProjectInWhole:
        self._project = self._project or project_of(self.course)
        return self._project

    @property
    def rounds(self) -> list[RoundOfProject]:
        if self._rounds is None:
            self._rounds = rounds_of(self.course)
        return self._rounds

    @property
    def solvers(self) -> list[SolverOfProject]:
        if self._solvers is None:
            self._solvers = solvers_of(self.course)
        return self._solvers
