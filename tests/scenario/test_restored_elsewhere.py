"""A node commits, is backed up while it runs, and is lost; restored elsewhere it reveals and is paid."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from network import Network, Node

from jepanet.errors import Exit
from jepanet.protocol import facts
from jepanet.types import Phase

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]


def jepanet(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jepanet", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def answered(*words: object) -> Any:
    done = jepanet(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def killed_soon(seconds: float, *words: object) -> None:
    """A command that is killed after so long, wherever it is then."""
    process = subprocess.Popen([sys.executable, "-m", "jepanet", *map(str, words)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_a_lost_node_reveals_from_its_backup_and_is_paid(
    new_network: Callable[..., Network], tmp_path: Path
) -> None:
    network = new_network(solvers=2)
    lost = network.nodes["solver-1"]
    network.run_nodes("hub", "judge", "solver-1")
    round_id = network.play(commits=2)  # stays in COMMIT until the other solver comes
    network.wait("its commitment", lambda: network.events(facts.ChainCommitted, round_id))
    network.wait("to know of it", lambda: not any("commit" in key for key in lost.pending()))

    archive, config = tmp_path / "solver.backup", lost.config
    for seconds in (0.6, 1.2, 1.8):  # mostly before, while and after it writes
        killed_soon(seconds, "backup", "--config", config, "--out", archive)
        if archive.exists():  # it was quicker: then it is whole
            archive.rename(tmp_path / f"quick-{seconds}.backup")
    made = answered("backup", "--config", config, "--out", archive)
    assert not made["stopped"] and made["sealed"] >= 1 and made["missing"] == []

    password = (lost.folder / "password").read_bytes()
    lost.kill()
    network.nodes.pop(lost.name)
    shutil.rmtree(lost.folder)

    new = tmp_path / "elsewhere"
    killed_soon(0.9, "restore", archive, "--out", new)
    if new.exists():
        shutil.rmtree(new)
    told = answered("restore", archive, "--out", new, "--sha256", made["sha256"])
    assert told["wallet"].lower() == lost.address.lower()
    assert any("never run again" in step for step in told["next"])
    (new / "password").touch(mode=0o600)
    (new / "password").write_bytes(password)

    refused = jepanet("node", "run", "--config", new / "node.toml")
    assert refused.returncode == Exit.HELD, refused.stderr
    assert "two copies" in refused.stderr or "waits for its operator" in refused.stderr
    moved = jepanet("node", "release", "--moved", "--config", new / "node.toml")
    assert moved.returncode == Exit.REJECTED and "ran while" in moved.stderr
    released = answered("node", "release", "--lost", "--config", new / "node.toml")
    assert released["unknown_transactions"] == 0 and released["signs_after"] == round_id

    back = Node("restored", lost.roles, new, lost.address, network.nursery)
    network.nodes[back.name] = back
    network.run_nodes("restored", "solver-2")
    network.wait_phase(round_id, Phase.SETTLED)
    revealed = {item.solver.lower() for item in network.events(facts.ChainRevealed, round_id)}
    assert lost.address.lower() in revealed
    assert network.broken_promises(round_id) == []
    network.wait("its claim", lambda: _claimed(network, round_id, lost.address))
    receipts = network.receipts(round_id)["receipts"]
    mine = next(item for item in receipts if item["solver"].lower() == lost.address.lower())
    assert mine["reason"] not in ("unavailable", "too-large"), "coordinators had its delta from the new place"


def _claimed(network: Network, round_id: int, solver: str) -> bool:
    claims = network.events(facts.ChainClaimed, round_id)
    return any(item.account.lower() == solver.lower() for item in claims)
