"""The training that a job asks for: in this process, or by several that each do a part (`ranks.py`).

    job ──▶ trained ──┬─ one process ──▶ the loop
                      └─ several: files ──▶ ranks, the loop in each ──▶ progress, weights, trace ──▶ files

What is done to the weights afterwards is the job's, in one process.
"""

from __future__ import annotations

import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from jepanet.files import write_atomically
from jepanet.learning.data.shards import Shard, joined, load_shard
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.checkpoint import ModelHeader, load_model, model_bytes
from jepanet.learning.training.checkpoints import Checkpoints
from jepanet.learning.training.loop import Status, TrainResult, train
from jepanet.learning.training.state import Evaluation, StepReport
from jepanet.learning.training.together import check_devices
from jepanet.learning.training.together import joined as joined_processes
from jepanet.learning.training.trace import TRACE
from jepanet.tensors import Arrays
from jepanet.work.lines import call_line, progress_line, read_call, read_reply, result_line
from jepanet.work.ranks import run_ranks
from jepanet.work.requests import CheckpointPlace, Number, OnProgress, Processes, Progress, Request


@dataclass(frozen=True, slots=True)
class Training:
    """One training, as jobs ask for it."""

    recipe: Recipe
    weights: Arrays
    shards: tuple[Path, ...]
    seed: bytes
    steps: int
    start_step: int
    total_steps: int
    device: str
    checkpoints: CheckpointPlace | None


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
    shards: tuple[Path, ...]
    seed: bytes
    steps: int
    start_step: int
    total_steps: int
    device: str
    way: str
    checkpoints: CheckpointPlace | None


def trained(
    training: Training, processes: Processes, folder: Path, on_progress: OnProgress
) -> tuple[TrainResult, int]:
    """What the loop makes of a training, and the most bytes that were held meanwhile.

    Of several processes `folder`, which is made and removed, holds what they share: the seed is in it.

    Raises:
        Rejected: as the loop, or of a process with a defect `worker-error`.
        Transient: one of the processes died.
        Fatal: they cannot all compute on the device (`CONFIG`).
    """
    if processes.count > 1:
        return _spread(training, processes, folder, on_progress)
    on_step, on_evaluation = _telling(on_progress, training.steps)
    result = train(
        training.weights,
        data_of(training.shards),
        training.recipe,
        seed=training.seed,
        steps=training.steps,
        start_step=training.start_step,
        total_steps=training.total_steps,
        on_step=on_step,
        on_evaluation=on_evaluation,
        device=training.device,
        checkpoints=_checkpoints(training.checkpoints),
    )
    return result, most_memory(training.device)


def data_of(shards: tuple[Path, ...]) -> Shard:
    """The episodes of all shards. Raises: Rejected as `load_shard` and `joined`."""
    loaded = [load_shard(path) for path in shards]
    return loaded[0] if len(loaded) == 1 else joined(loaded)


def most_memory(device: str) -> int:
    """Most bytes that this process has held, on a GPU where it computes on one."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _spread(
    training: Training, processes: Processes, folder: Path, on_progress: OnProgress
) -> tuple[TrainResult, int]:
    check_devices(training.device, processes.count)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        request = TrainPart(
            recipe=folder / "recipe.json",
            weights=folder / "weights.safetensors",
            shards=training.shards,
            seed=training.seed,
            steps=training.steps,
            start_step=training.start_step,
            total_steps=training.total_steps,
            device=training.device,
            way=processes.way,
            checkpoints=training.checkpoints,
        )
        request.recipe.write_bytes(training.recipe.to_bytes())
        request.weights.write_bytes(model_bytes(training.weights, ModelHeader.of(training.recipe, 0)))
        (folder / "call").write_bytes(call_line(0, request))

        def told(line: bytes) -> None:
            match read_reply(line, 0, request):
                case Progress() as progress:
                    on_progress(progress)

        run_ranks(folder, processes.count, told)
        part = read_reply((folder / "result").read_bytes(), 0, request)
        assert isinstance(part, TrainedPart), "processes that end well leave what they made"
        weights = load_model((folder / "trained.safetensors").read_bytes(), training.recipe).weights
        trace = TRACE.decode((folder / "trace.json").read_bytes())
        return TrainResult(weights, part.metrics, part.steps, trace, Status(part.status)), part.memory
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def train_part(folder: Path, rank: int, count: int) -> None:
    """What each of several processes does of a training; the first one tells and writes."""
    request = read_call((folder / "call").read_text(), (TrainPart,))
    assert isinstance(request, TrainPart), "the only request there is"
    recipe = read_recipe(request.recipe.read_bytes())
    with joined_processes(folder / "meeting", rank, count, request.way, request.device) as together:
        with (folder / "told").open("wb", buffering=0) as pipe:
            on_step, on_evaluation = _telling(
                lambda progress: pipe.write(progress_line(0, progress)), request.steps
            )
            result = train(
                load_model(request.weights.read_bytes(), recipe).weights,
                data_of(request.shards),
                recipe,
                seed=request.seed,
                steps=request.steps,
                start_step=request.start_step,
                total_steps=request.total_steps,
                on_step=on_step,
                on_evaluation=on_evaluation,
                device=request.device,
                checkpoints=_checkpoints(request.checkpoints),
                together=together,
            )
        mine = torch.tensor([most_memory(together.device(request.device))])
        memory = sum(int(item) for item in together.gather(mine))
        if together.speaks:
            write_atomically(
                folder / "trained.safetensors", model_bytes(result.weights, ModelHeader.of(recipe, 0))
            )
            write_atomically(folder / "trace.json", TRACE.encode(result.trace))
            metrics = {name: float(value) for name, value in result.metrics.items()}
            part = TrainedPart(result.steps, result.status.value, metrics, memory)
            write_atomically(folder / "result", result_line(0, request, part))


def _telling(
    tell: Callable[[Progress], object], steps: int
) -> tuple[Callable[[StepReport], None], Callable[[Evaluation], None]]:
    """Callbacks of the loop that tell every measured number of a step."""

    def on_step(report: StepReport) -> None:
        measures = {
            "loss": report.loss,
            "gradient_norm": report.gradient_norm,
            "learning_rate": report.learning_rate,
            **report.parts,
        }
        tell(Progress(report.step, report.steps, report.loss, measures))

    def on_evaluation(evaluation: Evaluation) -> None:
        tell(Progress(evaluation.step, steps, None, {"validation": evaluation.loss}))

    return on_step, on_evaluation


def _checkpoints(place: CheckpointPlace | None) -> Checkpoints | None:
    return None if place is None else Checkpoints(place.folder, place.budget, pause=place.pause)
