"""Alerts of a round that goes wrong, on real nodes: what is promised and not done, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alert_watcher import Watcher, until
from network import TERMS, Network

from chain_proxy.sending import Sends
from chain_proxy.server import ProxyThread
from jepanet.chain.devchain.anvil import free_port
from jepanet.types import Phase

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

GAP, CHALLENGE = 40, 600
WATCHED = ("solver-1", "judge", "hub")
CUT_OFF = ("solver-1", "hub", "judge")
"""Whose one endpoint takes transactions and loses them, for a while."""


def test_a_round_that_goes_wrong_makes_alerts_fire_at_those_who_can_do_something(
    new_network: Callable[..., Network], prometheus_tools: Path, tmp_path: Path
) -> None:
    network = new_network(solvers=2)
    network.answering = {name: free_port() for name in WATCHED}
    where = {name: f"127.0.0.1:{port}" for name, port in network.answering.items()}
    solver, other = network.nodes["solver-1"], network.nodes["solver-2"]
    with ProxyThread() as proxies:
        endpoints = {name: proxies.start(network.anvil.url) for name in CUT_OFF}
        network.endpoints = {name: (proxy.url,) for name, proxy in endpoints.items()}
        network.stuck_seconds = dict.fromkeys(CUT_OFF, 2.0)
        network.hub.stop()
        network.write_configs(gap_seconds=GAP, challenge_seconds=CHALLENGE)
        network.run_nodes()
        watcher = Watcher(prometheus_tools, tmp_path / "prometheus", where.values())

        def fires(name: str, *alerts: str) -> None:
            def said() -> str:
                return f"{alerts} of {name}, which has {watcher.firing(where[name])},"

            until(said, lambda: set(alerts) <= watcher.firing(where[name]), 180)

        try:
            until("a scrape", watcher.scraped)
            round_id = network.play(commits=2, gap_seconds=GAP, challenge_seconds=CHALLENGE)
            network.wait("both commits", lambda: len(network.round(round_id).commits) == 2)
            network.wait("to know", lambda: not any("commit" in key for key in solver.pending()))
            before = {"RevealDue", "TransactionStuck", "DeadlineAtRisk", "Slashed"}
            assert not before & watcher.firing(where[solver.name])

            # Transactions of a solver and of the proposer are lost: no reveal, no shard.
            lost = Sends(forward=False, how="hash")
            for name in ("solver-1", "hub"):
                proxies.call(endpoints[name].set, lost)
            network.warp(GAP)
            fires(solver.name, "RevealDue", "TransactionStuck")
            fires("judge", "OthersRoundNotUnsealed")
            fires("hub", "RoundNotUnsealed")
            network.wait("the other reveal", lambda: network.round(round_id).reveal_of(other.address))
            network.warp(int(TERMS["reveal_seconds"] * 0.85))
            fires(solver.name, "DeadlineAtRisk")

            # The proposer unseals in time and goes, with what is revealed: nobody merges it or has it.
            proxies.call(endpoints["hub"].set)
            network.wait("the unsealed shard", lambda: network.round(round_id).shard)
            network.hub.kill()
            other.kill()
            network.warp(int(TERMS["reveal_seconds"] * 0.15))
            fires("judge", "SheetMissing", "DeltaUnavailable", "DutyRetried")
            fires(solver.name, "Slashed")
            assert "OthersRoundNotUnsealed" not in watcher.firing(where["judge"])

            # Both come back: what could be mended is, and the alerts end.
            network.run_nodes("hub", other.name)
            mended = {"SheetMissing", "DeltaUnavailable"}
            until("the end of it", lambda: not mended & watcher.firing(where["judge"]), 180)

            # A result is challenged, the arbiter says nothing, and a fee is claimed in vain.
            network.wait_phase(round_id, Phase.CHALLENGE)
            words = ["round", "challenge", str(round_id), "--evidence", "ab" * 32]
            network.nursery.run([*words, "--config", str(other.config)], tmp_path / "challenge.log")
            for name in WATCHED:
                fires(name, "RoundChallenged")
            proxies.call(endpoints["judge"].set, lost)
            network.warp(CHALLENGE + network.state().me.resolve_duration)
            network.wait_phase(round_id, Phase.SETTLED)
            fires("judge", "RewardsUnclaimed")
        finally:
            watcher.close()
