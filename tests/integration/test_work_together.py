"""A solver's delta from several processes: sealed, taken up after a kill, also by another number of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from test_learning_killed import STEPS, TURNED, Training

from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.resuming.trace import TRACE, Trace
from jepanet.tensors import Arrays
from jepanet.work.jobs import run
from jepanet.work.requests.machine import DDP, FSDP2, ONE_PROCESS, Processes
from jepanet.work.requests.request import Progress
from jepanet.work.requests.training import TrainDelta
from jepanet.work.round_files import open_round

pytestmark = pytest.mark.integration

RECIPE = replace(TURNED, guard=Guard(every=4), loop=Loop(trace=4, accumulate=2))
DIES = 21


class Killed(Exception):
    """Stands for the end of the worker: its processes end with it."""


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    made = Training(tmp_path_factory.mktemp("round"), RECIPE)
    made.write()
    return made


@pytest.fixture(scope="module")
def whole(training: Training) -> TrainDelta:
    """One that two processes did to its end."""
    request = asked(training, "whole", Processes(2, DDP))
    steps: list[int] = []
    made = run(request, lambda progress: steps.append(progress.step))
    assert steps == list(range(1, STEPS + 1)) and made.steps == STEPS
    assert set(made.metrics) >= {"loss_first", "loss_last", "validation_first", "validation_last"}
    return request


def asked(training: Training, name: str, processes: Processes) -> TrainDelta:
    return replace(training.request(name), processes=processes)


def delta(request: TrainDelta) -> Arrays:
    return open_round(request.round).delta(request.target.read_bytes())


def trace(request: TrainDelta) -> Trace:
    assert request.trace_target is not None
    return TRACE.decode(request.trace_target.read_bytes())


def far(one: Arrays, other: Arrays) -> float:
    off = sum(float(np.square(one[name] - other[name]).sum()) for name in one)
    return float(np.sqrt(off / sum(float(np.square(array).sum()) for array in one.values())))


def killed(training: Training, name: str, processes: Processes) -> TrainDelta:
    request = asked(training, name, processes)

    def on_progress(progress: Progress) -> None:
        if progress.step == DIES:
            raise Killed

    with pytest.raises(Killed):
        run(request, on_progress)
    return request


def begins(request: TrainDelta) -> int:
    steps: list[int] = []
    run(request, lambda progress: steps.append(progress.step))
    return steps[0]


def test_the_delta_of_two_processes_is_that_of_one(training: Training, whole: TrainDelta) -> None:
    alone = asked(training, "alone", ONE_PROCESS)
    run(alone)
    off = far(delta(alone), delta(whole))
    print(f"\ndeltas differ by {off:.3g}, sealed with {RECIPE.name}")
    assert off < 0.02
    one, other = trace(alone), trace(whole)
    assert [point.step for point in one.points] == [point.step for point in other.points]
    for mine, theirs in zip(one.points, other.points, strict=True):
        assert (mine.data, mine.batch, mine.streams) == (theirs.data, theirs.batch, theirs.streams)


@pytest.mark.slow
def test_two_that_are_killed_go_on_and_seal_the_same_bytes(training: Training, whole: TrainDelta) -> None:
    request = killed(training, "again", Processes(2, DDP))
    left = training.folder / "again"
    assert list((left / "checkpoints").glob("*.safetensors"))
    assert not list(left.glob("*.processes")), "the seed lies nowhere any more"
    assert begins(request) > 4
    assert request.target.read_bytes() == whole.target.read_bytes() and trace(request) == trace(whole)


@pytest.mark.slow
def test_one_takes_up_what_two_left_that_had_a_part_of_the_model_each(
    training: Training, whole: TrainDelta
) -> None:
    request = replace(killed(training, "fewer", Processes(2, FSDP2)), processes=ONE_PROCESS)
    assert begins(request) > 4
    assert far(delta(whole), delta(request)) < 0.02


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    import psutil

    left = [
        item
        for item in psutil.Process(os.getpid()).children()
        if "jepanet.work.processes.rank" in item.cmdline()
    ]
    assert not left
