"""Ten rounds in which the chain forks and nodes are killed at random, and every law holds in the end."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable

import pytest
from laws import journals_are_the_chain, round_went_well
from network import Network

from jepanet.protocol import facts
from jepanet.types import Phase

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(3600)]

ROUNDS, CONFIRMATIONS = 10, 4
TROUBLES = 5
"""Forks and kills in a round."""
PATIENCE = 60.0
"""Seconds until everything due after a round is done."""


def trouble(network: Network, dice: random.Random) -> str:
    """A fork of a depth that is still unconfirmed, or the sudden death of a node, which is restarted."""
    if dice.random() < 0.4:
        depth = dice.randrange(1, CONFIRMATIONS)
        network.fork(depth)
        return f"fork {depth}"
    node = network.nodes[dice.choice(sorted(network.nodes))]
    node.kill()
    time.sleep(dice.uniform(0.0, 4.0))
    node.start()
    return f"kill {node.name}"


def kept(broken: Callable[[], list[str]]) -> list[str]:
    """The laws that are still broken when there was time enough for what is due."""
    deadline = time.monotonic() + PATIENCE
    while (found := broken()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return found


def play(network: Network, dice: random.Random) -> tuple[int, list[str]]:
    """One round and its troubles, each at a random moment after something new stood on the chain."""
    round_id = network.play(commits=2)
    done = list[str]()
    while network.phase(round_id) not in (Phase.SETTLED, Phase.CANCELLED):
        if len(done) < TROUBLES:
            time.sleep(dice.uniform(0.0, 2.0))
            done.append(trouble(network, dice))
        seen = len(network.logs())
        deadline = time.monotonic() + 15.0
        network.wait(
            "news",
            lambda seen=seen, deadline=deadline: len(network.logs()) > seen or time.monotonic() > deadline,
            revive=True,
        )
    network.wait_finished(round_id, within=400.0, revive=True)
    return round_id, done


def test_ten_rounds_of_forks_and_kills(new_network: Callable[..., Network]) -> None:
    seed = secrets.randbits(32)
    dice = random.Random(seed)
    network = new_network(solvers=2, confirmations=CONFIRMATIONS)
    network.run_nodes()
    print(f"\nseed {seed}", flush=True)
    for _ in range(ROUNDS):
        started = time.monotonic()
        round_id, done = play(network, dice)
        print(f"round {round_id}: {', '.join(done)}; {time.monotonic() - started:.0f} s", flush=True)
        assert kept(lambda round_id=round_id: list(round_went_well(network, round_id))) == []
    newest = int(network.rpc("eth_blockNumber"), 16)
    network.rpc("anvil_mine", [hex(CONFIRMATIONS + 2)])
    assert kept(lambda: list(journals_are_the_chain(network, newest))) == []
    assert len(network.events(facts.ChainRoundSettled)) == ROUNDS
    for node in network.nodes.values():
        print(f"{node.name}: {node.starts} starts, {len(node.events('chain.reorganised'))} forks seen")
