"""Subscriptions of a caller: over one WebSocket, what is new of some topics, as records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from jepanet.errors import Exit, Transient
from jepanet.operations.views.activity import LogLine, Transferred
from jepanet.operations.views.funds import Transaction
from jepanet.operations.views.node import Working
from jepanet.operations.views.rounds import RoundSummary, ScoresArrived
from jepanet.rpc.calling.connection import Connection
from jepanet.rpc.calling.declined import declined_by
from jepanet.rpc.calling.results import Unlike, record_from
from jepanet.rpc.messages import VERSION
from jepanet.rpc.subscribing.topic import Topic

_SWITCHED: Final = 101
"""HTTP status of a WebSocket."""
_CONFIRMED_SECONDS: Final = 20.0
_MOST_EARLY: Final = 256
"""Events before all subscriptions are confirmed: as many as a node lets wait for one that does not read."""
RECORDS: Final[Mapping[Topic, type]] = {
    Topic.ROUNDS: RoundSummary,
    Topic.SCORES: ScoresArrived,
    Topic.TRAINING: Working,
    Topic.TRANSACTIONS: Transaction,
    Topic.TRANSFERS: Transferred,
    Topic.LOGS: LogLine,
}


@dataclass(frozen=True, slots=True)
class Event:
    """`value` is a record of the topic's kind."""

    topic: Topic
    value: RoundSummary | ScoresArrived | Working | Transaction | Transferred | LogLine


@asynccontextmanager
async def events(connection: Connection, topics: Sequence[Topic]) -> AsyncIterator[AsyncIterator[Event]]:
    """Subscribes to `topics`; all of them are confirmed when the block is entered.

    Raises:
        Declined: the node refuses one. Transient: it does not answer, or ends the connection.
        Fatal: what answers is no node of this version (exit code `INCOMPATIBLE`).
    """
    async with connection.socket() as socket:
        early: list[Event] = []
        try:
            async with asyncio.timeout(_CONFIRMED_SECONDS):
                for number, topic in enumerate(topics, 1):
                    await _subscribe(connection, socket, topic, number, early)
        except TimeoutError as error:
            raise Transient(
                "the node does not confirm what it was asked to tell", code=Exit.NOT_RUNNING
            ) from error
        yield _told(connection, socket, early)


async def _subscribe(
    connection: Connection,
    socket: aiohttp.ClientWebSocketResponse,
    topic: Topic,
    number: int,
    early: list[Event],
) -> None:
    """Returns once the node has confirmed it; events that come before that are put into `early`."""
    call = {"jsonrpc": VERSION, "method": "rpc.subscribe", "params": {"topic": topic}, "id": number}
    await socket.send_str(json.dumps(call))
    while (told := await _next(connection, socket)) is not None:
        if len(early) >= _MOST_EARLY:
            raise connection.stranger("it tells a lot and confirms nothing")
        early.append(told)


async def _told(
    connection: Connection, socket: aiohttp.ClientWebSocketResponse, early: list[Event]
) -> AsyncIterator[Event]:
    for event in early:
        yield event
    while True:
        told = await _next(connection, socket)
        if told is not None:
            yield told


async def _next(connection: Connection, socket: aiohttp.ClientWebSocketResponse) -> Event | None:
    """The next event; None for the answer to a call."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise Transient(
            "the node has ended the connection over which it told what is new",
            remedy="call again: does it still run? `jepanet status` says so",
            code=Exit.NOT_RUNNING,
        )
    tree = connection.parsed(message.data.encode(), _SWITCHED)
    if not isinstance(tree, dict):
        raise connection.stranger("what it tells is no JSON-RPC")
    if "error" in tree:
        raise declined_by(tree["error"]) or connection.stranger("its error has no code")
    if tree.get("method") != "rpc.event":
        return None
    params = tree.get("params")
    if not isinstance(params, dict) or params.get("topic") not in list(Topic):
        raise connection.stranger("it tells of a topic that nobody subscribed to")
    topic = Topic(str(params["topic"]))
    try:
        return Event(topic, record_from(RECORDS[topic], params.get("event"), "event"))
    except Unlike as unlike:
        raise connection.stranger(f"of {topic}, {unlike}") from None
