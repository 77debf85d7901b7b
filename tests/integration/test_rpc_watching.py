"""Subscriptions of the typed client, and `jepanet round watch`, against a real server of a node here."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from jepanet.errors import Exit, Fatal, JepanetError, Transient
from jepanet.interface.arguments.round import watching
from jepanet.interface.cli import cli
from jepanet.node.status import write_status
from jepanet.operations.views.activity import Transferred
from jepanet.operations.views.node import Work, Working
from jepanet.operations.views.rounds import RoundSummary, ScoresArrived
from jepanet.p2p.transfer.underway import Transfer
from jepanet.protocol.documents.scores import REPORT, ScoreReport
from jepanet.protocol.duties import SendClaim, duty_key
from jepanet.protocol.off_chain import SignedScores
from jepanet.protocol.state import OffChain, Status
from jepanet.rpc.calling import events as events_module
from jepanet.rpc.calling.client import open_client, subscribed
from jepanet.rpc.calling.events import Event
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing.topic import Topic
from jepanet.settings.paths import Paths
from jepanet.storage.journal import StoredDuty
from jepanet.types import CancelCause, RoundId
from jepanet.work.requests.request import Progress
from jepanet.work.worker import RunningJob
from rpc_node import FACTS, ANode, a_round
from rpc_served import beside, config_file, serving

pytestmark = pytest.mark.integration

JUDGE = FACTS.members[0]


def scored(node: ANode, number: int) -> None:
    """A coordinator's scores arrive at the node."""
    report = REPORT.encode(ScoreReport(RoundId(number), JUDGE, ()))
    arrived = OffChain(scores=(SignedScores(JUDGE, node.blobs.put_bytes(report)),))
    node.state = replace(node.state, off_chain={**node.state.off_chain, RoundId(number): arrived})


async def test_bytes_of_files_are_told_while_they_move(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as node,
        open_client(node.config, Scope.READ) as client,
        subscribed(client, Topic.TRANSFERS) as news,
        asyncio.timeout(20),
    ):
        node.network.downloads = [Transfer(bytes(32), time.monotonic(), 3, 10, "delta", {"16Uiu2": 3})]
        node.traffic.blobs("delta").came(3)
        told = (await anext(news)).value
        assert isinstance(told, Transferred)
        assert (told.received, told.sent, told.downloads) == (3, 0, 1)
        assert (told.coming[0].done, told.coming[0].sources[0].peer) == (3, "16Uiu2")


async def test_what_is_new_comes_as_records(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as node,
        open_client(node.config, Scope.READ) as client,
        subscribed(client, Topic.ROUNDS, Topic.SCORES, Topic.TRAINING) as news,
        asyncio.timeout(20),
    ):
        scored(node, 9)
        assert await anext(news) == Event(Topic.SCORES, ScoresArrived(9, JUDGE))
        node.worker.running = RunningJob("training", 0, Progress(3, 9, 0.5))
        event = await anext(news)
        assert isinstance(event.value, Working) and isinstance(event.value.work, Work)
        assert (event.value.work.step, event.value.work.steps) == (3, 9)
        ended = replace(node.state.rounds[RoundId(9)], status=Status.SETTLED)
        node.state = replace(node.state, rounds={**node.state.rounds, RoundId(9): ended})
        event = await anext(news)
        assert isinstance(event.value, RoundSummary) and event.value.phase == "settled"
        node.serving = {}


