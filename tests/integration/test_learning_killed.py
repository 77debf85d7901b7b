"""kill -9 at random moments of a training: whoever begins it again seals the same delta.

The job is the one that a solver's worker does. It runs in a process of its own that dies for real, also in
the middle of writing a checkpoint. `scripts/test kills` plays fifty moments of every way of training.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jepanet.cid import digest_of
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FROM_SCRATCH, Guard, Loop, Regime
from jepanet.learning.recipe_reader import read_recipe
from jepanet.protocol.documents.spec import encode_spec
from jepanet.tensors import canonical_json
from jepanet.work.jobs import run
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.machine import CheckpointPlace
from jepanet.work.requests.training import TrainDelta
from recorded_round import episodes, read_story
from round_samples import a_spec

pytestmark = pytest.mark.integration

STEPS = 40
SEED = bytes(range(32))
TURNED = replace(
    read_recipe(canonical_json(read_story()["recipes"]["turned"])),
    inner_steps=STEPS, align_above=180.0, loop=Loop(trace=3),
)  # fmt: skip
WAYS: dict[str, Recipe] = {
    "without a guard": TURNED,
    "fine-tuning": replace(TURNED, guard=Guard(every=4, patience=1000)),
    "from scratch": replace(TURNED, guard=Guard(every=3, regime=Regime(FROM_SCRATCH))),
    "from scratch, accumulated": replace(
        TURNED, guard=Guard(every=4, regime=Regime(FROM_SCRATCH)), loop=Loop(trace=4, accumulate=3)
    ),
    "fine-tuning, accumulated": replace(TURNED, guard=Guard(every=4), loop=Loop(trace=2, accumulate=2)),
}
FEW_WAYS = ("without a guard", "fine-tuning")
FEW, MANY = 2, 50


@dataclass(frozen=True)
class Training:
    """A round's files, and what is asked of the worker."""

    folder: Path
    recipe: Recipe

    def write(self) -> None:
        model = model_bytes(self.recipe.family.initial_weights(SEED), ModelHeader.of(self.recipe, 0))
        spec = a_spec(
            base=digest_of(model), recipe=self.recipe.digest(), inner_steps=STEPS, start_step=0,
            total_steps=600, codec="topk10",
        )  # fmt: skip
        for name, data in (
            ("base", model), ("recipe", self.recipe.to_bytes()), ("spec", encode_spec(spec))
        ):  # fmt: skip
            (self.folder / name).write_bytes(data)
        (self.folder / "shard").write_bytes(episodes("killed", (0,) * 6 + (1,) * 5))

    def request(self, name: str) -> TrainDelta:
        out = self.folder / name
        out.mkdir(exist_ok=True)
        return TrainDelta(
            RoundFiles(*(self.folder / item for item in ("base", "recipe", "spec"))),
            (TrainingShard.of(self.folder / "shard"),), None, None, SEED, out / "delta", out / "left",
            checkpoints=CheckpointPlace(out / "checkpoints", 1 << 30, pause=0.0), trace_target=out / "trace",
        )  # fmt: skip

    def train(self, name: str, within: float | None = None) -> bool:
        """Trains in a process that is killed after `within` seconds; whether it ended before."""
        request = self.request(name)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run(request)
                status = 0
            finally:
                os._exit(status)
        if within is not None:
            time.sleep(within)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return False
        assert status == 0, "the training failed"
        return True

    def sealed(self, name: str) -> tuple[bytes, ...]:
        return tuple((self.folder / name / item).read_bytes() for item in ("delta", "left", "trace"))


def play(folder: Path, recipe: Recipe, moments: int) -> None:
    training = Training(folder, recipe)
    training.write()
    began = time.monotonic()
    assert training.train("whole")
    length = time.monotonic() - began
    wanted = training.sealed("whole")
    draws = random.Random(7)
    killed = resumed = 0
    for number in range(moments):
        name = f"killed-{number}"
        # Every third is killed once more, while it goes on.
        for _ in range(2 if number % 3 == 0 else 1):
            killed += not training.train(name, draws.uniform(0.0, length))
        resumed += any((folder / name / "checkpoints").glob("*.safetensors"))
        assert training.train(name)
        assert training.sealed(name) == wanted, f"moment {number} led to other bytes"
    print(f"\n{killed} kills, {resumed} of {moments} trainings went on from a checkpoint")
    assert killed >= moments // 5 and resumed >= moments // 5, "too few were killed in the middle"


@pytest.mark.parametrize("way", FEW_WAYS)
def test_a_training_killed_at_random_moments_seals_the_same_bytes(way: str, tmp_path: Path) -> None:
    play(tmp_path, WAYS[way], FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_a_training_killed_at_fifty_random_moments_seals_the_same_bytes(way: str, tmp_path: Path) -> None:
    play(tmp_path, WAYS[way], MANY)
