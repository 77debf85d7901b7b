"""What each of several processes does of one training: all read one request, and the first one answers.

What a job in one process does with the loop is done here as well, by the same functions.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from jepanet.files import write_atomically
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.data.streaming.shard_file import ShardFile
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.loop import TrainResult, train
from jepanet.learning.training.processes.together import Together
from jepanet.learning.training.processes.together import joined as joined_processes
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import Evaluation, StepReport
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.learning.training.supply import Supply, supply_of
from jepanet.tensors import Arrays
from jepanet.work.lines import progress_line, read_call, result_line
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.machine import CheckpointPlace
from jepanet.work.requests.request import Number, OnProgress, Progress, Request


@dataclass(frozen=True, slots=True)
class Run:
    """How far the loop goes, over what, and where: what one training is beside its recipe and weights."""

    shards: tuple[TrainingShard, ...]
    seed: bytes
    steps: int
    start_step: int
    total_steps: int
    device: str
    checkpoints: CheckpointPlace | None
    from_scratch: bool = False
    """The weights are random."""
    segments: Segments | None = None
    """What is left for audits."""


@dataclass(frozen=True, slots=True)
class TrainedPart:
    """What one of several processes says of a training."""

    steps: int
    status: str
    metrics: dict[str, Number]
    memory: int
    """Most bytes that each process held, added up."""


@dataclass(frozen=True, slots=True)
class TrainPart(Request[TrainedPart]):
    """A training as several processes read it: all of them this same file."""

    job: ClassVar[str] = "train_part"

    recipe: Path
    weights: Path
    """A model file of the recipe."""
    run: Run
    way: str


def train_part(folder: Path, rank: int, count: int) -> None:
    """What each of several processes does of a training; the first one tells and writes."""
    request = read_call((folder / "call").read_text(), (TrainPart,))
    assert isinstance(request, TrainPart), "the only request there is"
    recipe = read_recipe(request.recipe.read_bytes())
    run = request.run
    with joined_processes(folder / "meeting", rank, count, request.way, run.device) as together:
        weights = load_model(request.weights.read_bytes(), recipe).weights
        with (folder / "told").open("wb", buffering=0) as pipe:

            def tell(progress: Progress) -> None:
                pipe.write(progress_line(0, progress))

            result = run_loop(recipe, weights, run, tell, together)
        mine = torch.tensor([most_memory(together.device(run.device))])
        memory = sum(int(item) for item in together.gather(mine))
        if together.speaks:
            write_atomically(
                folder / "trained.safetensors", model_bytes(result.weights, ModelHeader.of(recipe, 0))
            )
            write_atomically(folder / "trace.json", TRACE.encode(result.trace))
            metrics = {name: float(value) for name, value in result.metrics.items()}
            part = TrainedPart(result.steps, result.status.value, metrics, memory)
            write_atomically(folder / "result", result_line(0, request, part))


def run_loop(
    recipe: Recipe, weights: Arrays, run: Run, tell: OnProgress, together: Together | None = None
) -> TrainResult:
    """What the loop makes of a training in this process, or in this one of several; `tell` hears every
    measured number of a step. Raises: as the loop."""

    def on_step(report: StepReport) -> None:
        measures = {
            "loss": report.loss,
            "gradient_norm": report.gradient_norm,
            "learning_rate": report.learning_rate,
            **report.parts,
        }
        tell(Progress(report.step, report.steps, report.loss, measures))

    def on_evaluation(evaluation: Evaluation) -> None:
        tell(Progress(evaluation.step, run.steps, None, {"validation": evaluation.loss}))

    place = run.checkpoints
    return train(
        weights,
        data_of(run.shards, recipe),
        recipe,
        seed=run.seed,
        steps=run.steps,
        start_step=run.start_step,
        total_steps=run.total_steps,
        on_step=on_step,
        on_evaluation=on_evaluation,
        device=run.device,
        checkpoints=None if place is None else Checkpoints(place.folder, place.budget, pause=place.pause),
        together=together,
        from_scratch=run.from_scratch,
        segments=run.segments,
    )


def data_of(shards: Sequence[TrainingShard], recipe: Recipe) -> Supply:
    """What the recipe makes of these shards. Raises: as `supply_of`."""
    return supply_of([ShardFile(item.path, item.digest, item.bytes, item.awaited) for item in shards], recipe)


def most_memory(device: str) -> int:
    """Most bytes that this process has held, on a GPU where it computes on one."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
