"""A training that its guard stops, in a real round: nothing is committed or paid, and one is told why."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from network import TERMS, Network, run_async

from jepanet.errors import Exit
from jepanet.interface.cli import main
from jepanet.learning.presets import preset
from jepanet.learning.recipe_loop import Guard
from jepanet.operations.access import open_chain
from jepanet.operations.funds.stake import balances
from jepanet.operations.views.funds import Account
from jepanet.operations.views.json_form import Wei
from jepanet.protocol import facts
from jepanet.settings.config import load_config
from jepanet.types import CancelCause, Phase

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(600)]

TINY = preset("tworoom-tiny")
WILD = replace(
    TINY, name="wild", warm_steps=0, inner_steps=40, guard=Guard(every=1),
    optimiser=replace(TINY.optimiser, learning_rate=0.1, warmup=0, cooldown=0.0),
)  # fmt: skip
"""Its steps are so long that a few of them lead out of every regime."""


def account_of(network: Network, name: str) -> Account:
    async def read() -> Account:
        async with open_chain(load_config(network.hub.config).chain) as chain:
            found = await balances(chain, network.nodes[name].address)
            return replace(found, native=Wei(0))  # whoever closes the round pays gas

    return run_async(read())


def status(network: Network, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["status", "--config", str(network.nodes["solver-1"].config), *options])
    assert ended.value.code == Exit.OK
    return capsys.readouterr().out


def test_an_aborted_training_is_not_committed_costs_nothing_and_says_why(
    dataset: Path,
    anvil_binary: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shutil.copytree(dataset, tmp_path / "shards")  # its first model is not that of other scenarios
    (tmp_path / "recipe.json").write_bytes(WILD.to_bytes())
    network = Network.build(
        tmp_path / "network", tmp_path / "shards", solvers=1, recipe=str(tmp_path / "recipe.json")
    )
    try:
        before = account_of(network, "solver-1")
        network.run_nodes("solver-1")
        round_id = network.play(commits=1, inner_steps=WILD.inner_steps)
        solver = network.nodes["solver-1"]

        def told() -> dict[str, Any] | None:
            rounds = (solver.status() or {}).get("rounds", [])
            return next((item["training"] for item in rounds if item["round"] == round_id), None)

        ended = network.wait("the training to be aborted", told)
        assert ended["status"] == "aborted(loss-jumped)"
        assert "the validation loss is" in ended["why"]
        ((note,),) = solver.query("SELECT payload FROM notes WHERE name = 'training'")
        assert json.loads(note) == ended
        shown = json.loads(status(network, capsys, "--json"))
        assert [item["training"] for item in shown["rounds"]] == [ended]
        assert [item["failed"] for item in shown["rounds"]] == [[["TrainShard", "loss-jumped"]]]
        text = " ".join(status(network, capsys).split())
        assert "aborted(loss-jumped)" in text and "training aborted at step" in text

        network.warp(int(TERMS["commit_seconds"]))
        network.wait_phase(round_id, Phase.CANCELLED)
        assert network.round(round_id).cancel_cause is CancelCause.NO_COMMITS
        settled = network.state().block
        assert settled is not None
        network.wait("the solver to see it", lambda: solver.fed_to() >= settled.number)
        assert solver.pending() == []
        assert network.events(facts.ChainCommitted) == []
        assert solver.query("SELECT digest FROM salts") == [], "nothing was sealed"
        assert account_of(network, "solver-1") == before, "no stake and no token"
    finally:
        network.close()