@asynccontextmanager
async def instead(node: ANode, says: list[Any]) -> AsyncIterator[None]:
    """Something else listens where the node says that it does, and says these things over a WebSocket."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for item in says:
            await (socket.send_bytes(item) if isinstance(item, bytes) else socket.send_str(json.dumps(item)))
        await socket.receive()
        return socket

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        assert runner.addresses
        node.serving = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}/", "problem": None}
        write_status(Paths(node.config.node.data_dir).status, await node.status())
        yield
    finally:
        await runner.cleanup()


OK = {"jsonrpc": "2.0", "result": "1", "id": 1}


def told(topic: object, event: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": "rpc.event", "params": {"topic": topic, "event": event}}


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ([[]], Fatal),
        ([{"error": 1}], Fatal),
        ([OK, told("weather", {})], Fatal),
        ([OK, told(["rounds"], {})], Fatal),
        ([OK, told("rounds", {"round": "nine"})], Fatal),
        ([OK, {"method": "rpc.event", "params": 5}], Fatal),
        ([told("training", {"work": None})] * 300 + [OK], Fatal),
        ([OK, b"raw"], Transient),
        ([], Transient),
        ([{"error": {"code": -32011, "message": "no"}}], JepanetError),
    ],
)
async def test_attack_what_is_no_event_is_refused(
    tmp_path: Path, says: list[Any], kind: type[JepanetError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_CONFIRMED_SECONDS", 5.0 if says else 0.2)
    async with serving(tmp_path) as node, instead(node, says):
        with pytest.raises(kind) as refused:
            async with (
                asyncio.timeout(20),
                open_client(node.config, Scope.READ) as client,
                subscribed(client, Topic.ROUNDS) as news,
            ):
                await anext(news)
        if kind is Fatal:
            assert refused.value.code is Exit.INCOMPATIBLE


async def test_attack_a_socket_is_not_led_to_another_address(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        head = f"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:{aim}/\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()

    async with serving(tmp_path) as node:
        away, leader = [await asyncio.start_server(item, "127.0.0.1", 0) for item in (other, lead)]
        aim, here = (item.sockets[0].getsockname()[1] for item in (away, leader))
        node.serving = {"url": f"http://127.0.0.1:{here}/", "problem": None}
        write_status(Paths(node.config.node.data_dir).status, await node.status())
        with pytest.raises(Transient, match="redirects"):
            async with open_client(node.config, Scope.READ) as client, subscribed(client, Topic.ROUNDS):
                pass
        away.close()
        leader.close()
    assert not heard


# ------------------------------------------------------------------ the command


def watched(*words: str) -> Result:
    """What it printed; `return_value` is the exit code, if nothing was raised."""
    return CliRunner().invoke(cli, ["round", "watch", *words], standalone_mode=False)


def test_a_round_that_is_over_is_told_from_its_beginning_to_the_receipts(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        key = duty_key(SendClaim(RoundId(7)))
        node.journal.record([], [StoredDuty(key, "SendClaim", "{}", 7)])
        node.journal.reject(key, "no-row")  # nothing more is to be waited for
        shown = watched("7", "--json", "--config", file)
        assert shown.return_value == 0
        rows = [json.loads(line) for line in shown.stdout.splitlines()]
        kinds = [row["event"] for row in rows]
        assert kinds[0] == "phase" and rows[0]["phase"] == "settled"
        assert kinds.count("committed") == kinds.count("revealed") == kinds.count("receipt") == 3
        assert rows[-1]["event"] == "reward" and rows[-1]["paid"] == str(19 * 10**18)
        shown = watched("7", "--config", file)
        assert "Round 7: SETTLED" in shown.stdout and "micro-nats" in shown.stdout
        assert "this node earned 19 tokens" in shown.stdout
        assert "returned whole with the claim" in shown.stdout
        assert all(line.isprintable() for line in shown.stdout.splitlines())


def settle(node: ANode, number: int) -> None:
    """The round comes to a result whose sheet never arrives."""
    scored(node, number)
    rounds = node.state.rounds
    ended = replace(rounds[RoundId(8)], id=RoundId(number))
    node.state = replace(node.state, rounds={**rounds, RoundId(number): ended})


@contextmanager
def shortly(change: Any) -> Iterator[None]:
    thread = threading.Timer(1.0, change)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_round_that_is_not_open_yet_is_waited_for_and_a_cancelled_one_ends_with_1(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        spec = node.state.rounds[RoundId(9)].params.spec
        cancelled = replace(
            a_round(31, None, spec), status=Status.CANCELLED, cancel_cause=CancelCause.NO_REVEALS
        )

        def opened() -> None:
            off_chain = {**node.state.off_chain, RoundId(31): OffChain()}
            rounds = {**node.state.rounds, RoundId(31): cancelled}
            node.state = replace(node.state, rounds=rounds, off_chain=off_chain)

        with shortly(opened):
            shown = watched("31", "--config", file)
        assert shown.return_value == int(Exit.FAILURE)
        assert "round 31 is not open yet" in shown.stderr
        assert "Round 31: CANCELLED: no reveals" in shown.stdout


def test_without_a_number_the_newest_open_round_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(watching, "_AFTER_SECONDS", 0.5)
    file = config_file(tmp_path)
    with beside(tmp_path) as node:
        with shortly(lambda: settle(node, 30)):
            shown = watched("--json", "--config", file)
        assert shown.return_value == 0
        rows = [json.loads(line) for line in shown.stdout.splitlines()]
        assert {row["round"] for row in rows} == {30}
        assert [row["phase"] for row in rows if row["event"] == "phase"] == ["reveal", "settled"]
        assert "recorded" in [row["event"] for row in rows]
        assert "are late" in shown.stderr


def test_a_node_that_is_started_anew_is_waited_for_and_nothing_is_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_AFTER_SECONDS", 0.5)
    file, ended = config_file(tmp_path), threading.Event()

    def first_and_second() -> None:
        with beside(tmp_path):
            time.sleep(2.0)
        with beside(tmp_path) as node:
            settle(node, 30)
            assert ended.wait(60)

    nodes = threading.Thread(target=first_and_second)
    nodes.start()
    shown = watched("30", "--json", "--config", file)
    ended.set()
    nodes.join()
    assert shown.return_value == 0
    assert "the node does not answer" in shown.stderr
    kinds = [json.loads(line)["event"] for line in shown.stdout.splitlines()]
    assert kinds.count("phase") == 2 and kinds.count("committed") == 3


def test_who_cannot_be_asked_is_told_at_once(tmp_path: Path) -> None:
    file = config_file(tmp_path)
    shown = watched("--wait", "0", "--config", file)
    assert isinstance(shown.exception, Fatal) and shown.exception.code is Exit.NOT_FOUND
    with beside(tmp_path):
        shown = watched("3", "--config", file)  # older than what the node keeps
        assert isinstance(shown.exception, JepanetError) and shown.exception.code is Exit.NOT_FOUND
    shown = watched("--wait", "1", "--config", file)
    assert isinstance(shown.exception, JepanetError) and shown.exception.code is Exit.NOT_RUNNING
    assert "waiting" in shown.stderr
    Path(file).write_text(Path(file).read_text().replace("enabled = true", "enabled = false"))
    shown = watched("--config", file)
    assert isinstance(shown.exception, Fatal) and shown.exception.code is Exit.CONFIG
