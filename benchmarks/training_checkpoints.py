"""What do the trace and the checkpoints of a training cost, and how soon is a killed one going again?

A training of `--steps` steps as a solver does it, with its usual trace and with checkpoints at the pause that
nodes keep, in turns with the same training without either. Overhead = its CPU time / the other's - 1. A point
of the trace and a checkpoint are also timed by themselves, by the clock, as a checkpoint waits for the disk,
beside SHA-256 over as many bytes in one piece; and so is taking a training up again: reading, checking and
restoring the newest checkpoint. What a checkpoint waits is bounded otherwise: fifty times as long passes
until the next. Medians over repeats.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import click
import torch
from rich.console import Console
from rich.table import Table
from training_step import SEED, made_up_shard

from jepanet.learning.presets import preset
from jepanet.learning.training import loop
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.loop import train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.learning.training.resuming.trace import cadence, digest_of_batches, trace_point
from jepanet.learning.training.resuming.training_file import run_of
from jepanet.learning.training.supply import InMemory

TARGET, SOON = 0.03, 2.0
RESULT = Path(__file__).parent / "results" / "training_checkpoints.json"
BUDGET = 2 << 30


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(name: str, steps: int, repeats: int, folder: Path) -> dict[str, float]:
    recipe = preset(name)
    shard, weights = made_up_shard(recipe), recipe.family.initial_weights(SEED)
    count, data = [0], InMemory(shard)

    def plain() -> None:
        # No point is due: the last step's alone is left, as a training always has it.
        with patch.object(loop, "cadence", lambda _: steps + 1):
            train(weights, shard, recipe, seed=SEED, steps=steps)

    def kept() -> None:
        count[0] += 1
        place = Checkpoints(folder / f"{name}-{count[0]}", BUDGET)
        train(weights, shard, recipe, seed=SEED, steps=steps, checkpoints=place)

    plain(), kept()
    pairs = [(cpu_seconds(plain), cpu_seconds(kept)) for _ in range(repeats)]

    def fresh() -> TrainingState:
        return begin(
            recipe,
            weights,
            data,
            DivergenceGate(recipe.explode),
            seed=SEED,
            frozen=(),
            device="cpu",
            base=weights,
        )

    state = fresh()
    batch = next(state.batches)
    state.step, state.samples = 1, len(batch.examples)
    size = sum(item.nbytes for part in state.parts().values() for item in part.values())
    in_one = bytes(size)
    hashing = statistics.median(seconds(lambda: hashlib.sha256(in_one).digest()) for _ in range(repeats))

    def point() -> None:
        state.trace = [trace_point(1, state.parts(), digest_of_batches([batch]))]

    pointing = statistics.median(seconds(point) for _ in range(repeats))
    run = run_of(
        recipe, weights, data.identity(), seed=SEED, steps=(steps, 0, steps), frozen=(), device="cpu"
    )  # fmt: skip
    place = Checkpoints(folder / f"{name}-alone", BUDGET, pause=0.0)
    writing = statistics.median(
        seconds(lambda: place.offer(state, run, state.parts())) for _ in range(repeats)
    )

    def resume() -> None:
        assert place.resume(fresh, run, steps).step == 1

    return {
        "cadence": cadence(recipe),
        "step_ms": 1000 * statistics.median(first for first, _ in pairs) / steps,
        "overhead": statistics.median(second / first for first, second in pairs) - 1,
        "state_mb": size / 1e6,
        "sha256_ms": 1000 * hashing,
        "point_ms": 1000 * pointing,
        "checkpoint_ms": 1000 * writing,
        "resume_s": statistics.median(seconds(resume) for _ in range(repeats)),
    }


@click.command()
@click.option("--steps", default=160)
@click.option("--repeats", default=5)
@click.option("--recipe", "names", multiple=True, default=["tworoom-small", "tworoom"])
def main(steps: int, repeats: int, names: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    table = Table(title=f"Trace and checkpoints over {steps} steps (median of {repeats})")
    columns = (
        "recipe", "step, ms", "state, MB", "cadence", "point, ms", "SHA-256, ms", "checkpoint, ms",
        "overhead", "target", "resume, s",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=RESULT.parent.parent) as folder:
        for name in names:
            found = measured(name, steps, repeats, Path(folder))
            figures[name] = found
            table.add_row(
                name, f"{found['step_ms']:.1f}", f"{found['state_mb']:.1f}", f"{found['cadence']:.0f}",
                f"{found['point_ms']:.1f}", f"{found['sha256_ms']:.1f}", f"{found['checkpoint_ms']:.1f}",
                f"{found['overhead']:+.1%}", f"{TARGET:.0%}", f"{found['resume_s']:.2f}",
            )  # fmt: skip
    Console(width=130).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"steps": steps, "repeats": repeats, "recipes": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
