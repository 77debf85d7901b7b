"""The chain forks and is restarted under a running round: every node ends with exactly the canonical logs."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from laws import canonical, followed
from network import Network

from jepanet.protocol import facts

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

CONFIRMATIONS = 6


def let_blocks_pass(network: Network, count: int) -> None:
    target = int(network.rpc("eth_blockNumber"), 16) + count
    network.wait(f"{count} blocks", lambda: int(network.rpc("eth_blockNumber"), 16) >= target)


def test_forks_and_a_restart_of_the_chain_leave_no_trace(new_network: Callable[..., Network]) -> None:
    network = new_network(solvers=2, confirmations=CONFIRMATIONS)
    network.run_nodes()
    round_id = network.play(commits=2)
    for depth in range(1, CONFIRMATIONS):
        # After a transaction whenever there is one, so that the fork takes it away again.
        seen = len(network.logs())
        deadline = time.monotonic() + 20
        while len(network.logs()) == seen and time.monotonic() < deadline:
            time.sleep(0.2)
        network.fork(depth)
        let_blocks_pass(network, depth)
        if depth == 2:
            network.stop_chain()
            time.sleep(2)
            network.start_chain()
            # The chain rewinds only to blocks whose state it holds: those since its start.
            let_blocks_pass(network, CONFIRMATIONS)
    network.wait_finished(round_id, within=400)
    assert network.broken_promises(round_id) == []
    assert len(network.events(facts.ChainCommitted, round_id)) == 2
    let_blocks_pass(network, 2)
    for node in network.nodes.values():
        node.stop()
    truth = canonical(network)
    assert len(truth) >= 10
    for node in network.nodes.values():
        assert followed(node) == truth, node.name
        forks = {item["blocks"] for item in node.events("chain.reorganised")}
        assert forks >= set(range(1, CONFIRMATIONS)), node.name
