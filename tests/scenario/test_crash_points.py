"""kill -9 between two steps: the restarted node takes up the round where it died, and nothing happens twice.

A step is what `run_node(trace=...)` names: a fact recorded, a duty started, handled or done, a transaction
intended, sent or mined. The node dies in the very call that names it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from network import CHAIN_ID, Network, Node
from rich.console import Console
from rich.table import Table

from faults import KillPlan, lines
from jepanet.protocol import facts
from jepanet.protocol.assignment import training_seed

pytestmark = pytest.mark.scenario

DANGEROUS = {
    "solver-1": (
        "salt:drawn",  # on disk, and the training that depends on it not begun
        "handled:TrainShard",  # delta and salt on disk, not yet in the journal's state
        "recorded:LocalDeltaSealed",
        "intent:intended:commit",  # signed and stored, no node has seen it
        "intent:sent:commit",
        "intent:intended:reveal",
        "intent:sent:reveal",
        "start:PublishDelta",
    ),
    # Another node: who died as its commit was sent may find it confirmed, and then has nothing to handle.
    "solver-2": ("handled:SendCommit",),
    "judge": (
        "audit:noted",  # one of two audits done, nothing measured, nothing signed
        "scores:committed",  # salt and commitment on disk, nobody has heard of them
        "handled:ScoreDeltas",
        "scores:opened",  # whom it had heard is on disk, nobody has seen its scores
        "handled:OpenScores",  # said, and not yet in the journal's state
        "start:CheckSheet",
        "handled:CheckSheet",
        "handled:SignSheet",  # signed: a second, other signature would cost the stake
        "intent:sent:claim",
    ),
    "hub": (
        "intent:intended:open",
        "intent:sent:unseal",
        "handled:BuildSheet",
        "intent:sent:record",
        "intent:intended:settle",
    ),
}


def arm(network: Network, plans: dict[str, tuple[str, ...] | None], folder: Path) -> None:
    """Restarts the named nodes with a plan of where to die; None means at every step."""
    for name, points in plans.items():
        node = network.nodes[name]
        node.stop()
        node.kills = KillPlan(folder / f"{name}.killed", folder / f"{name}.passed", points)


def disarm(network: Network) -> None:
    for node in network.nodes.values():
        if node.kills is not None:
            node.stop()
            node.kills = None
    network.run_nodes()


def play_and_die(
    network: Network, plans: dict[str, tuple[str, ...] | None], folder: Path, within: float
) -> int:
    """One round in which nodes die as planned; every law that a crash could break is checked."""
    network.run_nodes()
    opened = len(network.state().rounds)
    arm(network, plans, folder)
    network.rounds = opened + 1
    network.write_configs(max_solvers=2, audit_segments=4, audit_probability_milli=1000)
    for name in plans:
        network.nodes[name].start()
    network.run_nodes(*(name for name in network.nodes if name not in plans))
    options = {"within": within, "revive": True}
    network.wait("the round to open", lambda: len(network.state().rounds) > opened, **options)
    round_id = max(int(key) for key in network.state().rounds)
    network.wait_finished(round_id, **options)
    check_nothing_twice(network, round_id)
    return round_id


def check_nothing_twice(network: Network, round_id: int) -> None:
    addresses = {node.address: node for node in network.solvers}
    committed = Counter(item.solver for item in network.events(facts.ChainCommitted, round_id))
    revealed = {item.solver: item.digest for item in network.events(facts.ChainRevealed, round_id)}
    assert committed == dict.fromkeys(addresses, 1)
    assert set(revealed) == set(addresses)
    for address, node in addresses.items():
        salts = node.query("SELECT digest, salt FROM salts WHERE round_id = ?", round_id)
        assert [row[0] for row in salts] == [bytes(revealed[address])]
        # Whatever died in between, the delta was trained with the one salt that was drawn before.
        drawn = node.query("SELECT salt FROM drawn_salts WHERE round_id = ?", round_id)
        assert drawn == [(salts[0][1],)]
        ((note,),) = node.query(
            "SELECT payload FROM notes WHERE round_id = ? AND name = 'training'", round_id
        )
        round_ = network.round(round_id)
        place = (CHAIN_ID, network.deployment.rounds, int(round_.project_id), round_id, address, round_.seed)
        assert json.loads(note)["seed"] == training_seed(*place, drawn[0][0]).hex()
    assert network.broken_promises(round_id) == []
    for kind in (
        facts.ChainRoundOpened,
        facts.ChainTrainingRecorded,
        facts.ChainRoundSettled,
        facts.ChainShardUnsealed,
    ):
        assert len(network.events(kind, round_id)) == 1, kind.__name__
    claims = Counter(item.account for item in network.events(facts.ChainClaimed, round_id))
    assert set(claims.values()) == {1}
    for node in network.nodes.values():
        assert node.pending() == []
        assert node.query("SELECT key FROM outbox WHERE state = 'rejected' AND round_id = ?", round_id) == []


def show(nodes: list[Node]) -> None:
    table = Table("node", "steps passed", "distinct", "killed at", "starts")
    for node in nodes:
        assert node.kills is not None
        passed, killed = lines(node.kills.passed), lines(node.kills.killed)
        table.add_row(node.name, str(len(passed)), str(len(set(passed))), str(len(killed)), str(node.starts))
    console = Console(width=110)
    console.print(table)
    for node in nodes:
        assert node.kills is not None
        console.print(f"{node.name} died at: {', '.join(lines(node.kills.killed))}", highlight=False)


@pytest.mark.timeout(900)
def test_the_most_dangerous_crash_points(network: Network, tmp_path: Path) -> None:
    try:
        play_and_die(network, dict(DANGEROUS), tmp_path, within=400)
        for name, points in DANGEROUS.items():
            plan = network.nodes[name].kills
            assert plan is not None
            assert set(lines(plan.killed)) == set(points), name
    finally:
        disarm(network)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_crash_point_of_every_role(new_network: Callable[..., Network], tmp_path: Path) -> None:
    """Proposer, aggregator, coordinator and solver die at every step they take, in one and the same round."""
    network = new_network(solvers=2)
    names = ("hub", "judge", "solver-1")
    play_and_die(network, dict.fromkeys(names), tmp_path, within=3000)
    show([network.nodes[name] for name in names])
    for name in names:
        plan = network.nodes[name].kills
        assert plan is not None
        killed, passed = lines(plan.killed), set(lines(plan.passed))
        assert set(killed) == passed, name
        assert len(killed) == len(set(killed)) >= 15, name
    disarm(network)
