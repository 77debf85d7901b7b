"""The three commands of the README as whole processes: `quickstart`, killed at every step, `node run`, and
`round watch` until somebody was paid."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

JEPANET = [sys.executable, "-m", "jepanet"]
STEPS = ("local chain", "wallets", "data for", "ether", "project")
SOLVERS = 2
PATIENCE = 240.0
"""Seconds for one thing; it bounds a hang and says nothing about speed."""


def start(*words: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*JEPANET, *map(str, words)], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, **options
    )  # type: ignore[call-overload, no-any-return]


def killed_at(step: str, folder: Path) -> None:
    """`quickstart`, ended by SIGKILL a moment after it has begun this step."""
    process = start("quickstart", "--out", folder, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(step):
            break
    time.sleep(0.7)
    assert process.poll() is None, said
    process.kill()
    process.communicate()


def secrets_of(folder: Path) -> dict[Path, bytes]:
    """Every keystore, password, network key and configuration there is."""
    found = [*folder.glob("*/wallet/*.json"), *folder.glob("*/password"), *folder.glob("*/data/p2p/node.key"),
             *folder.glob("*/node.toml")]  # fmt: skip
    return {path: path.read_bytes() for path in found}


def test_three_commands_come_to_a_receipt_that_paid_though_the_first_is_killed_at_every_step(
    local_network: Path,
) -> None:
    folder = local_network
    kept: dict[Path, bytes] = {}
    for step in STEPS:
        killed_at(step, folder)
        now = secrets_of(folder)
        assert {path: now.get(path) for path in kept} == kept, f"replaced after {step}"
        kept = now
    done = start("quickstart", "--out", folder, "--json", stderr=subprocess.PIPE)
    out, said = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0, said
    made = json.loads(out)
    assert made["project"] == 1, "no project was registered twice"
    assert len(made["nodes"]) == 5 and len({node["rpc_port"] for node in made["nodes"]}) == 5
    assert {path: path.read_bytes() for path in kept} == kept

    again = start("quickstart", "--out", folder, "--json", stderr=subprocess.PIPE)
    found = json.loads(again.communicate(timeout=PATIENCE)[0])
    assert (found["nodes"], found["chain"]["pid"]) == (made["nodes"], made["chain"]["pid"])

    nodes = start("node", "run", folder, stderr=(folder / "nodes.log").open("w"))
    solver = folder / "solver-1" / "node.toml"
    watch = start("round", "watch", "--forever", "--json", "--config", solver)
    try:
        paid = first_paid(watch, folder)
        assert paid["solver"] in {node["address"] for node in made["nodes"]}
        assert paid["receipt"]["verdict"] == "accepted" and "x 0.0005" in paid["payment"]
        assert nodes.poll() is None
    finally:
        watch.kill()
        watch.communicate()
        nodes.send_signal(signal.SIGINT)
        nodes.communicate(timeout=PATIENCE)
    assert nodes.returncode == 0, (folder / "nodes.log").read_text()[-3000:]


def first_paid(watch: subprocess.Popen[str], folder: Path) -> dict[str, object]:
    """The first receipt that paid something, of what a watch tells."""
    assert watch.stdout is not None
    deadline, committed = time.monotonic() + 2 * PATIENCE, 0
    for line in watch.stdout:
        event: dict[str, object] = json.loads(line)
        committed += event["event"] == "committed"
        if committed == SOLVERS:
            skip_to_the_end_of_commit(folder)
            committed = 0
        if event["event"] == "receipt" and int(str(event["paid"])) > 0:
            return event
        assert time.monotonic() < deadline, "no receipt paid in time"
    raise AssertionError(f"the watch ended with {watch.wait()}")


def skip_to_the_end_of_commit(folder: Path) -> None:
    """COMMIT of a round that is full lasts to its half: moves the chain's clock there."""
    (terms, node) = (
        tomllib.loads((folder / name / "node.toml").read_text()) for name in ("proposer", "solver-1")
    )
    half = int(terms["proposer"]["commit_seconds"]) // 2
    for method, params in (("evm_increaseTime", [half]), ("evm_mine", [])):
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = Request(
            node["chain"]["endpoints"][0], json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=PATIENCE) as answer:
            assert "error" not in json.load(answer)
