"""The methods of a node, each with its parameters and the record it gives.

async with open_client(config, Scope.READ) as node:
    async for round_ in every(node.rounds_list, project=1):
        ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from jepanet.errors import Exit, Fatal
from jepanet.operations.shown_config import Shown
from jepanet.operations.status import read_status
from jepanet.operations.views.activity import Fetched, LogLine, StoredBlob, Training, Transfer
from jepanet.operations.views.funds import (
    Account,
    Admission,
    CreatedSet,
    Fee,
    JoinedSet,
    LeftSet,
    Sent,
    Transaction,
)
from jepanet.operations.views.node import (
    BannedPeer,
    ChainStatus,
    ConnectedPeer,
    Health,
    Invitation,
    NodeStatus,
    Rescan,
    Serving,
    Standing,
    TakenUp,
)
from jepanet.operations.views.observing import Served
from jepanet.operations.views.projects import KnownProject, ProjectDetails
from jepanet.operations.views.rounds import (
    Commitment,
    ExplainedReceipt,
    Receipt,
    RevealedDelta,
    Reward,
    RoundFigures,
    RoundSchedule,
    RoundSummary,
    RoundVerifiers,
    ScoreDocument,
    ScoreRow,
)
from jepanet.rpc.calling.connection import Connection, connected
from jepanet.rpc.calling.events import Event, events
from jepanet.rpc.method import Scope
from jepanet.rpc.offered.logs import Level
from jepanet.rpc.offered.paging import Page
from jepanet.rpc.subscribing.topic import Topic
from jepanet.rpc.transport.bearer import read_token, token_file
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths
from jepanet.types import Address, Role

T = TypeVar("T")


class NodeClient:
    """Every method raises as `Connection.call`. Lists come page by page: `every` walks through all of one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _get(self, method: str, result: type[T], **params: object) -> T:
        given = {name: item for name, item in params.items() if item is not None}
        found: T = await self._connection.call(method, result, given)
        return found

    async def blobs_fetched(self) -> tuple[Fetched, ...]:
        return await self._get("blobs.fetched", tuple[Fetched, ...])

    async def blobs_list(self, limit: int = 20, cursor: str | None = None) -> Page[StoredBlob]:
        return await self._get("blobs.list", Page[StoredBlob], limit=limit, cursor=cursor)

    async def blobs_transfers(self, limit: int = 20, cursor: str | None = None) -> Page[Transfer]:
        return await self._get("blobs.transfers", Page[Transfer], limit=limit, cursor=cursor)

    async def chain_rescan(self, first: int) -> Rescan:
        return await self._get("chain.rescan", Rescan, first=first)

    async def chain_status(self) -> ChainStatus:
        return await self._get("chain.status", ChainStatus)

    async def config_show(self) -> Mapping[str, Mapping[str, Shown]]:
        result: Any = Mapping[str, Mapping[str, Shown]]
        found: Mapping[str, Mapping[str, Shown]] = await self._get("config.show", result)
        return found

    async def dashboard_operates(self) -> bool:
        return await self._get("dashboard.operates", bool)

    async def dashboard_serves(self) -> Served:
        return await self._get("dashboard.serves", Served)

    async def dashboard_invite(self) -> Invitation:
        return await self._get("dashboard.invite", Invitation)

    async def dashboard_invite_operator(self) -> Invitation:
        return await self._get("dashboard.invite_operator", Invitation)

    async def deltas_list(
        self,
        round: int,  # noqa: A002
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[RevealedDelta]:
        return await self._get("deltas.list", Page[RevealedDelta], round=round, limit=limit, cursor=cursor)

    async def logs_list(
        self,
        limit: int = 20,
        cursor: str | None = None,
        level: Level | None = None,
        event: str | None = None,
        round: int | None = None,  # noqa: A002
        about: str | None = None,
    ) -> Page[LogLine]:
        return await self._get(
            "logs.list",
            Page[LogLine],
            limit=limit,
            cursor=cursor,
            level=level,
            event=event,
            round=round,
            about=about,
        )

    async def node_health(self) -> Health:
        return await self._get("node.health", Health)

    async def node_drain(self) -> Standing:
        return await self._get("node.drain", Standing)

    async def node_pause(self, role: Role) -> Standing:
        return await self._get("node.pause", Standing, role=role)

    async def node_resume(self, role: Role) -> Standing:
        return await self._get("node.resume", Standing, role=role)

    async def node_standing(self) -> Standing:
        return await self._get("node.standing", Standing)

    async def node_status(self) -> NodeStatus:
        return await self._get("node.status", NodeStatus)

    async def peers_ban(self, peer: str) -> BannedPeer:
        return await self._get("peers.ban", BannedPeer, peer=peer)

    async def peers_banned(self, limit: int = 20, cursor: str | None = None) -> Page[BannedPeer]:
        return await self._get("peers.banned", Page[BannedPeer], limit=limit, cursor=cursor)

    async def peers_connect(self, address: str) -> ConnectedPeer:
        return await self._get("peers.connect", ConnectedPeer, address=address)

    async def peers_list(self, limit: int = 20, cursor: str | None = None) -> Page[ConnectedPeer]:
        return await self._get("peers.list", Page[ConnectedPeer], limit=limit, cursor=cursor)

    async def projects_get(self, project: int) -> ProjectDetails:
        return await self._get("projects.get", ProjectDetails, project=project)

    async def projects_list(self, limit: int = 20, cursor: str | None = None) -> Page[KnownProject]:
        return await self._get("projects.list", Page[KnownProject], limit=limit, cursor=cursor)

    async def receipts_get(self, round: int, solver: Address) -> ExplainedReceipt:  # noqa: A002
        return await self._get("receipts.get", ExplainedReceipt, round=round, solver=solver)

    async def receipts_list(
        self,
        round: int,  # noqa: A002
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Receipt]:
        return await self._get("receipts.list", Page[Receipt], round=round, limit=limit, cursor=cursor)

    async def rewards_claim(self, round: int) -> tuple[TakenUp, ...]:  # noqa: A002
        result: type[tuple[TakenUp, ...]] = tuple[TakenUp, ...]
        return await self._get("rewards.claim", result, round=round)

    async def rewards_list(self, limit: int = 20, cursor: str | None = None) -> Page[Reward]:
        return await self._get("rewards.list", Page[Reward], limit=limit, cursor=cursor)

    async def rounds_commitments(
        self,
        round: int,  # noqa: A002
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Commitment]:
        return await self._get(
            "rounds.commitments", Page[Commitment], round=round, limit=limit, cursor=cursor
        )

    async def rounds_get(self, round: int) -> RoundFigures:  # noqa: A002
        return await self._get("rounds.get", RoundFigures, round=round)

    async def rounds_list(
        self, limit: int = 20, cursor: str | None = None, project: int | None = None
    ) -> Page[RoundSummary]:
        return await self._get("rounds.list", Page[RoundSummary], limit=limit, cursor=cursor, project=project)

    async def rounds_schedule(self, round: int) -> RoundSchedule:  # noqa: A002
        return await self._get("rounds.schedule", RoundSchedule, round=round)

    async def rpc_discover(self) -> object:
        return await self._get("rpc.discover", object)

    async def scores_get(
        self,
        round: int,  # noqa: A002
        coordinator: Address,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[ScoreRow]:
        return await self._get(
            "scores.get", Page[ScoreRow], round=round, coordinator=coordinator, limit=limit, cursor=cursor
        )

    async def scores_list(
        self,
        round: int,  # noqa: A002
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[ScoreDocument]:
        return await self._get("scores.list", Page[ScoreDocument], round=round, limit=limit, cursor=cursor)

    async def scores_verifiers(self, round: int) -> RoundVerifiers:  # noqa: A002
        return await self._get("scores.verifiers", RoundVerifiers, round=round)

    async def stake_collect(self, account: str | None = None) -> Sent:
        return await self._get("stake.collect", Sent, account=account)

    async def stake_deposit(self, amount: str) -> Sent:
        return await self._get("stake.deposit", Sent, amount=amount)

    async def stake_unbond(self, amount: str) -> Sent:
        return await self._get("stake.unbond", Sent, amount=amount)

    async def stake_withdraw(self, amount: str | None = None) -> Sent:
        return await self._get("stake.withdraw", Sent, amount=amount)

    async def training_get(self) -> Training:
        return await self._get("training.get", Training)

    async def transactions_list(self, limit: int = 20, cursor: str | None = None) -> Page[Transaction]:
        return await self._get("transactions.list", Page[Transaction], limit=limit, cursor=cursor)

    async def verifiers_admit(self, set: int, proposer: str, admitted: bool = True) -> Admission:  # noqa: A002
        return await self._get("verifiers.admit", Admission, set=set, proposer=proposer, admitted=admitted)

    async def verifiers_create(
        self, members: Sequence[str], threshold: int, cap: str | None = None, max_hold: int | None = None
    ) -> CreatedSet:
        return await self._get(
            "verifiers.create",
            CreatedSet,
            members=list(members),
            threshold=threshold,
            cap=cap,
            max_hold=max_hold,
        )

    async def verifiers_join(self, set: int) -> JoinedSet:  # noqa: A002
        return await self._get("verifiers.join", JoinedSet, set=set)

    async def verifiers_leave(self, set: int) -> LeftSet:  # noqa: A002
        return await self._get("verifiers.leave", LeftSet, set=set)

    async def wallet_account(self) -> Account:
        return await self._get("wallet.account", Account)

    async def wallet_fee(self) -> Fee:
        return await self._get("wallet.fee", Fee)


@asynccontextmanager
async def subscribed(node: NodeClient, *topics: Topic) -> AsyncIterator[AsyncIterator[Event]]:
    """What is new of these topics, as it comes, from the moment on at which the block is entered.

    Raises: as `events.events`.
    """
    async with events(node._connection, topics) as told:
        yield told


async def every(listed: Callable[..., Awaitable[Page[T]]], **given: object) -> AsyncIterator[T]:
    """Every entry of a list, page after page. Raises: as the method `listed`; Fatal: it never ends."""
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        page = await listed(**given, limit=100, cursor=cursor)
        for item in page.items:
            yield item
        if page.next is None:
            return
        if page.next in seen:
            raise Fatal(
                "the node's list leads back to an earlier page",
                remedy="ask whoever runs the node for its version: jepanet version",
                code=Exit.INCOMPATIBLE,
            )
        seen.add(page.next)
        cursor = page.next


@asynccontextmanager
async def open_client(config: Config, scope: Scope) -> AsyncIterator[NodeClient]:
    """A client of the node of `config`, on this machine, with the token of `scope` out of its data directory.

    The token goes to nobody but a node that runs and says that it listens: while none does, the port is
    anybody's.

    Raises:
        Fatal: the node does not run, or does not listen (exit code `NOT_RUNNING`); it never ran
            (`NOT_FOUND`); the token cannot be read (`CONFIG`).
    """
    status = read_status(config.node.data_dir)
    if not status.running:
        raise Fatal(
            f"the node of {config.node.data_dir} does not run: its status is {status.age} s old",
            remedy="start it: jepanet node run --config FILE",
            code=Exit.NOT_RUNNING,
        )
    if status.rpc is None or status.rpc.url is None:
        why = "[rpc] enabled is not set" if status.rpc is None else status.rpc.problem
        raise Fatal(
            f"the node of {config.node.data_dir} answers no JSON-RPC: {why}",
            remedy="set enabled = true in [rpc] and start the node anew, or see its log (rpc.blocked)",
            code=Exit.NOT_RUNNING,
        )
    token = read_token(token_file(Paths(config.node.data_dir).rpc, scope))
    async with connected(status.rpc.url, token) as connection:
        yield NodeClient(connection)


def dashboard_link(served: Serving | None, invitation: Invitation) -> str:
    """Where a browser is let in. What follows the `#` is sent to no server.

    Raises: Fatal: the node does not listen any more (exit code `NOT_RUNNING`).
    """
    if served is None or served.url is None:
        raise Fatal("the node's JSON-RPC listens no more", remedy="ask again", code=Exit.NOT_RUNNING)
    return f"{served.url}dashboard/#code={invitation.code}"
