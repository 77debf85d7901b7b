"""What a recipe may say of the loop: batches a step, precision, schedule. Without it, it says nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.outer import outer_step
from jepanet.learning.families.world.model import normalise
from jepanet.learning.presets import preset
from jepanet.learning.recipe import MAX_FRAMES_PER_ROUND, Optimiser, Recipe
from jepanet.learning.recipe_loop import Guard, Loop, Schedule
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.seeding import torch_generator
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.processes.holding import Alone
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import StepReport
from jepanet.learning.training.step import compiled
from jepanet.learning.training.step.compiled import LEAST_STEPS_ON_CPU, compiles, compiling
from jepanet.learning.training.step.optimiser import AdamW, clip
from jepanet.learning.training.step.precision import FIRST_SCALE, GROWS_AFTER, LossScale
from jepanet.learning.training.step.schedule import learning_rate, share
from jepanet.tensors import Arrays
from learning_shards import RECIPE, SEED, WORLD, disc_shard, initial, sized

pytestmark = pytest.mark.unit

SHARD = disc_shard(1)
START = initial(SEED)


def looped(**changes: Any) -> Recipe:
    return replace(RECIPE, loop=Loop(**changes))


def same(one: Arrays, other: Arrays) -> bool:
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def far(one: Arrays, other: Arrays) -> float:
    """Distance of two models, as a share of the way from the start to the first."""
    way = sum(float(np.square(one[name].astype(np.float64) - START[name]).sum()) for name in one)
    off = sum(float(np.square(one[name].astype(np.float64) - other[name]).sum()) for name in one)
    return float(np.sqrt(off / way))


# ------------------------------------------------------------------ what recipes say


@pytest.mark.parametrize(
    "loop",
    [
        Loop(accumulate=4),
        Loop(precision="bf16"),
        Loop(compile=True),
        Loop(deterministic=False),
        Loop(schedule=Schedule("constant")),
        Loop(schedule=Schedule("wsd", span="round", warmup=3, decay=0.5, final=0.0), trace=7),
    ],
)
def test_a_recipe_says_it_and_is_read_again(loop: Loop) -> None:
    recipe = replace(RECIPE, loop=loop)
    assert read_recipe(recipe.to_bytes()) == recipe
    assert recipe.digest() != RECIPE.digest()


def test_what_is_usual_is_not_written() -> None:
    assert b"loop" not in RECIPE.to_bytes()
    spelt = looped(accumulate=1, compile=False, deterministic=True).to_bytes()
    assert spelt == RECIPE.to_bytes()
    with pytest.raises(Rejected, match="default"):
        read_recipe(RECIPE.to_bytes().replace(b'"model"', b'"loop":{"accumulate":1},"model"'))


@pytest.mark.parametrize(
    "fields",
    [
        {"accumulate": 0},
        {"accumulate": 1025},
        {"accumulate": 1.0},
        {"precision": "int8"},
        {"compile": 1},
        {"deterministic": "no"},
    ],
)
def test_what_it_may_say_has_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        Loop(**fields)
    assert caught.value.reason == "bad-recipe" and next(iter(fields)) in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "linear"},
        {"span": "day"},
        {"warmup": -1},
        {"decay": 1.1},
        {"final": -0.1},
        {"final": float("nan")},
    ],
)
def test_a_schedule_has_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        Schedule(**{"kind": "cosine", **fields})
    assert caught.value.reason == "bad-recipe"


def test_accumulated_frames_count_against_the_cap_of_a_round() -> None:
    most = MAX_FRAMES_PER_ROUND // (RECIPE.family.sizes.frames * RECIPE.warm_steps)
    assert looped(accumulate=most).frames_of_a_step == most * RECIPE.family.sizes.frames
    with pytest.raises(Rejected, match="frames in one round"):
        looped(accumulate=most + 1)


# ------------------------------------------------------------------ accumulation


def test_a_step_takes_the_mean_gradient_of_its_batches() -> None:
    """Held against the few lines that say what it means."""
    recipe = looped(accumulate=3)
    found = train(START, SHARD, recipe, seed=SEED, steps=2)
    model, batches = WORLD.network(START), WORLD.batches(SHARD, SEED)
    stream = torch_generator(SEED, "directions")
    parameters = [item for _, item in model.named_parameters()]
    optimiser = AdamW(parameters, recipe.optimiser)
    for step in range(2):
        losses = [model.loss(batch, stream).loss for batch in islice(batches, 3)]
        gradients = list(torch.autograd.grad(torch.stack(losses).mean(), parameters))
        clip(gradients, recipe.optimiser.clip)
        optimiser.step(gradients, learning_rate(recipe.optimiser, step, 2, step, recipe.total_steps))
    assert far(found.weights, model.weights()) < 1e-5
    assert found.metrics["loss_last"] == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)


def test_accumulation_counts_every_sample() -> None:
    epochs: list[int] = []
    recipe = replace(looped(accumulate=2), guard=Guard(every=1))
    train(START, SHARD, recipe, seed=SEED, steps=3, on_evaluation=lambda item: epochs.append(item.epoch))
    # Seven episodes of four windows; 32 windows a step.
    assert epochs == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "changes", [{"accumulate": 3}, {"precision": "bf16"}, {"precision": "fp16"}], ids=str
)
def test_a_training_killed_under_each_ends_in_the_same_bytes(changes: dict[str, Any], tmp_path: Path) -> None:
    recipe = looped(trace=2, **changes)
    whole = train(START, SHARD, recipe, seed=SEED)

    class Killed(Exception):
        pass

    def on_step(report: StepReport) -> None:
        if report.step == 5:
            raise Killed

    def begun(tell: Any) -> TrainResult:
        place = Checkpoints(tmp_path, 1 << 30, pause=0.0)
        return train(START, SHARD, recipe, seed=SEED, on_step=tell, checkpoints=place)

    with pytest.raises(Killed):
        begun(on_step)
    steps: list[int] = []
    again = begun(lambda report: steps.append(report.step))
    assert steps == [5, 6]
    assert same(again.weights, whole.weights) and again.trace == whole.trace


# ------------------------------------------------------------------ precision


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_trains_and_keeps_weights_in_float32(precision: str) -> None:
    plain, low = (
        train(START, SHARD, looped(**fields), seed=SEED, steps=25)
        for fields in ({}, {"precision": precision})
    )
    assert all(array.dtype == np.float32 for array in low.weights.values())
    assert low.metrics["loss_last"] < 0.9 * low.metrics["loss_first"]
    assert low.metrics["loss_first"] == pytest.approx(plain.metrics["loss_first"], rel=0.05)
    assert 0.0 < far(plain.weights, low.weights) < 1.0
    again = train(START, SHARD, looped(precision=precision), seed=SEED, steps=25)
    assert same(low.weights, again.weights)


def test_statistics_stay_in_float32() -> None:
    model, batch = WORLD.network(START), next(WORLD.batches(SHARD, SEED))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.loss(batch, torch_generator(SEED, "directions"))
        colour = torch.eye(3) * 1.001
        seen = normalise(batch.tensors["frames"], colour)
    assert terms.loss.dtype == torch.float32
    assert all(part.dtype == torch.float32 for part in terms.parts.values())
    assert torch.equal(seen, normalise(batch.tensors["frames"], colour))


def test_a_gradient_that_overflows_halves_the_scale_and_its_step_changes_nothing() -> None:
    reports: list[StepReport] = []
    huge = replace(WORLD.objective, guard=1e4, weight=10.0)
    recipe = replace(sized(RECIPE, objective=huge), loop=Loop(precision="fp16"))
    train(START, SHARD, recipe, seed=SEED, steps=20, on_step=reports.append)
    skipped = [report.step for report in reports if report.gradient_norm == 0.0]
    done = [report.step for report in reports if report.gradient_norm > 0.0]
    assert skipped and done and max(skipped) < max(done), "first it overflows, then it has found a scale"


def gradients(value: float) -> list[torch.Tensor]:
    return [torch.full((3,), value), torch.full((2, 2), -value)]


def test_the_scale_of_a_loss_falls_at_overflows_and_grows_after_steps_without() -> None:
    scale = LossScale.of("fp16")
    assert scale.scale == FIRST_SCALE
    assert not scale.unscaled(gradients(float("inf")), 1)
    assert scale.scale == FIRST_SCALE / 2
    for step in range(GROWS_AFTER):
        given = gradients(scale.scale)
        assert scale.unscaled(given, step)
        assert all(bool((item.abs() == 1.0).all()) for item in given)
    assert scale.scale == FIRST_SCALE


def test_a_scale_that_cannot_fall_further_aborts_the_training() -> None:
    scale = LossScale.of("fp16")
    with pytest.raises(Rejected, match="step 7") as caught:
        for _ in range(40):
            scale.unscaled(gradients(float("nan")), 7)
    assert caught.value.reason == "diverged" and scale.scale == 1.0


def test_other_precisions_scale_nothing() -> None:
    for precision in ("fp32", "bf16"):
        scale, given = LossScale.of(precision), gradients(float("inf"))
        assert scale.unscaled(given, 1) and scale.scale == 1.0
        assert torch.equal(given[0], gradients(float("inf"))[0]), "it is the gate's to say so"


# ------------------------------------------------------------------ schedules

PEAK = Optimiser(learning_rate=1e-2, warmup=0, cooldown=0.0, final=0.1)


def rates(schedule: Schedule, steps: Iterator[int] | range = range(11), length: int = 10) -> list[float]:
    return [round(share(schedule, step, length), 6) for step in steps]


def test_a_constant_rate_is_constant() -> None:
    assert rates(Schedule("constant")) == [1.0] * 11
    assert rates(Schedule("constant", warmup=4))[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_cosine_falls_from_the_peak_to_its_share() -> None:
    fall = rates(Schedule("cosine", final=0.2))
    assert fall[0] == 1.0 and fall[5] == 0.6 and fall[10] == 0.2
    assert fall == sorted(fall, reverse=True)
    assert rates(Schedule("cosine", final=0.2), range(10, 40)) == [0.2] * 30


def test_wsd_holds_a_plateau_and_then_falls_by_a_root() -> None:
    found = rates(Schedule("wsd", decay=0.4, final=0.0))
    assert found[:7] == [1.0] * 7
    assert found[7:] == [0.5, round(1 - 0.5**0.5, 6), round(1 - 0.75**0.5, 6), 0.0]
    assert rates(Schedule("wsd", decay=0.0)) == [1.0] * 11


def test_a_warm_up_comes_before_what_falls() -> None:
    found = rates(Schedule("cosine", warmup=5, final=0.0), range(16), 15)
    assert (
        found[:5] == [0.2, 0.4, 0.6, 0.8, 1.0] and found[5] == 1.0 and found[10] == 0.5 and found[15] == 0.0
    )


def test_a_span_is_a_round_or_the_project() -> None:
    fall = Schedule("cosine", final=0.0)
    assert learning_rate(PEAK, 5, 10, 50, 1000, fall) > 0.99e-2
    assert learning_rate(PEAK, 5, 10, 50, 1000, replace(fall, span="round")) == pytest.approx(0.5e-2)
    cooled = replace(PEAK, cooldown=0.5, warmup=2)
    assert learning_rate(cooled, 0, 10, 0, 1000, Schedule("constant")) == pytest.approx(0.5e-2)
    assert learning_rate(cooled, 9, 10, 9, 1000, Schedule("constant")) == pytest.approx(0.2e-2)


def test_the_schedule_that_always_was_is_a_cosine_over_the_project() -> None:
    for step in (0, 7, 60, 99, 100, 200):
        spelt = learning_rate(PEAK, 3, 10, step, 100, Schedule("cosine", final=PEAK.final))
        assert learning_rate(PEAK, 3, 10, step, 100) == pytest.approx(spelt)


def test_training_follows_its_schedule() -> None:
    reports: list[StepReport] = []
    schedule = Schedule("wsd", span="round", decay=0.5, final=0.0)
    train(START, SHARD, looped(schedule=schedule), seed=SEED, steps=8, on_step=reports.append)
    rules = RECIPE.optimiser
    wanted = [learning_rate(rules, step, 8, step, RECIPE.total_steps, schedule) for step in range(8)]
    assert [report.learning_rate for report in reports] == wanted


# ------------------------------------------------------------------ order in memory, compiled, fixed order


def test_a_gradient_lies_in_memory_as_its_parameter_does() -> None:
    """A fused step goes through memory: a gradient in another order would move other numbers."""
    parameter = torch.arange(24.0).reshape(2, 3, 2, 2).requires_grad_()
    factor = torch.arange(24.0).reshape(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    loss = (parameter * factor).sum()
    assert torch.autograd.grad(loss, [parameter], retain_graph=True)[0].stride() != parameter.stride()
    alone = Alone(WORLD.network(START), [parameter], "cpu")
    for _ in range(2):  # twice: gradients of several batches are added
        alone.backward((parameter * factor).sum())
    (gradient,) = alone.gradients()
    assert gradient.stride() == parameter.stride() and torch.equal(gradient, 2 * factor)
    moved, rules = parameter.detach().clone(), Optimiser(weight_decay=0.0)
    AdamW([moved], rules).step([gradient], 0.5)
    still = (factor == 0).flatten()
    assert torch.equal(moved.flatten()[still], parameter.detach().flatten()[still])
    assert bool((moved.flatten()[~still] < parameter.detach().flatten()[~still]).all())


def test_networks_are_compiled_where_it_pays() -> None:
    asked = looped(compile=True)
    assert compiles(asked, "cuda:0", 1) and compiles(asked, "cpu", LEAST_STEPS_ON_CPU)
    assert not compiles(asked, "cpu", LEAST_STEPS_ON_CPU - 1)
    assert not compiles(RECIPE, "cuda:0", 20_000)
    plain = train(START, SHARD, RECIPE, seed=SEED, steps=3)
    assert same(plain.weights, train(START, SHARD, asked, seed=SEED, steps=3).weights)


@pytest.mark.parametrize("name", ["image-tiny", "language-tiny"])
def test_recipes_whose_batches_vary_in_shape_are_not_compiled(name: str) -> None:
    with pytest.raises(Rejected, match=r"loop\.compile needs batches of one shape") as caught:
        replace(preset(name), loop=Loop(compile=True))
    assert caught.value.reason == "bad-recipe"


def test_what_cannot_be_compiled_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LEAST_STEPS_ON_CPU", 1)
    with monkeypatch.context() as patch, pytest.raises(Rejected, match=r"no C\+\+ compiler") as caught:
        patch.setattr("shutil.which", lambda name: None)
        train(START, SHARD, looped(compile=True), seed=SEED, steps=2)
    assert caught.value.reason == "no-compiler" and "install" in (caught.value.remedy or "")
    with pytest.raises(Rejected, match="fsdp2") as caught:
        compiled.compile_parts(WORLD.network(START), whole=False)
    assert caught.value.reason == "no-compile"
    with pytest.raises(Rejected, match="no parts"):
        compiled.compile_parts(object())  # type: ignore[arg-type]


def test_what_is_compiled_lies_in_a_folder_of_the_training_and_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a library, which a compiler leaves that is killed, is found by nobody."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/before")
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    place = Checkpoints(tmp_path / "round", 1 << 30)
    ours, others = place.folder / "compiled-0-killed", place.folder / "compiled-1-running"
    for folder in (ours, others):
        folder.mkdir(parents=True)
        (folder / "half.so").write_bytes(b"\x7fELF")
    with compiling(True, place.folder, 0):
        from torch._inductor import config  # here: it takes seconds, and is there by now

        (new,) = set(place.folder.iterdir()) - {others}
        assert new != ours and not list(new.iterdir())
        for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
            assert Path(os.environ[name]).parent == new
        assert not config.cpp_cache_precompile_headers, "they would lie elsewhere"
        Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).mkdir()
    assert list(place.folder.iterdir()) == [others]
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/before" and "TRITON_CACHE_DIR" not in os.environ
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with compiling(True):
        assert len(list((tmp_path / "temporary").iterdir())) == 1
    assert not list((tmp_path / "temporary").iterdir())


def test_a_compiler_that_fails_is_refused_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    def broken(*_: object) -> Any:
        raise OSError("file too short")

    with pytest.raises(Rejected, match="file too short") as caught, compiling(True, tmp_path):
        torch.compile(torch.nn.Linear(2, 2), backend=broken)(torch.zeros(1, 2))
    assert caught.value.reason == "no-compile" and "loop.compile" in (caught.value.remedy or "")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"")
    folder = compiling(True, tmp_path / "file")
    with pytest.raises(Rejected, match="no folder for compiled code") as caught, folder:
        pass
    assert caught.value.reason == "no-compile"


def test_an_abort_of_a_compiled_training_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="diverged"), compiling(True, tmp_path):
        raise Rejected("diverged", reason="diverged")
    assert not list(tmp_path.iterdir())


def test_without_a_fixed_order_all_threads_train(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def noted(report: StepReport) -> None:
        seen.append((torch.get_num_threads(), torch.get_deterministic_debug_mode()))

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for fixed in (True, False):
            train(START, SHARD, looped(deterministic=fixed), seed=SEED, steps=1, on_step=noted)
    finally:
        torch.set_num_threads(threads)
    assert seen == [(1, 2), (2, 0)]


# ------------------------------------------------------------------ federated equals single


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("solvers", [1, 3])
def test_a_federation_of_identical_sites_is_one_site(changes: dict[str, Any], solvers: int) -> None:
    """Outer rate 1, momentum 0, the same shard and seeds: rounds together are rounds alone."""
    recipe = looped(**changes)
    alone, together, velocity = START, START, None
    for number in range(3):
        start = number * recipe.inner_steps
        alone = train(alone, SHARD, recipe, seed=SEED, start_step=start).weights
        made = [train(together, SHARD, recipe, seed=SEED, start_step=start).weights for _ in range(solvers)]
        merged = mean([delta_of(item, together) for item in made])
        together, velocity = outer_step(together, merged, velocity, lr=1.0, momentum=0.0)
    assert far(alone, together) < 1e-5
