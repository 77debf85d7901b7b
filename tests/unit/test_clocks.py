"""Durations are never dates: the clock may be set by an hour at any moment, and nothing waits for it."""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from jepanet.node.conversation import Conversation
from jepanet.node.status import ChainHealth, status_of
from jepanet.operations import devnet
from jepanet.operations.status import read_status
from jepanet.operations.views.local import DevnetProcess
from jepanet.p2p.hardening.steady_clock import make_library_steady, steady_time
from jepanet.process_identity import identity_of
from jepanet.protocol.state import Identity
from jepanet.protocol.transition import genesis
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Address

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).resolve().parents[2] / "client" / "jepanet"
DATES = {
    "chain/contracts/sentences.py": "tells people when, as a contract said it",
    "chain/following/stall_alarm.py": "this clock beside a new block, which is dated",
    "chain/sending/nonces.py": "when a transaction was made, for people",
    "interface/arguments/restore.py": "tells people when a backup was made",
    "interface/edge.py": "names a file of a fault",
    "interface/terminal/overviewed.py": "tells people when",
    "interface/terminal/round_words.py": "tells people when",
    "interface/terminal/watched.py": "the time left in a phase, whose end is dated",
    "learning/training/processes/together.py": "a length of time, for the library that waits",
    "node/conversation.py": "the expiry of a binding is a date that nodes agree on",
    "node/gossip_gate.py": "the expiry of a binding is a date that nodes agree on",
    "node/observing.py": "the age of a block, which is dated",
    "node/status.py": "when the file was written, for people",
    "operations/backups/back_up.py": "when a backup was made, for people",
    "operations/checks/endpoints.py": "the age of a block, which is dated",
    "operations/diagnosis/endpoints.py": "this clock beside an endpoint's",
    "operations/funds/earnings.py": "days of the calendar",
    "operations/funds/unfinished.py": "makes the key of a request unique",
    "operations/mlflow_tracking.py": "dates numbers for the library that keeps them",
    "operations/reading/sheets.py": "tells people since when",
    "operations/status.py": "the age of a file written before the machine was started again",
    "p2p/hardening/pubsub.py": "message numbers that no earlier run has used",
    "p2p/hardening/steady_clock.py": "the date once, at start",
    "recent_lines.py": "when a line was logged, for people",
    "rpc/observing/outlook.py": "tells people since when",
    "rpc/offered/blobs.py": "when a download ended, for people",
    "storage/blobs/store.py": "puts uses in order; only ever compared with each other",
}
"""Who may ask what time it is, and what for. Whoever measures a wait uses `time.monotonic`."""


READS = {f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "strftime")}


def asks_for_a_date(source: str) -> bool:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            return True
        if isinstance(node, ast.Import) and any(item.name == "datetime" for item in node.names):
            return True
        if isinstance(node, ast.Attribute) and ast.unparse(node) in READS:
            return True
    return False


def test_only_those_listed_ask_for_a_date() -> None:
    asking = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if asks_for_a_date(path.read_text())
    }
    assert asking == set(DATES), "measure waits with time.monotonic, or say here what the date is for"


@pytest.mark.parametrize(
    "line", ["time.time()", "clock = time.time", "from time import time", "import datetime", "time.time_ns()"]
)
def test_a_planted_date_is_seen(line: str) -> None:
    assert asks_for_a_date(line)
    assert not asks_for_a_date("time.monotonic() + 3")


@pytest.fixture(params=[-3600, 3600])
def set_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Call it, and the system's clock is an hour back or forward."""
    real, real_ns = time.time, time.time_ns

    def move() -> None:
        monkeypatch.setattr(time, "time", lambda: real() + request.param)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + request.param * 10**9)

    return move


