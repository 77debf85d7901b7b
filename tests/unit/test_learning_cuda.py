"""What is promised of a GPU, where there is one: the same bytes twice, and numbers that a CPU agrees with."""

from __future__ import annotations

import os

# Before torch opens the device, as the worker does: cuBLAS then sums in one order.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_work_devices import folder, merging_on, requests, scoring_on

from jepanet.learning.machine.device import MOST_APART, memory_of, probe
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.step import taking
from jepanet.work.jobs import run
from learning_shards import RECIPE, SEED, disc_shard, initial

__all__ = ["folder"]
GPU = "cuda:0"
PRECISIONS = ("fp32", "bf16", "fp16", "compiled bf16")
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU on this machine"),
]


def trained(precision: str, checkpoints: Checkpoints | None = None) -> TrainResult:
    compiled, _, kind = precision.rpartition(" ")
    loop = Loop(precision=kind, accumulate=2, trace=4, compile=bool(compiled))
    recipe = replace(RECIPE, inner_steps=24, guard=Guard(every=4), loop=loop)
    shard = disc_shard(1, (0,) * 6 + (1,) * 6)
    return train(initial(SEED), shard, recipe, seed=SEED, device=GPU, checkpoints=checkpoints)


def same(one: TrainResult, other: TrainResult) -> bool:
    return one.trace == other.trace and all(
        one.weights[name].tobytes() == other.weights[name].tobytes() for name in one.weights
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_trainings_of_one_seed_are_the_same_bytes(precision: str) -> None:
    assert same(trained(precision), trained(precision))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_training_that_is_taken_up_is_the_same_bytes(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(Exception):
        pass

    computed = taking.mean_gradient

    def ends(state: object, *rest: object) -> object:
        if getattr(state, "step", 0) == 10:
            raise Ended
        return computed(state, *rest)  # type: ignore[arg-type]

    place = Checkpoints(tmp_path, 1 << 30, pause=0.0)
    with monkeypatch.context() as patch, pytest.raises(Ended):
        patch.setattr(taking, "mean_gradient", ends)
        trained(precision, place)
    assert list(tmp_path.glob("*.safetensors"))
    assert same(trained(precision), trained(precision, place))


def test_the_device_computes_what_the_cpu_does() -> None:
    found = probe(GPU)
    assert 0.0 < found.apart < MOST_APART
    assert memory_of(GPU) > 1 << 30


def test_scores_and_merges_are_those_of_the_cpu_within_a_hundredth_of_the_tolerance(folder: Path) -> None:
    here, there = run(scoring_on(folder, "cpu")), run(scoring_on(folder, GPU))
    assert (there.where.device, there.where.refused) == (GPU, None)
    for one, other in zip(here.judgements, there.judgements, strict=True):
        assert (one.verdict, one.reason) == (other.verdict, other.reason)
        assert abs(one.gain - other.gain) <= 20 and abs(one.stderr - other.stderr) <= 20
    merged, again = run(merging_on(folder, "cpu")), run(merging_on(folder, GPU))
    assert merged.digest == again.digest, "merging runs no network"
    assert abs(merged.improvement - again.improvement) <= 20


def test_every_job_does_its_work_on_the_gpu(folder: Path) -> None:
    for request in requests(folder, GPU):
        run(request)
