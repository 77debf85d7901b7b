"""Rounds whose models nobody downloads: every node is restarted at points drawn from a seed, one joins late.

In each round every node ends once, by SIGTERM or SIGKILL, when the chain shows a drawn number of the round's
events, and comes back some moments later.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from network import Network, Node

from jepanet.cid import digest_file, to_cid
from jepanet.learning.presets import preset
from jepanet.protocol import facts
from jepanet.storage.blobs.blob_files import place_of
from jepanet.tensors import canonical_json
from jepanet.types import Digest, Phase

pytestmark = pytest.mark.scenario

SEED = 20
EVENTS_OF_A_ROUND = 12
"""Opened, commits, beacon, shard, reveals, recorded, settled and those that end a phase, at the least."""
LATE = "solver-3"
OPEN_GATES = {
    "harm_sigmas": 100, "healthy_variance": 0, "rank_ratio": 0.01, "sigreg_log": 10, "variance_cap": 100,
    "variance_ceiling": 100, "variance_floor": 0.001,
}  # fmt: skip
"""Every delta is merged and, by `benchmarks/publishing_jobs.py`, every merge published: a model that stays is
one that nobody needs to come by."""


@dataclass
class Restart:
    """One node's end in one round."""

    node: Node
    after: int
    """Events of the round by then."""
    killed: bool
    pause: float
    due_back: float | None = None
    done: bool = False


def drawn(nodes: list[Node], draw: random.Random) -> list[Restart]:
    return [
        Restart(node, draw.randrange(EVENTS_OF_A_ROUND), draw.random() < 0.5, draw.uniform(0.2, 3.0))
        for node in nodes
    ]


def settle_with_restarts(network: Network, round_id: int, restarts: list[Restart]) -> None:
    """Waits until the round is settled and idle, and has each node end and come back meanwhile."""

    def on() -> bool:
        seen = sum(getattr(item, "round_id", None) == round_id for item in network.events(object))
        settled = network.phase(round_id) is Phase.SETTLED
        for item in restarts:
            if item.due_back is not None and time.monotonic() >= item.due_back:
                item.node.start()
                item.due_back, item.done = None, True
            elif item.due_back is None and not item.done and (seen >= item.after or settled):
                (item.node.kill if item.killed else item.node.stop)()
                item.due_back = time.monotonic() + item.pause
        return settled and all(item.done for item in restarts)

    network.wait(f"round {round_id} to settle, restarts and all", on, within=600)
    network.wait_finished(round_id, within=400)


def join_late(network: Network) -> None:
    network._join(LATE, ("solver",))
    network.fund([network.nodes[LATE].address])


def play(network: Network, rounds: int, **terms: Any) -> list[int]:
    """Ids of the rounds; before the one in the middle another solver joins."""
    draw = random.Random(SEED)
    network.run_nodes()
    ids = []
    for number in range(rounds):
        if number == rounds // 2:
            join_late(network)
        round_id = network.play(commits=len(network.solvers), **terms)
        network.run_nodes()
        settle_with_restarts(network, round_id, drawn(list(network.nodes.values()), draw))
        ids.append(round_id)
    return ids


def check_models(network: Network, ids: list[int]) -> None:
    """The models are one chain, and every node holds the base of every round that it took part in."""
    model: Digest | None = None
    for round_id in ids:
        round_ = network.round(round_id)
        assert round_.recorded is not None
        assert model in (None, round_.base)
        model = round_.recorded.model
        committed = {item.solver for item in round_.commits}
        for node in network.nodes.values():
            if "solver" in node.roles and node.address not in committed:
                continue
            path = place_of(node.folder / "data" / "blobs", round_.base)
            assert path.exists(), (node.name, round_id, to_cid(round_.base))
            assert digest_file(path) == round_.base


def check_fetches(network: Network, ids: list[int]) -> int:
    """Nobody but newcomers fetched a model, as the logs say; so each derived every other one.

    Returns how many models were derived, by all nodes together.
    """
    rounds = [network.round(key) for key in ids]
    derived = 0
    for node in network.nodes.values():
        fetched = {
            item["digest"].removeprefix("0x")
            for item in node.events("blob.fetched")
            if item["kind"] == "model"
        }
        came_in = rounds[len(rounds) // 2 :] if node.name == LATE else rounds
        # The hub made the first model. With updates a late one may do with an older model and links.
        newcomer = (
            set() if node.name == "hub" else {item.base.hex() for item in rounds[: len(rounds) // 2 + 1]}
        )
        assert fetched <= newcomer, node.name
        assert len(fetched) == (node.name != "hub"), (node.name, fetched)
        assert len({item["model"] for item in node.events("model.fetched")}) <= 1, node.name
        assert not node.events("model.mismatched"), node.name
        bases = {item.base for item in came_in if node.address in {each.solver for each in item.commits}}
        told = {item["model"].removeprefix("0x") for item in node.events("model.derived")}
        assert told <= {item.base.hex() for item in rounds} | {rounds[-1].recorded.model.hex()}  # type: ignore[union-attr]
        assert len(bases) <= 1 or told, (node.name, "derived nothing, and held more than one base")
        derived += len(told)
    return derived


@pytest.fixture
def moving(new_network: Callable[..., Network], tmp_path: Path) -> Network:
    """A network whose every round moves the model."""
    tree = json.loads(preset("tworoom-tiny").to_bytes())
    tree["gates"] |= OPEN_GATES
    recipe = tmp_path / "recipe.json"
    recipe.write_bytes(canonical_json(tree))
    nursery = Path(__file__).parents[2] / "benchmarks" / "publishing_nursery.py"
    return new_network(solvers=2, recipe=str(recipe), nursery=nursery)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("update_codec", ["int8"])
def test_three_rounds_of_restarts_and_nobody_but_newcomers_fetches_a_model(
    moving: Network, update_codec: str
) -> None:
    ids = play(moving, 3, update_codec=update_codec)
    check_models(moving, ids)
    assert check_fetches(moving, ids) > 0, "somebody derived"


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("update_codec", ["int8", ""], ids=["updates", "deltas"])
def test_ten_rounds_of_restarts_and_nobody_but_newcomers_fetches_a_model(
    moving: Network, update_codec: str
) -> None:
    ids = play(moving, 10, update_codec=update_codec)
    check_models(moving, ids)
    assert check_fetches(moving, ids) > 10
    assert len(moving.events(facts.ChainRoundSettled)) == 10
