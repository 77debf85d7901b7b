"""The status file: what others may read of a running node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from protocol_facts import ROUND, digest, prologue

from jepanet.errors import Exit, Fatal
from jepanet.node.status import ChainHealth, status_of, write_status
from jepanet.operations.status import read_status
from jepanet.operations.views.json_form import json_form
from jepanet.operations.views.node import Work
from jepanet.protocol import facts
from jepanet.protocol.state import Identity
from jepanet.protocol.transition import genesis, transition
from jepanet.storage.rows import OutboxRow
from jepanet.traffic import Traffic
from jepanet.types import Address, Role
from jepanet.work.requests.request import Progress
from jepanet.work.worker import RunningJob

pytestmark = pytest.mark.unit


CHAIN = ChainHealth(head=9, head_age=0.5, head_old=False, stalled=False, incomplete=True)


def test_what_a_node_writes_is_what_its_operator_is_shown(tmp_path: Path) -> None:
    state = genesis(Identity(Address("0x" + "2" * 40), frozenset({Role.SOLVER})))
    for fact in (*prologue(), facts.LocalDutyFailed(ROUND, "TrainDelta", "no reason")):
        state, _ = transition(state, fact)
    duty = OutboxRow("TrainDelta/3", "TrainDelta", "{}", 3, "pending", 2, "none answers")
    traffic = Traffic()
    traffic.blobs("model").came(12)
    traffic.gossip.went(3)
    traffic.endpoint("https://rpc.example").came(4)
    notes = {ROUND: json.dumps({"status": "aborted(diverged)", "why": "the loss of step 3 is nan"})}
    for running in (None, RunningJob("train_delta", 31, None), RunningJob("x", 1, Progress(2, 5, 0.25))):
        written = status_of(
            state, [duty], chain=CHAIN, cursor=7, peers=3, peer_id="16Uiu2", addresses=("/ip4/a",),
            running=running, traffic=traffic, training_note=notes.get,
        )  # fmt: skip
        write_status(tmp_path / "status.json", written)
        read = json_form(read_status(tmp_path))
        assert isinstance(read, dict)
        assert read.pop("running") is True and read.pop("age") in (0, 1, 2, 3)
        assert read == json.loads(json.dumps(written))
        assert written["rounds"] and written["duties"]
        (told,) = read["rounds"]
        assert told["training"] == {"status": "aborted(diverged)", "why": "the loss of step 3 is nan"}
        assert read["traffic"]["blobs"]["model"] == {"received": 12, "sent": 0}
        assert read["traffic"]["gossip"] == {"received": 0, "sent": 3}
        assert read["traffic"]["endpoints"] == {"https://rpc.example": {"received": 4, "sent": 0}}


def test_attack_the_status_does_not_name_a_sealed_delta() -> None:
    """Who learns the digest before the reveal can commit to it first."""
    state = genesis(Identity(Address("0x" + "2" * 40), frozenset({Role.SOLVER})))
    for fact in (*prologue(), facts.LocalDeltaSealed(ROUND, digest("delta"), digest("commitment"))):
        state, _ = transition(state, fact)
    chain = ChainHealth(head=1, head_age=0.0, head_old=False, stalled=False, incomplete=False)
    note = json.dumps({"status": "early_stop", "digest": digest("delta").hex(), "seed": digest("seed").hex()})
    status = status_of(
        state, [], chain=chain, cursor=1, peers=0, peer_id="", addresses=(), training_note=lambda _: note
    )
    assert [(item["sealed"], item["training"]) for item in status["rounds"]] == [
        (True, {"status": "early_stop"})
    ]
    for secret in ("delta", "seed"):
        assert digest(secret).hex() not in json.dumps(status)


@pytest.mark.parametrize(
    ("running", "told"),
    [
        (None, None),
        (RunningJob("merge_deltas", 3, None), {"job": "merge_deltas", "seconds": 3}),
        (
            RunningJob("train_delta", 31, Progress(12, 40, 0.43)),
            {"job": "train_delta", "seconds": 31, "step": 12, "steps": 40, "loss": 0.43},
        ),
    ],
)
def test_the_status_tells_the_running_job_and_how_far_it_is(
    running: RunningJob | None, told: dict[str, Any] | None
) -> None:
    state = genesis(Identity(Address("0x" + "2" * 40), frozenset({Role.SOLVER})))
    chain = ChainHealth(head=1, head_age=0.0, head_old=False, stalled=False, incomplete=False)
    status = status_of(
        state, [], chain=chain, cursor=1, peers=0, peer_id="", addresses=(), running=running
    )  # fmt: skip
    assert status["work"] == told
    assert told is None or Work(**told).job == told["job"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', "\udc80", "[" * 5000])
def test_a_damaged_status_is_not_taken_for_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fatal, match="no node has written") as caught:
        read_status(tmp_path)
    assert caught.value.code is Exit.NOT_FOUND
    (tmp_path / "status.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Fatal, match="cannot be read") as caught:
        read_status(tmp_path)
    assert caught.value.code is Exit.NOT_FOUND
