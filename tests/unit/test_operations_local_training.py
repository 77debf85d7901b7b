"""Training by hand: modes, one folder a training, taken up again, curves that outlive kills."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.interface.arguments import train as train_command
from jepanet.interface.cli import cli
from jepanet.learning.computing import most_operations
from jepanet.learning.data.shards import joined, save_shard
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FINETUNE, FROM_SCRATCH, Guard, Loop, Regime
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.loop import train
from jepanet.learning.training.modes import in_mode
from jepanet.operations import access
from jepanet.operations.local_training import LocalInputs, plan_local, train_local
from jepanet.operations.training_data import ChosenData, shards_at
from jepanet.operations.views.training import LocalTraining
from jepanet.storage.tracking import Tracking
from jepanet.work.jobs import run
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.request import OnProgress, Progress
from learning_shards import RECIPE, SEED, disc_shard, initial, scaled

pytestmark = pytest.mark.unit

STEPS = 8
SMALL = replace(RECIPE, inner_steps=STEPS, warm_steps=12, loop=Loop(trace=2))


NODE = """
[node]
roles = ["solver"]
data_dir = "data"
[wallet]
directory = "wallet"
[chain]
endpoints = ["http://127.0.0.1:8545"]
deployment = "deployment.json"
[worker]
backbones = "shelf"
round_tflop = 2.5
"""


class Killed(Exception):
    """Stands for kill -9: nothing that comes after it happens."""


@dataclass
class HereAndNow:
    """A worker that does its jobs in this process, and dies at a step if it is told to."""

    dies_at: int | None = None
    steps: list[int] = field(default_factory=list)

    async def run(self, request: Any, on_progress: OnProgress = lambda _: None) -> Any:
        if request.job == "train_locally":
            request = replace(request, checkpoints=replace(request.checkpoints, pause=0.0))

        def told(progress: Progress) -> None:
            on_progress(progress)
            if progress.loss is not None:
                self.steps.append(progress.step)
                if progress.step == self.dies_at:
                    raise Killed

        return run(request, told)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(2):
        save_shard(folder / f"training-{number:02d}.safetensors", disc_shard(number + 1, site=(number,) * 5))
    save_shard(folder / "public.safetensors", disc_shard(9))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder


def inputs(data: Path, base: Path | None = None, recipe: Recipe = SMALL, **changes: Any) -> LocalInputs:
    mode = FROM_SCRATCH if base is None else FINETUNE
    trained = in_mode(recipe, mode, **{"steps": STEPS, "every": 2, **changes})
    return LocalInputs(trained, recipe, ChosenData(shards_at(data)), base, SEED, "cpu")


async def trained(worker: HereAndNow, given: LocalInputs, out: Path) -> LocalTraining:
    tracking = Tracking(out / "tracking.sqlite")
    try:
        return await train_local(worker, tracking, given, out, checkpoint_bytes=1 << 30)  # type: ignore[arg-type]
    finally:
        tracking.close()


def files(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir() if not item.name.startswith("tracking.sqlite-")}


# ------------------------------------------------------------------ modes


def test_a_mode_sets_regime_rate_warm_up_and_steps_together() -> None:
    tuned, scratch = in_mode(SMALL, FINETUNE), in_mode(SMALL, FROM_SCRATCH)
    assert tuned.guard == Guard(every=1, regime=Regime(FINETUNE))
    assert scratch.guard == Guard(every=1, regime=Regime(FROM_SCRATCH))
    rules = SMALL.optimiser
    assert (tuned.optimiser.learning_rate, tuned.optimiser.warmup) == (rules.learning_rate, rules.warmup)
    assert (scratch.optimiser.learning_rate, scratch.optimiser.warmup) == (SMALL.warm_rate, 1)
    assert (tuned.inner_steps, tuned.total_steps) == (STEPS, STEPS)
    assert (scratch.inner_steps, scratch.total_steps) == (12, 12)


@pytest.mark.parametrize("mode", [FINETUNE, FROM_SCRATCH])
def test_each_of_them_can_be_overridden(mode: str) -> None:
    usual = in_mode(SMALL, mode)
    other = in_mode(SMALL, mode, regime=FINETUNE, rate=0.05, warmup=3, steps=40, every=7)
    assert other.guard == Guard(every=7, regime=Regime(FINETUNE))
    assert (other.optimiser.learning_rate, other.optimiser.warmup, other.inner_steps) == (0.05, 3, 40)
    assert in_mode(SMALL, mode, rate=0.05).inner_steps == usual.inner_steps


def test_a_mode_keeps_what_the_recipes_own_guard_says() -> None:
    own = replace(SMALL, guard=Guard(every=5, patience=3, minimum_epochs=2))
    assert in_mode(own, FROM_SCRATCH).guard == replace(own.guard, regime=Regime(FROM_SCRATCH))  # type: ignore[type-var]
    with pytest.raises(ValueError, match="none of"):
        in_mode(own, "pretrain")


# ------------------------------------------------------------------ training


async def test_a_training_by_hand_is_the_solvers_training(data: Path, out: Path) -> None:
    """The same loop, weights and bytes; all training shards of the folder, the public one not."""
    given = inputs(data)
    made = await trained(HereAndNow(), given, out)
    assert files(out) - {"tracking.sqlite.lock"} == {
        "model.safetensors", "recipe.json", "trace.json", "curves.json", "curves.png", "tracking.sqlite",
    }  # fmt: skip
    from jepanet.learning.data.shards import load_shard
    from jepanet.learning.seeding import derive

    shard = joined([load_shard(shard.path) for shard in given.data.shards])
    assert shard.episodes == 10 and len(given.data.shards) == 2
    start = given.recipe.family.initial_weights(derive(SEED, "initial"))
    wanted = train(start, shard, given.recipe, seed=derive(SEED, "training"))
    recipe = read_recipe((out / "recipe.json").read_bytes())
    model = load_model(out / "model.safetensors", recipe)
    assert all((model.weights[name] == wanted.weights[name]).all() for name in start)
    assert (made.status, made.steps, made.regime) == ("ok", STEPS, FROM_SCRATCH)
    assert dict(made.metrics) == wanted.metrics
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


async def test_a_killed_training_goes_on_and_its_curves_are_whole(
    data: Path, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await trained(HereAndNow(), inputs(data), other)
    with pytest.raises(Killed):
        await trained(HereAndNow(dies_at=6), inputs(data), out)
    worker = HereAndNow()
    await trained(worker, inputs(data), out)
    assert worker.steps[0] == 5, "it goes on behind the checkpoint of step 4"
    for name in ("model.safetensors", "trace.json", "curves.json"):
        assert (out / name).read_bytes() == (other / name).read_bytes(), name
    curves = json.loads((out / "curves.json").read_bytes())
    assert [step for step, _ in curves["loss"]] == list(range(1, STEPS + 1))
    assert [step for step, _ in curves["validation"]] == [0, 2, 4, 6, 8]
    assert {"gradient_norm", "learning_rate", "prediction", "sigreg"} <= set(curves)
    assert "checkpoints" not in files(out)


async def test_fine_tuning_begins_with_a_model(data: Path, out: Path, tmp_path: Path) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(model_bytes(initial(SEED), ModelHeader.of(SMALL, 3)))
    made = await trained(HereAndNow(), inputs(data, base), out)
    model = load_model(out / "model.safetensors", read_recipe((out / "recipe.json").read_bytes()))
    assert made.regime == FINETUNE
    assert model.header.parent == digest_of(base.read_bytes()) and model.header.round == 3


async def test_a_training_that_is_aborted_says_so_and_is_not_begun_again(
    data: Path, out: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(model_bytes(scaled(initial(SEED), 30.0), ModelHeader.of(SMALL, 0)))
    given = inputs(data, base, regime=FROM_SCRATCH)
    with pytest.raises(Rejected) as caught:
        await trained(HereAndNow(), given, out)
    assert caught.value.reason == "start-too-high"
    with pytest.raises(Fatal, match=r"ended: aborted\(start-too-high\)") as ended:
        await trained(HereAndNow(), given, out)
    assert ended.value.code == Exit.USAGE
    assert not {"checkpoints", "model.safetensors"} & files(out)


async def test_a_folder_holds_one_training(data: Path, out: Path) -> None:
    with pytest.raises(Killed):
        await trained(HereAndNow(dies_at=3), inputs(data), out)
    others = (
        inputs(data, rate=1e-4),
        replace(inputs(data), seed=bytes(32)),
        replace(inputs(data), data=ChosenData(shards_at(data / "public.safetensors"))),
        replace(inputs(data), device="cuda:0"),
    )
    for other in others:
        with pytest.raises(Fatal, match="holds a training of other") as caught:
            await trained(HereAndNow(), other, out)
        assert caught.value.code == Exit.USAGE


async def test_a_plan_says_what_a_training_takes_and_writes_nothing(data: Path, out: Path) -> None:
    given = inputs(data)
    plan = await plan_local(HereAndNow(), given)  # type: ignore[arg-type]
    assert (plan.steps, plan.samples, plan.parameters) == (STEPS, 16 * STEPS, given.recipe.parameters())
    assert plan.epochs == round(16 * STEPS / 32, 2), "eight of ten episodes, four windows each"
    assert plan.memory > 50 << 20 and plan.seconds_per_step > 0
    least = 2 * given.recipe.family.sizes.frames * STEPS * 1000
    assert plan.flops > least and plan.seconds == round(plan.seconds_per_step * STEPS, 1)
    assert not files(out)


async def test_a_plan_is_held_against_what_the_operator_allows(data: Path) -> None:
    given = inputs(data)
    plan = await plan_local(HereAndNow(), given, round_tflop=0.5)  # type: ignore[arg-type]
    usual = await plan_local(HereAndNow(), given)  # type: ignore[arg-type]
    assert plan.allowed == 5 * 10**11 and usual.allowed == int(most_operations("cpu", 0.0))


def test_the_command_asks_the_configuration_for_limit_and_backbones(
    data: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path | None] = []

    @asynccontextmanager
    async def here(*_: Any, backbones: Path | None = None, **__: Any) -> AsyncIterator[HereAndNow]:
        opened.append(backbones)
        yield HereAndNow()

    @asynccontextmanager
    async def no_library(*_: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr(access, "open_worker", here)
    monkeypatch.setattr(train_command, "open_data", no_library)
    (tmp_path / "recipe.json").write_bytes(SMALL.to_bytes())
    (tmp_path / "node.toml").write_text(NODE)
    words = ["train", "--recipe", str(tmp_path / "recipe.json"), "--data", str(data), "--out", str(out)]
    words += ["--config", str(tmp_path / "node.toml"), "--steps", str(STEPS), "--plan", "--json"]
    made = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["allowed"] == 25 * 10**11
    assert opened == [tmp_path / "shelf"]


def test_shards_of_other_sizes_are_not_joined() -> None:
    with pytest.raises(Rejected) as caught:
        joined([disc_shard(1), disc_shard(1, frames=7)])
    assert caught.value.reason == "shard-mismatch"


def test_data_is_a_shard_or_a_folder_that_has_some(data: Path, tmp_path: Path) -> None:
    assert shards_at(data / "public.safetensors") == (TrainingShard.of(data / "public.safetensors"),)
    names = [shard.path.name for shard in shards_at(data)]
    assert names == ["training-00.safetensors", "training-01.safetensors"]
    with pytest.raises(Fatal) as caught:
        shards_at(tmp_path)
    assert caught.value.code == Exit.NOT_FOUND


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("cats/one.JPG", "dataset pictures"),
        ("texts.jsonl", "dataset pairs"),
        ("meta/info.json", "dataset lerobot"),
        ("photos.safetensors", "name the shard that is to be trained on: photos.safetensors"),
        ("README", "a folder of `jepanet dataset build` or `dataset split`"),
    ],
)
def test_a_folder_that_is_no_dataset_says_what_to_give_instead(
    tmp_path: Path, inside: str, says: str
) -> None:
    (tmp_path / inside).parent.mkdir(exist_ok=True)
    (tmp_path / inside).write_bytes(b"")
    with pytest.raises(Fatal, match="holds no training shards") as caught:
        shards_at(tmp_path)
    assert says in (caught.value.remedy or "")


class Mirrored:
    """Takes a copy of the numbers; full after so many calls."""

    def __init__(self, room: int = 1000) -> None:
        self.room, self.points, self.ended = room, {}, []  # type: ignore[var-annotated]

    def add(self, points: Any) -> None:
        self.room -= 1
        if self.room < 0:
            raise Fatal("no room")
        self.points.update({(step, name): value for step, found in points for name, value in found.items()})

    def end(self, status: str, model: str | None = None) -> None:
        self.ended.append((status, model))


async def mirrored(worker: HereAndNow, given: LocalInputs, out: Path, mirror: Mirrored) -> LocalTraining:
    tracking = Tracking(out / "tracking.sqlite")
    try:
        return await train_local(worker, tracking, given, out, checkpoint_bytes=1 << 30, mirror=mirror)  # type: ignore[arg-type]
    finally:
        tracking.close()


async def test_a_copy_of_the_numbers_has_all_of_them_also_after_a_kill(data: Path, out: Path) -> None:
    mirror = Mirrored(room=0)
    with pytest.raises(Killed):
        await mirrored(HereAndNow(dies_at=5), inputs(data), out, mirror)
    assert not mirror.points, "as if it had been killed before it could copy"
    mirror.room = 1000
    made = await mirrored(HereAndNow(), inputs(data), out, mirror)
    curves = json.loads((out / "curves.json").read_text())
    assert made.status == "ok" and mirror.ended == [("ok", made.model)]
    wanted = {(step, name) for name, points in curves.items() for step, _ in points}
    assert wanted and set(mirror.points) == wanted
