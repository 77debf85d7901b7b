"""A network for coroutines: an endpoint of its chain, its deployment's file and peers are enough."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from jepanet.errors import Exit, Fatal
from jepanet.interface.folders import cache_folder
from jepanet.interface.handles import Inputs, open_reading
from jepanet.interface.python.blocking import CLOSED, CONNECT_AGAIN

if TYPE_CHECKING:
    from jepanet.operations.in_memory.models import Model
    from jepanet.operations.reading.opened import Opened
    from jepanet.operations.views.projects import Project
    from jepanet.operations.views.rounds import Commitment, RoundDetails, RoundSummary, Verification


class AsyncNetwork:
    """A network that is looked at: no wallet, no node, no file of settings. Every answer is of the chain's
    newest block; peers are dialled when the first file is asked for.

    Close it, or use it with `async with await AsyncNetwork.connect(...) as network`.
    """

    def __init__(self, opened: Opened, exits: AsyncExitStack) -> None:
        """Use `connect`."""
        self._open: Opened | None = opened
        self._exits = exits

    @classmethod
    async def connect(
        cls,
        *,
        rpc: str | Sequence[str],
        deployment: str | PathLike[str],
        peers: Sequence[str] = (),
        inputs: str | PathLike[str] | None = None,
        offline: bool = False,
        backbones: str | PathLike[str] | None = None,
    ) -> AsyncNetwork:
        """Connects to the chain and checks that it is the deployment's.

        rpc: one endpoint of the chain or several, which answer as one. deployment: the network's
        deployment.json. peers: multiaddresses of nodes to fetch files from, as their `jepanet status` shows
        them. inputs: folder for files, named by CID; default: `inputs` in the cache folder, as for commands.
        offline: ask no peer for what that folder lacks. backbones: folder of backbones that recipes train
        adapters beside. Variables of the environment count for nothing.

        Raises:
            Fatal: a value of another form (exit code `CONFIG`), peers that nobody would ask (`USAGE`), the
                wrong chain or contracts (`WRONG_CHAIN` and others).
            Transient: no endpoint answers (`CHAIN_UNREACHABLE`).
        """
        from jepanet.operations.access import open_worker
        from jepanet.operations.reading.opened import Opened
        from jepanet.settings.network import check_network
        from jepanet.settings.observer_config import load_observer

        if offline and peers:
            raise Fatal("peers and offline: one asks them, the other nobody", remedy="leave one out",
                        code=Exit.USAGE)  # fmt: skip
        endpoints = (rpc,) if isinstance(rpc, str) else tuple(rpc)
        named = (peers,) if isinstance(peers, str) else tuple(peers)
        where = load_observer(None, endpoints=endpoints, deployment=Path(deployment), environment={})
        check_network(replace(where.p2p, bootstrap=named))
        folder = cache_folder("inputs") if inputs is None else Path(inputs)
        beside = None if backbones is None else Path(backbones)
        async with AsyncExitStack() as exits:
            reading = await exits.enter_async_context(open_reading(where, Inputs(folder, named, offline)))
            worker = await exits.enter_async_context(open_worker(backbones=beside))
            opened = Opened(reading.chain, reading.history, reading.library, worker)
            return cls(opened, exits.pop_all())

    async def projects(self) -> tuple[Project, ...]:
        """Every project. Raises: Transient: no endpoint answers."""
        from jepanet.operations.projects.registered import list_projects

        return await list_projects(self._opened.chain)

    async def rounds(self, project: int | None = None) -> tuple[AsyncRound, ...]:
        """Every round, or those of one project, oldest first. Raises: Transient: no endpoint answers."""
        from jepanet.operations.auditing.rounds import list_rounds

        found = await list_rounds(self._opened.history)
        return tuple(AsyncRound(self, item) for item in found if project in (None, item.project))

    async def round(self, number: int) -> AsyncRound:
        """One round as it is now. Raises: Fatal: there is none (`NOT_FOUND`); Transient as `rounds`."""
        from jepanet.operations.auditing.rounds import summary_of

        return AsyncRound(self, await summary_of(self._opened.history, number))

    async def load_model(self, project: int) -> Model:
        """The newest model of a project, the base of its next round: fetched from peers, or derived of what
        they serve, and held to its digest.

        Raises:
            Fatal: no such project (`NOT_FOUND`), or no peer to ask (`NO_PEERS`).
            Transient: nobody serves it. Rejected: it is no model of the project's recipe.
        """
        from jepanet.operations.in_memory.fetching import newest_model

        opened = self._opened
        return await newest_model(opened.history, opened.library, opened.worker, project)

    async def close(self) -> None:
        """Leaves the network. Further calls are refused."""
        self._open = None
        await self._exits.aclose()

    @property
    def _opened(self) -> Opened:
        if self._open is None:
            raise Fatal(CLOSED, remedy=CONNECT_AGAIN, code=Exit.USAGE)
        return self._open

    async def __aenter__(self) -> AsyncNetwork:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncRound:
    """A round as it was when it was asked for: `summary`. What its methods say is of now."""

    def __init__(self, network: AsyncNetwork, summary: RoundSummary) -> None:
        """Use `AsyncNetwork.round`."""
        self._network = network
        self.summary = summary

    def __repr__(self) -> str:
        return f"<round {self.summary.round} of project {self.summary.project}: {self.summary.phase}>"

    async def commitments(self) -> tuple[Commitment, ...]:
        """Who committed to what, in order, and what was revealed. Raises: as `AsyncNetwork.round`."""
        from jepanet.operations.auditing.rounds import list_commitments

        return await list_commitments(self._network._opened.history, self.summary.round)

    async def details(self) -> RoundDetails:
        """Summary, and once a result is recorded: scores before and after, a receipt for every solver, fees.

        Raises: Fatal, Transient: as `AsyncNetwork.round`, or nobody serves the score sheet.
        """
        from jepanet.operations.auditing.rounds import show_round

        opened = self._network._opened
        return await show_round(opened.history, opened.library, self.summary.round)

    async def load_model(self) -> Model:
        """The model that this round recorded, as `AsyncNetwork.load_model`.

        Raises: Fatal: it recorded none that counts (`NOT_FOUND`); else as there.
        """
        from jepanet.operations.in_memory.fetching import model_recorded_by

        opened = self._network._opened
        return await model_recorded_by(opened.history, opened.library, opened.worker, self.summary.round)

    async def verify(self, *, retrain: Sequence[str] = (), device: str = "cpu") -> Verification:
        """Recomputes scores, merge and payouts, as `jepanet verify` does, and the trainings of the solvers
        whose addresses are in `retrain`. The work is done in a process beside this one.

        Raises:
            AuditFailed: something disagrees with what was recorded; its `report` has every check.
            Fatal: nothing is recorded (`NOT_FOUND`), or an address is none (`USAGE`).
            Transient: nobody serves what is needed.
        """
        from jepanet.operations.auditing.verify import verify_round
        from jepanet.settings.terms import accounts

        solvers, opened = accounts(retrain), self._network._opened
        return await verify_round(
            opened.chain.deployment, opened.history, opened.library, opened.worker, self.summary.round,
            retrain=solvers, device=device,
        )  # fmt: skip
