"""`jepanet train`: one training by hand, in a folder of its own, which is taken up again after a kill.

recipe.json  base.recipe.json  tracking.sqlite  checkpoints/   while it runs
model.safetensors  trace.json  curves.json  curves.png         when it has ended
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_file, to_cid
from jepanet.errors import Exit, Fatal, JepanetError, Rejected
from jepanet.files import write_atomically
from jepanet.learning.computing import most_operations, training_operations
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_loop import FINETUNE, FROM_SCRATCH
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.seeding import seed_in_words
from jepanet.learning.training.modes import in_mode
from jepanet.operations.curves import draw_curves, write_curves
from jepanet.operations.reading.library import Library
from jepanet.operations.tracked_numbers import Collected, Copy, Mirror, OnStep
from jepanet.operations.training_data import ChosenData, bring
from jepanet.operations.views.training import LocalTraining, TrainingPlan
from jepanet.storage.tracking import RUNNING, Tracking
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json
from jepanet.work.arriving import while_they_come
from jepanet.work.requests.local_training import PlanTraining, TrainedBase, TrainLocally
from jepanet.work.requests.machine import DDP, ONE_PROCESS, CheckpointPlace, Processes
from jepanet.work.worker import Worker

log = get_logger("training")


@dataclass(frozen=True, slots=True)
class LocalInputs:
    """What a training by hand begins with. `recipe` is that of the training, `given` that of the base."""

    recipe: Recipe
    given: Recipe
    data: ChosenData
    base: Path | None
    seed: bytes
    device: str
    processes: Processes = ONE_PROCESS
    """They may be others each time the training is taken up."""

    def run(self) -> bytes:
        """What tells this training from every other: 32 bytes over recipe, data, base, seed and device."""
        named = {
            "recipe": self.recipe.digest().hex(),
            "shards": [shard.digest.hex() for shard in self.data.shards],
            "base": None if self.base is None else digest_file(self.base).hex(),
            "seed": self.seed.hex(),
            "device": self.device,
        }
        return hashlib.sha256(canonical_json(named)).digest()

    def parameters(self) -> dict[str, object]:
        """What one would tell trainings apart by, for people."""
        recipe = self.recipe
        return {
            "recipe": recipe.name,
            "digest": to_cid(recipe.digest(), "dag-json"),
            "regime": self.regime,
            "steps": recipe.inner_steps,
            "learning_rate": recipe.optimiser.learning_rate,
            "warmup": recipe.optimiser.warmup,
            "precision": recipe.loop.precision,
            "device": self.device,
            "shards": len(self.data.shards),
        }

    @property
    def regime(self) -> str:
        return self.recipe.guard.regime.kind if self.recipe.guard else ""


def local_inputs(
    recipe: str,
    data: ChosenData,
    base: Path | None,
    mode: str | None,
    *,
    regime: str | None = None,
    rate: float | None = None,
    warmup: int | None = None,
    steps: int | None = None,
    every: int | None = None,
    seed: str = "0",
    device: str = "cpu",
    processes: int = 1,
    parallel: str = DDP,
) -> LocalInputs:
    """Inputs as a person names them. Without a mode: fine-tuning where there is a base, else from scratch.

    Raises:
        Fatal: no such recipe, a value out of bounds, or fine-tuning without a base (`USAGE`).
    """
    given = recipe_named(recipe)
    chosen = mode or (FROM_SCRATCH if base is None else FINETUNE)
    if chosen == FINETUNE and base is None:
        raise Fatal("fine-tuning needs a model to begin with", remedy="name one with --base", code=Exit.USAGE)
    try:
        trained = in_mode(given, chosen, regime=regime, rate=rate, warmup=warmup, steps=steps, every=every)
    except Rejected as error:
        raise Fatal(error.message, remedy=error.remedy, code=Exit.USAGE) from error
    hashed, together = seed_in_words("train", seed), Processes(processes, parallel)
    return LocalInputs(trained, given, data, base, hashed, device, together)


async def plan_local(
    worker: Worker, inputs: LocalInputs, library: Library | None = None, *, round_tflop: float = 0.0
) -> TrainingPlan:
    """What the training would take on this machine, measured on a few steps; writes nothing that stays.
    `round_tflop`: as the operator's configuration has it.

    Raises:
        Rejected: a file does not fit the recipe.
    """
    with tempfile.TemporaryDirectory() as name:
        recipe = Path(name) / "recipe.json"
        recipe.write_bytes(inputs.recipe.to_bytes())
        run = worker.run(PlanTraining(recipe, inputs.data.shards, inputs.device, inputs.processes))
        found = await (run if library is None else while_they_come(run, bring(inputs.data.coming, library)))
    return TrainingPlan(
        recipe=inputs.recipe.name,
        regime=inputs.regime,
        parameters=found.parameters,
        steps=found.steps,
        samples=found.samples,
        epochs=round(found.samples / found.examples, 2),
        memory=found.memory,
        estimate=found.estimate,
        flops=found.flops,
        counted=training_operations(inputs.recipe, found.steps),
        allowed=int(most_operations(inputs.device, round_tflop)),
        seconds_per_step=found.seconds_per_step,
        seconds=round(found.seconds_per_step * found.steps, 1),
    )


async def train_local(
    worker: Worker,
    tracking: Tracking,
    inputs: LocalInputs,
    folder: Path,
    *,
    checkpoint_bytes: int,
    library: Library | None = None,
    mirror: Mirror | None = None,
    on_step: OnStep | None = None,
) -> LocalTraining:
    """Trains into `folder`, whose tracking file is open, from where an earlier call was stopped.

    `library` fetches what of its data is still coming; `mirror` gets a copy of every number.

    Raises:
        Transient: a shard is missing, damaged or did not come; the next call goes on.
        Fatal: the folder holds another training, or one that has ended (exit code `USAGE`).
        Rejected: the training was aborted, which the tracking file notes, or a file does not fit.
    """
    _begin(tracking, inputs, folder)
    recipe, given = folder / "recipe.json", folder / "base.recipe.json"
    write_atomically(recipe, inputs.recipe.to_bytes())
    base = None
    if inputs.base is not None:
        write_atomically(given, inputs.given.to_bytes())
        base = TrainedBase(inputs.base, given)
    model, trace, checkpoints = folder / "model.safetensors", folder / "trace.json", folder / "checkpoints"
    place = CheckpointPlace(checkpoints, checkpoint_bytes) if checkpoint_bytes else None
    shards = inputs.data.shards
    job = TrainLocally(
        recipe, shards, base, inputs.seed, model, trace, place, inputs.device, inputs.processes
    )
    collected = Collected(tracking, Copy(mirror), on_step)
    collected.copy.add_all(tracking.curves())  # of a call that was killed before it had copied the last
    try:
        run = worker.run(job, on_progress=collected.take)
        made = await (run if library is None else while_they_come(run, bring(inputs.data.coming, library)))
    except Rejected as error:
        collected.write()
        tracking.end(f"aborted({error.reason})")
        collected.copy.end(f"aborted({error.reason})", None)
        shutil.rmtree(checkpoints, ignore_errors=True)
        raise
    finally:
        collected.write()
    tracking.end(made.status)
    collected.copy.end(made.status, to_cid(made.digest))
    files = [model, recipe, trace, *_curves(tracking, folder), folder / "tracking.sqlite"]
    shutil.rmtree(checkpoints, ignore_errors=True)
    return LocalTraining(
        made.status, inputs.regime, made.steps, to_cid(made.digest), tuple(files), made.metrics
    )


def _begin(tracking: Tracking, inputs: LocalInputs, folder: Path) -> None:
    about = canonical_json(
        {
            "recipe": inputs.recipe.name,
            "regime": inputs.regime,
            "shards": [to_cid(shard.digest) for shard in inputs.data.shards],
        }
    )
    try:
        status = tracking.begin(inputs.run(), about.decode())
    except ValueError:
        raise Fatal(
            f"{folder} holds a training of other data, recipe, base, seed or device",
            remedy="name another --out",
            code=Exit.USAGE,
        ) from None
    if status not in (None, RUNNING):
        raise Fatal(
            f"the training in {folder} has ended: {status}", remedy="name another --out", code=Exit.USAGE
        )


def _curves(tracking: Tracking, folder: Path) -> Sequence[Path]:
    """Curves as JSON and, if it can be drawn, as a picture: a training of hours does not depend on it."""
    numbers, picture = folder / "curves.json", folder / "curves.png"
    curves = tracking.curves()
    write_curves(curves, numbers)
    try:
        draw_curves(curves, picture)
    except JepanetError:
        raise
    except Exception as error:
        log.warning("picture.lost", path=str(picture), why=repr(error))
        return [numbers]
    return [numbers, picture]
