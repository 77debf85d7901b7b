"""A network for scripts and notebooks: the asynchronous one, with every call waited for."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING

from jepanet.interface.python.asynchronous import AsyncNetwork, AsyncRound
from jepanet.interface.python.blocking import LoopThread

if TYPE_CHECKING:
    from jepanet.operations.in_memory.models import Model
    from jepanet.operations.views.projects import Project
    from jepanet.operations.views.rounds import Commitment, RoundDetails, RoundSummary, Verification


class Network:
    """As `AsyncNetwork`, for code without `await`; it works where an event loop runs already, as in a
    notebook, and blocks that thread while it waits.

    Close it, or use it with `with Network.connect(...) as network`; one that is forgotten closes itself.
    """

    def __init__(self, network: AsyncNetwork, thread: LoopThread) -> None:
        """Use `connect`."""
        self._network, self._thread = network, thread
        self._forgotten = weakref.finalize(self, thread.stop)

    @classmethod
    def connect(
        cls,
        *,
        rpc: str | Sequence[str],
        deployment: str | PathLike[str],
        peers: Sequence[str] = (),
        inputs: str | PathLike[str] | None = None,
        offline: bool = False,
        backbones: str | PathLike[str] | None = None,
    ) -> Network:
        """Arguments and errors: as `AsyncNetwork.connect`."""
        thread = LoopThread()

        async def opened() -> AsyncNetwork:
            network = await AsyncNetwork.connect(
                rpc=rpc, deployment=deployment, peers=peers, inputs=inputs, offline=offline,
                backbones=backbones,
            )  # fmt: skip
            return await thread.exits.enter_async_context(network)

        try:
            return cls(thread.run(opened()), thread)
        except BaseException:
            thread.end()
            raise

    def projects(self) -> tuple[Project, ...]:
        """As `AsyncNetwork.projects`."""
        return self._thread.run(self._network.projects())

    def rounds(self, project: int | None = None) -> tuple[Round, ...]:
        """As `AsyncNetwork.rounds`."""
        return tuple(Round(item, self) for item in self._thread.run(self._network.rounds(project)))

    def round(self, number: int) -> Round:
        """As `AsyncNetwork.round`."""
        return Round(self._thread.run(self._network.round(number)), self)

    def load_model(self, project: int) -> Model:
        """As `AsyncNetwork.load_model`."""
        return self._thread.run(self._network.load_model(project))

    def close(self) -> None:
        """Leaves the network and waits until that is done. Further calls are refused."""
        self._thread.end()

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Round:
    """As `AsyncRound`, for code without `await`."""

    def __init__(self, found: AsyncRound, network: Network) -> None:
        """Use `Network.round`."""
        self._round, self._network = found, network  # which must not be forgotten while its rounds are used

    def __repr__(self) -> str:
        return repr(self._round)

    @property
    def summary(self) -> RoundSummary:
        """The round as it was when it was asked for."""
        return self._round.summary

    def commitments(self) -> tuple[Commitment, ...]:
        """As `AsyncRound.commitments`."""
        return self._network._thread.run(self._round.commitments())

    def details(self) -> RoundDetails:
        """As `AsyncRound.details`."""
        return self._network._thread.run(self._round.details())

    def load_model(self) -> Model:
        """As `AsyncRound.load_model`."""
        return self._network._thread.run(self._round.load_model())

    def verify(self, *, retrain: Sequence[str] = (), device: str = "cpu") -> Verification:
        """As `AsyncRound.verify`."""
        return self._network._thread.run(self._round.verify(retrain=retrain, device=device))


def verify(checked: Round, *, retrain: Sequence[str] = (), device: str = "cpu") -> Verification:
    """Trusts nobody and recomputes a round. Arguments and errors: as `AsyncRound.verify`."""
    return checked.verify(retrain=retrain, device=device)
