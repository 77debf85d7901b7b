"""What a node says of its work, its transfers and its log."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jepanet.cid import to_cid
from jepanet.operations.views.activity import Transferred
from jepanet.p2p.transfer.underway import Transfer
from jepanet.protocol.duties import TrainShard, duty_key
from jepanet.rpc.codes import Code
from jepanet.rpc.offered.training import WORK
from jepanet.rpc.subscribing import topics as topics_module
from jepanet.rpc.subscribing.topic import Topic
from jepanet.rpc.subscribing.topics import MOST_TRANSFERS, NEWEST_LINES, watch
from jepanet.telemetry import configure_logging, get_logger
from jepanet.types import RoundId
from jepanet.work.requests.request import Progress
from jepanet.work.requests.scoring import ScoreClaims
from jepanet.work.requests.training import TrainDelta
from jepanet.work.worker import RunningJob
from rpc_node import PEERS, ANode, Asking, a_node

pytestmark = pytest.mark.unit


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ANode]:
    found = a_node(tmp_path)
    yield found
    found.journal.close()
    found.blobs.close()


async def under_way(node: ANode, *rounds: int) -> None:
    """As if the duties to train for these were being carried out."""
    for number in rounds:
        task: asyncio.Task[None] = asyncio.create_task(asyncio.sleep(0))
        node.engine._running[duty_key(TrainShard(RoundId(number)))] = task


async def test_a_training_is_told_with_the_time_it_has(node: ANode) -> None:
    asking = Asking(node)
    assert await asking.get("training.get") == {"running": None}
    node.worker.running = RunningJob("train_delta", 3, None)
    await under_way(node, 9)
    first = (await asking.get("training.get"))["running"]
    assert first["round"] == 9 and first["step"] is first["rate"] is first["on_time"] is None
    node.worker.running = RunningJob("train_delta", 9, Progress(20, 80, 0.5), 2.0, ((10, 0.7), (20, 0.5)))
    state = node.state
    block = state.block
    assert block is not None
    round_ = state.rounds[RoundId(9)]
    for left, on_time in ((31, True), (29, False)):
        node.state = replace(state, block=replace(block, timestamp=round_.commit_end - left))
        told = (await asking.get("training.get"))["running"]
        assert (told["seconds_left"], told["on_time"]) == (30, on_time)
        assert told["deadline"] == round_.commit_end and told["now"] == round_.commit_end - left
    assert told["curve"] == [[10, 0.7], [20, 0.5]]


async def test_whose_training_it_is_is_not_guessed(node: ANode) -> None:
    asking = Asking(node)
    await under_way(node, 9, 10)
    node.worker.running = RunningJob("train_delta", 3, Progress(1, 80), 1.0)
    assert (await asking.get("training.get"))["running"]["round"] is None
    node.engine._running.clear()
    await under_way(node, 9)
    node.worker.running = RunningJob("probe_device", 3, None)
    assert (await asking.get("training.get"))["running"]["round"] is None


def test_jobs_are_called_as_the_worker_calls_them() -> None:
    assert set(WORK) == {TrainDelta.job, ScoreClaims.job}


async def test_attack_a_delta_that_is_not_revealed_is_not_told(node: ANode) -> None:
    private, public = node.blobs.put_bytes(b"my delta"), node.blobs.put_bytes(b"the model", pin="round/7")
    node.blobs.publish(public)
    told = await Asking(node).get("blobs.list")
    assert told == {"items": [{"cid": to_cid(public), "size": 9, "pinned": True}], "next": None}
    assert to_cid(private) not in str(told)


async def test_stored_files_are_paged(node: ANode) -> None:
    for number in range(5):
        node.blobs.publish(node.blobs.put_bytes(bytes([number])))
    asking, seen, cursor = Asking(node), [], None
    for size in (2, 2, 1):
        page = await asking.get("blobs.list", limit=2, **({} if cursor is None else {"cursor": cursor}))
        assert len(page["items"]) == size
        seen += [item["cid"] for item in page["items"]]
        cursor = page["next"]
    assert cursor is None and len(set(seen)) == 5


async def test_transfers_are_told_with_their_progress(node: ANode) -> None:
    sources = {PEERS[1]: 1, PEERS[0]: 2}
    here = Transfer(bytes([9]) * 32, time.monotonic() - 5.5, 3, 10, "model", sources)
    node.network.downloads = [here]
    (told,) = (await Asking(node).get("blobs.transfers"))["items"]
    sent = [{"peer": PEERS[0], "bytes": 2}, {"peer": PEERS[1], "bytes": 1}]
    cid = to_cid(bytes([9]) * 32)
    assert told == {"cid": cid, "kind": "model", "done": 3, "total": 10, "seconds": 5, "sources": sent}
    here.ended, here.failure = here.begun + 0.0416, "every provider failed"
    node.network.ended = [here]
    (told,) = await Asking(node).get("blobs.fetched")
    assert abs(told.pop("ended") - time.time()) < 10
    assert told.pop("seconds") == 0.042, "what ends soon is told finely: a rate comes of it"
    failed = {"failure": "every provider failed", "sources": sent}
    assert told == {"cid": cid, "kind": "model", "bytes": 3, **failed}


@pytest.fixture
def logged() -> Iterator[None]:
    configure_logging(stream=io.StringIO())
    yield
    configure_logging()


async def test_lines_are_chosen_by_level_event_round_and_what_they_are_about(
    node: ANode, logged: None
) -> None:
    log = get_logger("node")
    log.info("delta.stored", round=7, digest=b"\x9f" * 4)
    log.warning("delta.refused", round=8, why="too large")
    log.error("peer.failed", peer="16Uiu2HAmA")
    asking = Asking(node)

    async def events(**chosen: object) -> list[str]:
        return [item["event"] for item in (await asking.get("logs.list", **chosen))["items"]]

    assert await events() == ["peer.failed", "delta.refused", "delta.stored"]
    assert await events(level="warning") == ["peer.failed", "delta.refused"]
    assert await events(event="delta.") == ["delta.refused", "delta.stored"]
    assert await events(round=7) == ["delta.stored"] == await events(about="9f9f")
    page = await asking.get("logs.list", limit=2)
    log.info("line.later")
    assert [item["event"] for item in (await asking.get("logs.list", cursor=page["next"]))["items"]] == [
        "delta.stored"
    ], "lines that come move nothing"
    for wrong in ({"level": "loud"}, {"event": ""}, {"about": "é"}, {"about": "x" * 129}, {"round": 0}):
        assert (await asking.error("logs.list", **wrong))[0] == Code.INVALID_PARAMS.value


async def test_lines_are_found_by_what_a_page_shows_of_a_digest_and_by_the_round_of_a_transaction(
    node: ANode, logged: None
) -> None:
    log = get_logger("node")
    log.info("transaction.sent", key="commit/9/approve", model=bytes([7]) * 32, solver="0xAbCdEf")
    log.info("round.opened", key="open/9/4")
    asking = Asking(node)
    (sent,) = (await asking.get("logs.list", round=9))["items"]
    assert sent["fields"]["key"] == "commit/9/approve" and sent["round"] == 9
    cid, sheet = to_cid(bytes([7]) * 32), to_cid(bytes([7]) * 32, "dag-json")
    for about in (cid, sheet[-6:], f"{cid[:6]}…{cid[-6:]}", "0x07070707", "0xabcdef", "0xAB…EF"):
        found = (await asking.get("logs.list", about=about))["items"]
        assert [item["event"] for item in found] == ["transaction.sent"], about
    assert (await asking.get("logs.list", about=f"{cid[-6:]}…{cid[:6]}"))["items"] == []


async def test_attack_a_flood_of_lines_is_told_from_its_newest(node: ANode, logged: None) -> None:
    log = get_logger("node")
    log.info("line.before")
    looking = watch(Topic.LOGS, node)
    assert looking.news() == []
    for number in range(3 * NEWEST_LINES):
        log.info("line.many", round=number)
    news = looking.news()
    assert [item.round for item in news] == list(range(2 * NEWEST_LINES, 3 * NEWEST_LINES))  # type: ignore[attr-defined]
    assert looking.news() == []


async def test_attack_transfers_are_told_once_a_second_and_twenty_of_them(
    node: ANode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast bytes move and however many files: the last of it is told all the same."""
    clock = [1000.0]
    monkeypatch.setattr(topics_module.time, "monotonic", lambda: clock[0])
    looking = watch(Topic.TRANSFERS, node)
    told: list[Transferred] = []
    for step in range(105):  # ten looks a second
        clock[0] += 0.1
        node.traffic.blobs("delta").came(7)
        node.traffic.blobs("model").went(step)
        told += looking.news()  # type: ignore[arg-type]
    assert len(told) == 10
    clock[0] += 1.0
    (last,) = looking.news()
    assert last == Transferred(received=735, sent=sum(range(105)), downloads=0, coming=())
    clock[0] += 1.0
    assert looking.news() == [], "nothing moved"
    node.network.downloads = [Transfer(bytes([n]) * 32, float(n), n, 1000, "delta") for n in range(50)]
    (many,) = looking.news()
    assert isinstance(many, Transferred) and many.downloads == 50 and len(many.coming) == MOST_TRANSFERS
    assert many.coming[0].cid == to_cid(bytes([49]) * 32) and many.coming[0].done == 49
    node.network.downloads[0].done += 1
    clock[0] += 1.0
    assert len(looking.news()) == 1, "one of those that are not named goes on"
    node.network.downloads = []
    clock[0] += 1.0
    (over,) = looking.news()
    assert isinstance(over, Transferred) and over.downloads == 0
