"""An operator's upgrade in the middle of a round: nodes of an earlier commit die, nodes of this one go on.

    scripts/test upgrade                              from the first commit with the contracts of today
    scripts/test upgrade -- --upgrade-from COMMIT     from any other

Contracts, wallets, configurations, journals and blobs are the earlier version's own; nothing is rewritten. So
it cannot run across a change of the contracts: another deployment has other journals and other rounds, and
nodes of this version refuse the earlier deployment file in words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from network import CHAIN_ID, Network, Node, Nursery
from test_verify import verify

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.devchain.anvil import AnvilProcess
from jepanet.errors import Exit
from jepanet.protocol import facts
from jepanet.types import Address, Phase

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def earlier(upgrade_from: str, tmp_path: Path) -> Iterator[Path]:
    """A checkout of the commit to upgrade from."""
    git = ("git", "-C", str(ROOT))
    named = (*git, "rev-parse", "--verify", "--quiet", f"{upgrade_from}^{{commit}}")
    found = subprocess.run(named, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(
            f"commit {upgrade_from} is not in this clone: fetch the history (git fetch --unshallow), or name "
            "another commit with --upgrade-from",
            pytrace=False,
        )
    folder = tmp_path / "earlier"
    subprocess.run(
        (*git, "worktree", "add", "--quiet", "--detach", str(folder), found.stdout.strip()), check=True
    )
    try:
        if not same_contracts(folder):
            pytest.skip(
                f"commit {upgrade_from} has other contracts, and no journal or round outlives a deployment: "
                "name a later commit with --upgrade-from"
            )
        yield folder
    finally:
        subprocess.run((*git, "worktree", "remove", "--force", str(folder)), check=True)


def same_contracts(earlier: Path) -> bool:
    """Whether both versions speak to the same contracts."""
    return all(
        abi_of(earlier, path.name) == abi_of(ROOT, path.name)
        for path in sorted((ROOT / "abi").glob("*.json"))
    )


def abi_of(checkout: Path, name: str) -> object:
    path = checkout / "abi" / name
    return json.loads(path.read_text())["abi"] if path.is_file() else None


def first_half(earlier: Path, folder: Path, datasets: Path, anvil: Path) -> dict[str, Any]:
    """A round up to its commits, all of it by the earlier code; what it left behind."""
    rooms = (earlier / "client", earlier / "tests", earlier / "tests/scenario")
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(map(str, rooms)), "JEPANET_ANVIL": str(anvil),
    }  # fmt: skip
    script = Path(__file__).with_name("earlier_half.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(folder), str(datasets)],
        env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    left: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return left


def taken_over(folder: Path, left: dict[str, Any]) -> Network:
    """The same chain and the same data directories, for nodes of the code as it is."""
    chain = AnvilProcess(
        port=left["chain_port"], chain_id=CHAIN_ID, state=folder / "chain.json", log=folder / "anvil.log"
    )
    network = Network(
        folder, chain, Deployment.load(folder / "deployment.json"), Nursery(folder / "nursery.log"),
        left["confirmations"], left["block_time"], folder / "dataset", port=left["port"],
        rounds=left["rounds"], bootstrap=tuple(left["bootstrap"]),
    )  # fmt: skip
    for name, (roles, address) in left["nodes"].items():
        home = folder / "nodes" / name
        network.nodes[name] = Node(name, tuple(roles), home, Address(address), network.nursery)
    return network


def test_a_round_begun_by_an_earlier_version_is_finished_by_this_one(
    earlier: Path, dataset: Path, anvil_binary: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "network"
    left = first_half(earlier, folder, dataset.parent, anvil_binary)
    network, round_id = taken_over(folder, left), left["round"]
    try:
        salts = {node.name: node.query("SELECT * FROM salts") for node in network.solvers}
        assert all(len(rows) == 1 for rows in salts.values()), "each solver has sealed its delta"
        network.start_chain()
        network.run_nodes()
        network.warp(40)
        network.wait_finished(round_id, within=900)
        assert {node.name: node.query("SELECT * FROM salts") for node in network.solvers} == salts
        _check_end(network, round_id)
        code, report = verify(network, round_id, tmp_path / "inputs", "--peer", network.bootstrap[0])
        assert (code, report["agrees"]) == (Exit.OK, True), report
        checks = {item["check"] for item in report["checks"]}
        assert {"sheet", "chain root", "chain model", "chain payout", "merge"} <= checks
    finally:
        network.close()


def _check_end(network: Network, round_id: int) -> None:
    """Settled on the measured merge, everybody paid, nobody slashed, nothing twice."""
    assert network.phase(round_id) is Phase.SETTLED
    round_ = network.round(round_id)
    assert round_.recorded is not None
    assert network.broken_promises(round_id) == []
    for kind in (facts.ChainCommitted, facts.ChainRevealed):
        assert len(network.events(kind, round_id)) == len(network.solvers), kind.__name__
    project = network.state().projects[round_.project_id]
    assert project.model == round_.recorded.model
    # So small a dataset seldom lets a merge help; then it is measured, recorded and withheld.
    assert (round_.recorded.model != round_.base) == (round_.recorded.improvement > 0)
    claims = {item.account: item.amount for item in network.events(facts.ChainClaimed, round_id)}
    assert set(claims) == {node.address for node in (network.judge, *network.solvers)}
    assert sum(claims.values()) == round_.recorded.payout > 0