def test_the_network_library_keeps_its_waits(set_clock: Any) -> None:
    make_library_steady()
    from libp2p.pubsub import gossipsub
    from libp2p.tools.timed_cache import last_seen_cache

    before = gossipsub.time.time()
    assert before == pytest.approx(time.time(), abs=5), "it is still the date"
    set_clock()
    assert gossipsub.time.time() == pytest.approx(before, abs=5)
    assert last_seen_cache.time.time() == pytest.approx(before, abs=5)
    assert make_library_steady() == (), "every module that asks has been served"
    assert steady_time() == pytest.approx(before, abs=5)


CHAIN = ChainHealth(head=None, head_age=0.0, head_old=False, stalled=False, incomplete=False)
STATUS = status_of(
    genesis(Identity(Address("0x" + "2" * 40), frozenset())), [], chain=CHAIN, cursor=None, peers=0,
    peer_id="", addresses=(),
)  # fmt: skip


def test_a_running_node_runs_whatever_the_clock_says(tmp_path: Path, set_clock: Any) -> None:
    from jepanet.process_identity import moment

    written = {**STATUS, "written": int(time.time()), "moment": list(moment()), "pid": os.getpid()}
    (tmp_path / "status.json").write_text(json.dumps({**written, "process": identity_of(os.getpid())}))
    set_clock()
    found = read_status(tmp_path)
    assert found.running is True
    assert 0 <= found.age < 30
    other = {**written, "process": f"{identity_of(os.getpid())}1"}
    (tmp_path / "status.json").write_text(json.dumps(other))
    assert read_status(tmp_path).running is False, "another process has its id now"
    (tmp_path / "status.json").write_text(json.dumps({**written, "process": None, "pid": 2**22 + 1}))
    assert read_status(tmp_path).running is False


def test_a_status_of_an_earlier_boot_is_of_a_dead_node(tmp_path: Path) -> None:
    status = {**STATUS, "written": int(time.time()) - 100, "moment": ["another boot", 1e9],
              "pid": os.getpid(), "process": identity_of(os.getpid())}  # fmt: skip
    (tmp_path / "status.json").write_text(json.dumps(status))
    found = read_status(tmp_path)
    assert found.running is False
    assert 100 <= found.age < 160


def test_a_devnet_is_known_by_its_process_not_by_a_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = DevnetProcess(os.getpid(), identity_of(os.getpid()), 8545, 1, "", "")
    (tmp_path / "devnet.json").write_text(json.dumps(asdict(record)))
    monkeypatch.setattr("psutil.Process.create_time", lambda _: 0.0)  # what a clock that was set makes of it
    assert devnet._required(tmp_path) == record
    assert identity_of(2**22 + 1) is None


def test_what_was_used_last_goes_last_after_the_clock_was_set_back(tmp_path: Path) -> None:
    with BlobStore(tmp_path / "blobs", 40) as store:
        old, new = store.put_bytes(b"a" * 15), store.put_bytes(b"b" * 15)
        for digest in (old, new):
            path = store.path(digest)
            assert path is not None
            ahead = time.time_ns() + 3600 * 10**9
            os.utime(path, ns=(ahead, ahead))
    with BlobStore(tmp_path / "blobs", 40) as store:
        assert store.read(old, max_bytes=100) == b"a" * 15
        store.put_bytes(b"c" * 15)
        assert store.path(old) is not None
        assert store.path(new) is None


class _Signer:
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    peer_id = "16Uiu2HAmTest"
    chain_id = 31337
    rounds = address

    def sign_typed(self, _: Any) -> bytes:
        return bytes(65)


def test_a_binding_signed_in_the_future_is_signed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a clock of its own starts at some date and is told the true one later."""
    signer: Any = _Signer()
    talk = Conversation(signer, signer, signer, signer, signer)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 10 * 365 * 86400)
    talk._own_binding()
    monkeypatch.setattr(time, "time", real)
    first = talk._own_binding()
    assert first.expiry - real() == pytest.approx(30 * 86400, abs=60)
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert talk._own_binding() is first
