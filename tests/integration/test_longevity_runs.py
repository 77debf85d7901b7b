"""Short runs of `scripts/soak` and `scripts/rehearsal`: played, killed, taken up again, cleaned away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.longevity.__main__ import lines_of
from scripts.longevity.network import Network

from jepanet.process_identity import identity_of

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]


def script(module: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def summary_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate(timeout=600)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert lines, output[-4000:]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def wait_for(what: str, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, f"{what}: {process.stdout}"
        time.sleep(0.2)


def test_a_soak_that_is_killed_goes_on_with_its_own_chain_and_nodes(
    tmp_path: Path, anvil_binary: Path
) -> None:
    arguments = ("--rounds", "3", "--every", "1", "--starts", "1", "--out", tmp_path)
    first = script("scripts.longevity", *arguments)
    samples = tmp_path / "samples.jsonl"
    try:
        wait_for("the first round", lambda: any(item["rounds"] for item in lines_of(samples)), first)
        network = Network.of(tmp_path)
        assert network is not None
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = {node.name: node.pid for node in network.nodes}
        assert all(before.values()), "the nodes outlive whoever started them"
        known = lines_of(samples)
        found = summary_of(script("scripts.longevity", *arguments))
    finally:
        first.kill()
        left = Network.of(tmp_path)
        if left is not None:
            left.take_down()
    assert found["rounds"] == 3 and found["settled"] and set(found["starts"]) >= {"aggregator", "solver-1"}
    assert not any("ended by themselves" in item for item in found["failures"])
    after = lines_of(samples)
    assert after[: len(known)] == known and after[-1]["rounds"] == 3 and after[-1]["restarts"] == 0
    assert {node.pid for node in network.nodes} == {None}
    assert (tmp_path / "soak.png").stat().st_size > 10_000


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        pytest.skip("network namespaces take root, iproute2 and /dev/net/tun")


def namespaces() -> list[str]:
    shown = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if line.startswith("jepanet-rehearsal-")]


@pytest.mark.usefixtures("root")
def test_a_rehearsal_is_played_and_what_a_killed_one_left_is_cleaned_away(
    tmp_path: Path, anvil_binary: Path
) -> None:
    if namespaces():
        pytest.skip("a rehearsal runs on this machine")
    small = ("--rounds", "3", "--solvers", "2", "--coordinators", "1", "--no-upgrades", "--verify", "1")
    killed = script("scripts.rehearsing", *small, "--out", tmp_path)
    try:
        wait_for("namespaces", lambda: (tmp_path / "nodes" / "aggregator" / "data").exists(), killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(namespaces()) == 7
        again = script("scripts.rehearsing", *small, "--out", tmp_path)
        refused, _ = again.communicate(timeout=120)
        assert again.returncode == 1 and "--clean" in refused
        devnet = json.loads((tmp_path / "devnet" / "devnet.json").read_text())
        cleaned = summary_of(script("scripts.rehearsing", "--clean", "--out", tmp_path))
        assert identity_of(devnet["pid"]) is None
        assert len(cleaned["removed"]) == 7 and namespaces() == []
        assert summary_of(script("scripts.rehearsing", "--clean")) == {"removed": []}
        found = summary_of(script("scripts.rehearsing", *small, "--out", tmp_path))
    finally:
        killed.kill()
        summary_of(script("scripts.rehearsing", "--clean"))
    assert found["opened"] == 3 and found["settled"] + found["cancelled"] == 3
    report = json.loads((tmp_path / "report.json").read_text())
    assert [item["what"] for item in report["events"]] == ["cut", "healed"]
    assert all(item["agrees"] for item in report["verified"]) and len(report["verified"]) == 1
    assert not any(item["promise"] for item in report["slashed"])
    assert all(item["peers"] and item["chain"] for item in report["recoveries"])
    assert namespaces() == []
