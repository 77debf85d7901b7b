"""The training that a job asks for: in this process, or by several that each do a part (`ranks.py`).

    job ──▶ trained ──┬─ one process ──▶ the loop
                      └─ several: files ──▶ ranks, the loop in each ──▶ progress, weights, trace ──▶ files

What is done to the weights afterwards is the job's, in one process.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from jepanet.learning.model_file import ModelHeader, load_model, model_bytes
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import Status, TrainResult
from jepanet.learning.training.processes.together import check_devices
from jepanet.learning.training.resuming.trace import TRACE
from jepanet.tensors import Arrays
from jepanet.work.lines import call_line, read_reply
from jepanet.work.processes.part import Run, TrainedPart, TrainPart, most_memory, run_loop
from jepanet.work.processes.ranks import run_ranks
from jepanet.work.requests.files import UNSIZED
from jepanet.work.requests.machine import Processes
from jepanet.work.requests.request import OnProgress, Progress
from jepanet.work.room import check_trainable


@dataclass(frozen=True, slots=True)
class Training:
    """One training, as jobs ask for it."""

    recipe: Recipe
    weights: Arrays
    run: Run


def trained(
    training: Training, processes: Processes, folder: Path, on_progress: OnProgress
) -> tuple[TrainResult, int]:
    """What the loop makes of a training, and the most bytes that were held meanwhile.

    Of several processes `folder`, which is made and removed, holds what they share: the seed is in it.

    Raises:
        Rejected: as the loop, or of a process with a defect `worker-error`; `too-little-memory`, before
            anything is allocated.
        Transient: one of the processes died, or a shard is missing or damaged.
        Fatal: they cannot all compute on the device (`CONFIG`).
    """
    files = [shard.bytes for shard in training.run.shards if shard.bytes < UNSIZED]
    check_trainable(training.recipe, training.run.device, processes.count, files)
    if processes.count > 1:
        return _spread(training, processes, folder, on_progress)
    result = run_loop(training.recipe, training.weights, training.run, on_progress)
    return result, most_memory(training.run.device)


def _spread(
    training: Training, processes: Processes, folder: Path, on_progress: OnProgress
) -> tuple[TrainResult, int]:
    check_devices(training.run.device, processes.count)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        request = TrainPart(
            recipe=folder / "recipe.json",
            weights=folder / "weights.safetensors",
            run=training.run,
            way=processes.way,
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
