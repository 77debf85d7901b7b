"""Whatever a checkpoint of a training holds, also where its digest says that it is what was written: the
training comes to the weights and the trace that it would have come to, and goes on from nothing that is not
its own. What a checkpoint tells of the past is its own word: metrics, and losses that a gate remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jepanet.files import keep
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.tensors import decode_tensors, encode_tensors
from learning_shards import RECIPE, SEED, disc_shard, initial
from spoiled_files import forged, spoiled

pytestmark = pytest.mark.property

MANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
STEPS, KILLED = 4, 3
PLAIN = replace(RECIPE, inner_steps=STEPS, loop=Loop(trace=1))
RECIPES = {"plain": PLAIN, "guarded": replace(PLAIN, guard=Guard(every=1))}
SHARD = disc_shard(1, site=(0, 0, 0, 1, 1, 2))
START = initial(SEED)


class Killed(Exception):
    """Stands for kill -9."""


def killed(report: StepReport) -> None:
    if report.step == KILLED:
        raise Killed


@dataclass(frozen=True)
class Training:
    """One that was killed, what it had written, and what it comes to undisturbed."""

    folder: Path
    recipe: str
    checkpoint: bytes
    undisturbed: tuple[object, ...]

    def goes_on_from(self, checkpoint: bytes) -> tuple[object, ...]:
        """What it comes to with only this checkpoint in its folder."""
        for path in self.folder.iterdir():
            path.unlink()
        keep(self.folder / f"step-{KILLED - 1:010}.safetensors", checkpoint)
        return ends(trained(self.folder, self.recipe))


def trained(folder: Path, recipe: str, on_step: Callable[[StepReport], None] | None = None) -> TrainResult:
    checkpoints = Checkpoints(folder, 1 << 30, pause=0.0)
    return train(START, SHARD, RECIPES[recipe], seed=SEED, on_step=on_step, checkpoints=checkpoints)


def ends(result: TrainResult) -> tuple[object, ...]:
    return {name: array.tobytes() for name, array in result.weights.items()}, result.trace


@pytest.fixture(scope="module", params=list(RECIPES))
def training(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("checkpoints")
    undisturbed = ends(trained(folder / "whole", request.param))
    with pytest.raises(Killed):
        trained(folder / "killed", request.param, killed)
    (path,) = sorted((folder / "killed").glob("step-*.safetensors"))[-1:]
    found = Training(folder / "killed", request.param, path.read_bytes(), undisturbed)
    assert found.goes_on_from(found.checkpoint) == undisturbed
    return found


@MANY
@given(data=st.data())
def test_a_checkpoint_of_any_bytes_changes_nothing(training: Training, data: st.DataObject) -> None:
    assert training.goes_on_from(data.draw(spoiled(training.checkpoint))) == training.undisturbed


@MANY
@given(data=st.data())
def test_a_checkpoint_of_any_arrays_changes_nothing(training: Training, data: st.DataObject) -> None:
    arrays, header = decode_tensors(training.checkpoint, max_bytes=1 << 24, what="checkpoint")
    told = {name: array for name, array in arrays.items() if name.startswith("gate.")}
    rest = {name: array for name, array in arrays.items() if name not in told}
    wrong = encode_tensors({**forged(data, rest), **told}, header)
    assert training.goes_on_from(wrong) == training.undisturbed
