"""What does it cost to train on shards that are not in memory, beside tensors that are?

A training as a solver does it, on `--shards` shards of which `--mix` are in memory and the next is read
meanwhile: hashed, decoded, checked. Yardstick, in turns with it: the same training on the episodes of all
shards as tensors in memory. Ratio = its time / ours, by the clock, in CPU time of all threads: where that
is met, it is met without a free core. Beside it: the share of the time in which the loop waited for a
shard, and how long one takes to be read. The first shards, beside which nothing can be done, count. Medians
over repeats; the files are in the page cache.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import click
import torch
from rich.console import Console
from rich.table import Table
from training_step import SEED, made_up_shard

from jepanet.learning.data.shards import joined, save_shard
from jepanet.learning.data.streaming.ahead import Ahead
from jepanet.learning.data.streaming.shard_file import ShardFile, read_shard
from jepanet.learning.presets import preset
from jepanet.learning.training.beginning import begin
from jepanet.learning.training.guarding.divergence import DivergenceGate
from jepanet.learning.training.loop import train
from jepanet.learning.training.resuming.checkpoints import Checkpoints
from jepanet.learning.training.resuming.state import TrainingState
from jepanet.learning.training.resuming.trace import digest_of_batches, trace_point
from jepanet.learning.training.resuming.training_file import run_of
from jepanet.learning.training.supply import InMemory, Streamed

TARGET = 0.95
RESULT = Path(__file__).parent / "results" / "training_data.json"


def took(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of CPU time in all threads."""
    began, computed = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - computed


def measured(
    name: str, count: int, episodes: int, mix: int, steps: int, repeats: int, folder: Path
) -> dict[str, float]:
    recipe, files, shards = preset(name), [], []
    recipe = replace(recipe, loop=replace(recipe.loop, mix=mix))
    for number in range(count):
        path = folder / f"{name}-{number}"
        shard = made_up_shard(recipe, episodes)
        shard = replace(shard, site=(number,) * shard.episodes)
        digest = save_shard(path, shard)
        shards.append(shard)
        files.append(ShardFile(path, digest, path.stat().st_size))
    weights, supply = recipe.family.initial_weights(SEED), Streamed(files, mix)
    tensors = InMemory(joined(shards))
    waited = [0.0]

    def streamed() -> None:
        taken = Ahead.take

        def timed(ahead: Ahead[object], number: int) -> object:
            began = time.monotonic()
            found = taken(ahead, number)
            waited[-1] += time.monotonic() - began
            return found

        waited.append(0.0)
        with patch.object(Ahead, "take", timed):
            train(weights, supply, recipe, seed=SEED, steps=steps)

    def in_memory() -> None:
        train(weights, tensors, recipe, seed=SEED, steps=steps)

    stream = supply.batches(recipe.family, SEED, guarded=False)
    for _ in range(steps):
        next(stream)
    visits = int(stream.position()["visits"].max()) + 1
    streamed(), in_memory()
    pairs = [(took(in_memory), took(streamed)) for _ in range(repeats)]
    given = {"seed": SEED, "frozen": (), "device": "cpu"}

    def fresh() -> TrainingState:
        return begin(recipe, weights, supply, DivergenceGate(recipe.explode), base=weights, **given)

    place, state = Checkpoints(folder / f"{name}-checkpoints", 1 << 30, pause=0.0), fresh()
    for _ in range(steps):
        batch = next(state.batches)
    state.step, state.samples = 1, len(batch.examples)
    state.trace = [trace_point(1, state.parts(), digest_of_batches([batch]))]
    run = run_of(recipe, weights, supply.identity(), steps=(steps, 0, steps), **given)
    place.offer(state, run, state.parts())

    def resume() -> None:
        assert place.resume(fresh, run, steps).step == 1

    resuming = statistics.median(took(resume)[0] for _ in range(repeats))
    supply.close()
    never = threading.Event()
    reading = statistics.median(took(lambda: read_shard(files[0], never))[0] for _ in range(repeats))
    return {
        "shard_mb": files[0].bytes / 1e6,
        "visits": visits,
        "step_ms": 1000 * statistics.median(first[0] for first, _ in pairs) / steps,
        "ratio": statistics.median(first[0] / second[0] for first, second in pairs),
        "cpu_ratio": statistics.median(first[1] / second[1] for first, second in pairs),
        "waited": statistics.median(
            wait / second[0] for wait, (_, second) in zip(waited[2:], pairs, strict=True)
        ),
        "reading_ms": 1000 * reading,
        "resume_s": resuming,
        "target": TARGET,
    }


@click.command()
@click.option("--shards", default=6)
@click.option("--episodes", default=12)
@click.option("--mix", default=2)
@click.option("--steps", default=120)
@click.option("--repeats", default=5)
@click.option("--recipe", "names", multiple=True, default=["tworoom-small"])
def main(shards: int, episodes: int, mix: int, steps: int, repeats: int, names: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    table = Table(title=f"{steps} steps, {shards} shards, {mix} at a time (median of {repeats})")
    for column in (
        "recipe",
        "shard, MB",
        "read, ms",
        "visits",
        "step, ms",
        "waited",
        "ratio",
        "CPU ratio",
        "target",
        "resume, s",
    ):
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=RESULT.parent.parent) as folder:
        for name in names:
            found = measured(name, shards, episodes, mix, steps, repeats, Path(folder))
            figures[name] = found
            table.add_row(
                name, f"{found['shard_mb']:.1f}", f"{found['reading_ms']:.1f}", f"{found['visits']:.0f}",
                f"{found['step_ms']:.1f}", f"{found['waited']:.2%}", f"{found['ratio']:.3f}",
                f"{found['cpu_ratio']:.3f}", f"{TARGET}", f"{found['resume_s']:.2f}",
            )  # fmt: skip
    Console(width=120).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    told = {
        "steps": steps,
        "repeats": repeats,
        "shards": shards,
        "episodes": episodes,
        "mix": mix,
        "recipes": figures,
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
