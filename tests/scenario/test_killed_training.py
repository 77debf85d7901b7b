"""kill -9 of a whole node in the middle of its training: it commits and reveals what it would have.

    killed while it trains ─┬─▶ a copy without its checkpoints trains undisturbed, and dies once it has sealed
                            └─▶ goes on, is killed again, goes on ─▶ seals ─▶ commits ─▶ reveals

What is trained follows from chain, wallet and a salt that the node draws for the round. So a node with the
same journal shows what would have come of it; the copy sends nothing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from network import CHAIN_ID, PATIENCE, Network, Node, ScenarioFailed

from faults import KillPlan
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.protocol import facts
from jepanet.protocol.commitment import commitment
from jepanet.storage.blobs.blob_files import place_of
from jepanet.types import Digest

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]

STEPS, EVERY = 600, 100
TINY = preset("tworoom-tiny")
CALM = replace(
    TINY, name="calm", warm_steps=0, inner_steps=STEPS, total_steps=10 * STEPS,
    optimiser=replace(TINY.optimiser, learning_rate=1e-4),
)  # fmt: skip
GUARDED = replace(CALM, guard=Guard(every=EVERY))
ACCUMULATED = replace(CALM, loop=Loop(trace=EVERY, accumulate=2))


@dataclass(frozen=True)
class Sealed:
    """What a node holds of a round before it commits."""

    digest: Digest
    salt: bytes
    delta: bytes
    trace: bytes


@dataclass
class Trainer:
    """A solver's node that is started, watched and killed by hand: the network knows nothing of it."""

    node: Node
    round_id: int

    def checkpoint(self) -> int:
        """Step of the newest that is whole on the disk; 0 without one."""
        folder = self.node.folder / "data" / "checkpoints" / str(self.round_id)
        # The digest is written after the file that it is of.
        return max((int(item.name[5:15]) for item in folder.glob("step-*.sha256")), default=0)

    def steps(self) -> list[int]:
        """The steps that it has logged, over all of its starts."""
        events = self.node.events("solver.step") if self.node.log.exists() else []
        return [int(entry["step"]) for entry in events]

    def start(self, dies_at: str | None = None) -> None:
        home = self.node.folder
        plan = None if dies_at is None else KillPlan(home / "killed", home / "passed", (dies_at,))
        self.node.kills = plan
        self.node.start()

    def wait(self, what: str, reached: Callable[[], object], *, dead: bool = False) -> None:
        """Until `reached` holds of a node that lives, or that dies as it was to."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > deadline or not (dead or self.node.alive):
                raise ScenarioFailed(f"waited for {what}; {self.node.exit_status}\n{self.node.tail(40)}")
            time.sleep(0.02)

    def dies_at(self, step: str) -> None:
        """Starts it, and waits until it was killed at a step of the protocol."""
        self.start(step)
        self.wait(step, lambda: not self.node.alive, dead=True)
        self.node.pid = None

    def dies_training(self, what: str, reached: Callable[[], object]) -> None:
        """Starts it, and kills it once it trains and `reached` holds."""
        before = len(self.steps())
        self.start()
        self.wait(what, lambda: len(self.steps()) > before and reached())
        self.node.kill()
        assert self.node.query("SELECT digest FROM salts") == [], "it was killed too late: it had sealed"

    def file(self, digest: bytes) -> bytes:
        return place_of(self.node.folder / "data" / "blobs", Digest(digest)).read_bytes()

    def sealed(self) -> Sealed:
        ((digest, salt),) = self.node.query("SELECT digest, salt FROM salts")
        ((note,),) = self.node.query("SELECT payload FROM notes WHERE name = 'training'")
        trace = bytes.fromhex(json.loads(note)["trace"])
        return Sealed(Digest(digest), bytes(salt), self.file(digest), self.file(trace))


def copy_of(trainer: Trainer, folder: Path) -> Trainer:
    """A node that knows what the other one does, but for its checkpoints, with the same wallet."""
    shutil.copytree(trainer.node.folder, folder)
    shutil.rmtree(folder / "data" / "checkpoints")
    (folder / "node.log").unlink()
    return Trainer(replace(trainer.node, name="copy", folder=folder, pid=None), trainer.round_id)


def play(folder: Path, dataset: Path, recipe: Recipe, *, often: bool) -> None:
    """One round whose only solver is killed while it trains: once, or `often`."""
    shutil.copytree(dataset, folder / "shards")  # its first model is not that of other scenarios
    (folder / "recipe.json").write_bytes(recipe.to_bytes())
    network = Network.build(
        folder / "network", folder / "shards", solvers=1, recipe=str(folder / "recipe.json")
    )
    try:
        node = network.nodes.pop("solver-1")
        with node.config.open("a") as config:
            config.write('level = "debug"\n')  # its last section is of the log
        round_id = network.play(commits=1, inner_steps=STEPS)
        trainer, went_on = Trainer(node, round_id), []
        if often:
            trainer.dies_training("its first step", lambda: True)
            assert trainer.checkpoint() == 0, "it was to be killed before its first checkpoint"
        trainer.dies_training("a checkpoint", trainer.checkpoint)
        went_on.append(trainer.checkpoint())

        copy = copy_of(trainer, folder / "copy")
        copy.dies_at("handled:TrainShard")
        undisturbed = copy.sealed()
        assert copy.steps() == list(range(1, STEPS + 1))
        assert copy.node.events("training.resumed") == []

        if often:
            trainer.dies_training("a step after that", lambda: True)
            went_on.append(trainer.checkpoint())
        before = len(trainer.steps())
        trainer.start()
        network.nodes[node.name] = node
        network.wait("the delta to be revealed", lambda: network.events(facts.ChainRevealed, round_id))

        assert [entry["step"] for entry in node.events("training.resumed")] == went_on
        assert node.events("checkpoint.refused") == []
        assert trainer.steps()[before:] == list(range(went_on[-1] + 1, STEPS + 1)), "it went on from there"
        assert trainer.sealed() == undisturbed
        (committed,) = network.events(facts.ChainCommitted, round_id)
        (revealed,) = network.events(facts.ChainRevealed, round_id)
        place = (CHAIN_ID, network.deployment.rounds, round_id, node.address)
        assert committed.commitment == commitment(*place, undisturbed.digest, undisturbed.salt)
        assert (revealed.digest, revealed.salt) == (undisturbed.digest, undisturbed.salt)
    finally:
        network.close()


def test_a_node_killed_in_training_commits_and_reveals_the_same_delta(
    dataset: Path, anvil_binary: Path, tmp_path: Path
) -> None:
    play(tmp_path, dataset, GUARDED, often=False)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [GUARDED, ACCUMULATED], ids=["guarded", "accumulated"])
def test_a_node_killed_again_and_again_in_training_commits_and_reveals_the_same_delta(
    dataset: Path, anvil_binary: Path, tmp_path: Path, recipe: Recipe
) -> None:
    play(tmp_path, dataset, recipe, often=True)
