"""Subscriptions over WebSockets against real sockets: what is told, and that nobody's are without a bound."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from jepanet.protocol.off_chain import SignedScores
from jepanet.protocol.state import OffChain
from jepanet.rpc.codes import Code
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing import hub as hub_module
from jepanet.rpc.subscribing.hub import MOST_WAITING, PER_CONNECTION, PER_TOKEN, Hub
from jepanet.rpc.transport import sockets
from jepanet.storage.kept_intents import JournalIntents
from jepanet.types import RoundId
from jepanet.work.requests.request import Progress
from jepanet.work.worker import RunningJob
from round_samples import account, digest
from rpc_node import a_node, an_intent, check
from rpc_wire import Served, call, frame, received, serving, until

pytestmark = pytest.mark.integration

MOST = 5


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(hub_module, "EVERY", 0.01)
    async with serving(tmp_path, sockets=MOST) as found:
        yield found


async def test_a_socket_answers_as_http_does_and_in_order(served: Served) -> None:
    socket = await served.open()
    over_http = await served.post("rounds.get", round=7)
    assert await call(socket, "rounds.get", round=7) == over_http
    await socket.send_str('[{"jsonrpc":"2.0","method":"node.health","id":1},1]')
    await socket.send_str('{"jsonrpc":"2.0","method":"node.health"}')  # a notification: nothing is answered
    await socket.send_str("{")
    health, malformed = await received(socket)
    assert health["result"]["healthy"] and malformed["error"]["code"] == Code.INVALID_REQUEST
    assert (await received(socket))["error"]["code"] == Code.PARSE_ERROR
    assert (await call(socket, "peers.ban", peer="x"))["error"]["code"] == Code.OUT_OF_SCOPE
    await socket.close()
    refused = await served.post("rpc.subscribe", topic="rounds")
    assert refused["error"]["code"] == Code.NOT_A_SOCKET


async def test_what_is_new_is_told_until_it_is_unsubscribed(served: Served) -> None:
    socket = await served.open()
    rounds = (await call(socket, "rpc.subscribe", topic="rounds"))["result"]
    scores = (await call(socket, "rpc.subscribe", topic="scores"))["result"]
    sent = (await call(socket, "rpc.subscribe", topic="transactions"))["result"]
    document = await served.asking.get("rpc.discover")
    state, number = served.node.state, RoundId(31)
    served.node.state = state.with_round(replace(state.rounds[RoundId(30)], id=number))
    event = await received(socket)
    assert "id" not in event and event["method"] == "rpc.event"
    assert (event["params"]["subscription"], event["params"]["event"]["round"]) == (rounds, 31)
    check(event["params"]["event"], {"$ref": "#/components/schemas/RoundSummary"}, document)
    arrived = OffChain(scores=(SignedScores(account("coordinator"), digest("scores")),))
    state = served.node.state
    served.node.state = replace(state, off_chain=state.off_chain | {number: arrived})
    event = (await received(socket))["params"]
    assert (event["subscription"], event["topic"]) == (scores, "scores")
    assert event["event"] == {"round": 31, "coordinator": account("coordinator")}
    training = (await call(socket, "rpc.subscribe", topic="training"))["result"]
    served.node.worker.running = RunningJob("train_delta", 3, Progress(2, 40, 0.5))
    event = (await received(socket))["params"]
    assert (event["subscription"], event["event"]["work"]["step"]) == (training, 2)
    served.node.worker.running = RunningJob("train_delta", 4, Progress(2, 40, 0.5))  # no step further
    await asyncio.sleep(0.05)
    served.node.worker.running = None
    assert (await received(socket))["params"]["event"] == {"work": None}
    JournalIntents(served.node.journal).put(an_intent(1))
    event = (await received(socket))["params"]
    assert (event["subscription"], event["event"]["what"]) == (sent, "reveal/1")
    assert b"the salt".hex() not in json.dumps(event)
    assert (await call(socket, "rpc.unsubscribe", subscription=rounds))["result"] is True
    unknown = await call(socket, "rpc.unsubscribe", subscription=rounds)
    assert unknown["error"]["code"] == Code.NOT_FOUND
    served.node.state = served.node.state.with_round(replace(state.rounds[RoundId(30)], id=RoundId(32)))
    JournalIntents(served.node.journal).put(an_intent(2))
    assert (await received(socket))["params"]["event"]["what"] == "reveal/2"
    await socket.close()
    await until(lambda: not served.hub.held(Scope.READ))


async def test_attack_whoever_is_not_let_in_has_no_socket(served: Served) -> None:
    for heads, status in (
        ({}, 401),
        ({"Authorization": "Bearer " + "A" * 43}, 401),
        (served.heads() | {"Origin": served.url}, 403),
        (served.heads() | {"Host": "evil.example"}, 403),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await served.open(headers=heads)
        assert refused.value.status == status
    upgrade = served.heads() | {"Upgrade": "websocket", "Connection": "Upgrade"}
    async with served.client.get(served.url, headers=upgrade) as answer:
        assert (answer.status, await answer.text()) == (400, "")


async def test_attack_a_flood_of_subscriptions_gets_no_more_than_there_may_be(served: Served) -> None:
    first = await served.open()
    answers = [await call(first, "rpc.subscribe", number, topic="rounds") for number in range(200)]
    assert sum("result" in item for item in answers) == PER_CONNECTION
    assert {item["error"]["code"] for item in answers if "error" in item} == {Code.TOO_MANY}
    others = [await served.open() for _ in range(MOST - 1)]
    for _ in range(20):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await served.open()
        assert refused.value.status == 503
    assert "result" in await served.post("node.health"), "there is room for others"
    for socket in others:
        for number in range(PER_CONNECTION):
            assert "result" in await call(socket, "rpc.subscribe", number, topic="scores")
    assert served.hub.held(Scope.READ) == PER_CONNECTION * MOST <= PER_TOKEN
    for socket in (first, *others):
        await socket.close()
    await until(lambda: not served.hub.held(Scope.READ))
    assert "result" in await call(await served.open(), "rpc.subscribe", topic="rounds")


def test_attack_one_token_holds_so_many_subscriptions_on_however_many_connections(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    hub = Hub(node, most=100)
    asked = [hub.join(Scope.READ) for _ in range(50)]
    held = 0
    for subscriber in asked:
        assert subscriber is not None
        for _ in range(PER_CONNECTION):
            try:
                subscriber.subscribe(hub_module.Topic.SCORES)
                held += 1
            except hub_module.Refused as refusal:
                assert refusal.code is Code.TOO_MANY
    assert held == hub.held(Scope.READ) == PER_TOKEN
    operator = hub.join(Scope.OPERATE)
    assert operator is not None and operator.subscribe(hub_module.Topic.SCORES), "the other token has its own"
    node.journal.close()
    node.blobs.close()


async def test_attack_who_does_not_read_is_dropped_and_the_others_are_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_TAKEN_SECONDS", 600.0)  # its full queue ends it, not the clock
    reading = await served.open()
    await call(reading, "rpc.subscribe", topic="rounds")
    slow = served.hub.join(Scope.READ)
    assert slow is not None
    slow.subscribe(hub_module.Topic.ROUNDS)
    state = served.node.state
    for number in range(100, 100 + MOST_WAITING + 20):
        served.node.state = state.with_round(replace(state.rounds[RoundId(30)], id=RoundId(number)))
        event = (await received(reading))["params"]["event"]
        assert event["round"] == number
    assert slow.dropped and await slow.next() is None
    assert not slow._waiting, "nothing is kept for it"
    await reading.close()


async def test_attack_a_socket_whose_answers_nobody_reads_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_TAKEN_SECONDS", 0.1)
    before = served.listening.doors.open
    (_, writer), head = await served.raw_socket()
    assert b" 101 " in head
    one = json.dumps({"jsonrpc": "2.0", "method": "rpc.discover", "id": 1})
    body = ("[" + ",".join([one] * 10) + "]").encode()
    try:
        for _ in range(200):  # tens of megabytes of answers
            writer.write(frame(body))
            await asyncio.wait_for(writer.drain(), 0.2)
    except (TimeoutError, ConnectionError):
        pass
    await until(lambda: served.listening.doors.open == before)
    writer.close()
    assert "result" in await served.post("node.health")


async def test_attack_long_messages_and_what_is_no_text_end_the_connection(served: Served) -> None:
    for data in (" " * (17 << 10), b"\x00" * 10):
        socket = await served.open()
        await (socket.send_str(data) if isinstance(data, str) else socket.send_bytes(data))
        message = await asyncio.wait_for(socket.receive(), 20)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await socket.close()
    socket = await served.open()
    assert (await call(socket, "node.health"))["result"]["healthy"]
    await socket.close()
