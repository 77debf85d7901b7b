"""Somebody vanishes: the others get out with what is theirs, and who broke a promise pays for it."""

from __future__ import annotations

import pytest
from network import TERMS, TOKEN, Network, Node, run_async

from jepanet.operations.access import open_chain
from jepanet.operations.funds.stake import balances
from jepanet.protocol import facts
from jepanet.settings.config import load_config
from jepanet.types import CancelCause, Phase, SlashCause

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(600)]

GAP = 40


def play_until_commits(network: Network) -> int:
    """A round with both commits in; it stays in its gap until the chain's clock is moved."""
    network.run_nodes()
    round_id = network.play(commits=2, gap_seconds=GAP)
    network.wait("both commits", lambda: len(network.round(round_id).commits) == 2)
    return round_id


def locked(network: Network, name: str) -> int:
    return int(run_async(_locked(network.nodes[name])))


async def _locked(node: Node) -> int:
    async with open_chain(load_config(node.config).chain) as chain:
        return (await balances(chain, node.address)).stake_locked


def test_a_solver_that_never_reveals_is_slashed_and_the_others_settle(network: Network) -> None:
    round_id = play_until_commits(network)
    silent, honest = network.nodes["solver-2"], network.nodes["solver-1"]
    silent.kill()
    network.warp(GAP)
    network.wait("the honest reveal", lambda: network.round(round_id).reveal_of(honest.address))
    network.wait("the unsealed shard", lambda: network.round(round_id).shard)
    network.warp(TERMS["reveal_seconds"])
    network.wait_finished(round_id)
    slashed = network.broken_promises(round_id)
    assert [(item.account, item.cause, item.amount) for item in slashed] == [
        (silent.address, SlashCause.NOT_REVEALED, 10 * TOKEN)
    ]
    claims = {item.account for item in network.events(facts.ChainClaimed, round_id)}
    assert claims == {honest.address, network.judge.address}
    assert locked(network, "solver-1") == 0
    # It comes back, finds that it is too late, and stays up.
    network.run_nodes("solver-2")
    network.wait("the returned solver to be idle", lambda: not silent.pending())
    assert silent.alive


def test_a_proposer_that_does_not_unseal_pays_those_who_revealed(network: Network) -> None:
    round_id = play_until_commits(network)
    network.hub.kill()
    network.warp(GAP)
    network.wait("both reveals", lambda: len(network.round(round_id).reveals) == 2)
    network.warp(TERMS["reveal_seconds"] + 60)
    network.wait_phase(round_id, Phase.CANCELLED)
    assert network.round(round_id).cancel_cause is CancelCause.NOT_UNSEALED
    network.wait(
        "both bonds to be released", lambda: len(network.events(facts.ChainBondReleased, round_id)) == 2
    )
    assert [item.cause for item in network.events(facts.ChainBondSlashed, round_id)] == [
        SlashCause.NOT_UNSEALED
    ]
    for name in ("solver-1", "solver-2"):
        assert locked(network, name) == 0
    network.run_nodes("hub")


def test_a_vanished_aggregator_costs_the_solvers_nothing(network: Network) -> None:
    round_id = play_until_commits(network)
    network.wait("the unsealed shard", lambda: network.round(round_id).shard)
    network.hub.kill()
    network.warp(GAP)
    network.wait("both reveals", lambda: len(network.round(round_id).reveals) == 2)
    network.warp(TERMS["verify_seconds"] + 60)
    network.wait_phase(round_id, Phase.CANCELLED)
    assert network.round(round_id).cancel_cause is CancelCause.EXPIRED
    network.wait(
        "both bonds to be released", lambda: len(network.events(facts.ChainBondReleased, round_id)) == 2
    )
    assert network.broken_promises(round_id) == []
    for name in ("solver-1", "solver-2"):
        assert locked(network, name) == 0
    network.run_nodes("hub")
