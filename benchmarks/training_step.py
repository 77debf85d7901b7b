"""What does our training loop cost beside a bare PyTorch loop over the same model and objective, in time and
in memory? Which share of a step is SIGReg? On a GPU: how long is a step, and how much of it is multiplied?

Ours: `jepanet.learning.training.loop.train`, with seeded sampling without replacement, augmentation,
divergence gate, gradient clipping, the trace and a report of every step. Yardstick, in turns with it
(`bare_loop.py`): the same network, objective, batch size and AdamW in the shortest loop one would write by
hand, on examples drawn at random, with the same augmentation and no checks, reports or determinism. Speed =
time of the bare loop / ours, 1 means that the loop is free: CPU time of one thread, on a GPU seconds by the
clock. Memory = the most bytes that a process of its own held (on a GPU: allocated there), ours / bare. It
holds torch with its compiler, which `torch.optim` imports, weights and data before the loop begins; what
comes on top of that stands beside. Medians over repeats.

SIGReg: directions, projections, statistic and guard, forward and backward, on latents of a batch, by itself
in the same process. On a GPU also frames or texts and tokens (padding included) a second, and the share of
the peak (`--peak`, of an H100 in bf16) that is multiplied, counted as torch counts products; beside the
prototype's figures. Sizes for a GPU are "not run: no CUDA device" where there is none.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import torch
from bare_loop import SEED, VIT, bare, drawn_by, made_up_shard, recipe_called
from rich.console import Console
from rich.table import Table

from jepanet.learning.families.image.family import Image
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import SIGREG
from jepanet.learning.family import Batch
from jepanet.learning.objectives import random_directions, sigreg, sketched_moments
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import train

SPEED, MEMORY, SHARE = 0.97, 1.1, 0.05
RESULT = Path(__file__).parent / "results" / "training_step.json"
ON_CPU = ("tworoom-small", VIT, "image-tiny", "vision-language-tiny", "language-tiny", "backbone-tiny")
ON_GPU = ("tworoom", "world-lewm", "world-large", "image-small", "vision-language-small", "backbone-135m")
"""In bf16; what can be is compiled, in both loops."""
GPU = "cuda:0"
NOT_RUN = "not run: no CUDA device"
PEAK = 989.0
"""TFLOP/s of an H100 in bf16, dense."""
PROTOTYPE = {
    "world-lewm": "42.8 ms a step, 12.4 % of the peak",
    "image-small": "89.6 ms a step, 17.0 % of the peak",
    "backbone-135m": "128,190 tokens/s, 10.5 % of the peak, eager",
}
"""What the sizes were chosen by, on an H100."""


# ------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Held:
    """Bytes that a process held before a training, and at most in it."""

    before: int
    most: int


def seconds(work: Callable[[], object], device: str) -> float:
    """CPU time, on a GPU seconds until it has done everything."""
    if device == "cpu":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize(device)
    began = time.monotonic()
    work()
    torch.cuda.synchronize(device)
    return time.monotonic() - began


def both(recipe: Recipe, steps: int, device: str) -> dict[str, Callable[[], object]]:
    shard, weights = made_up_shard(recipe), recipe.family.initial_weights(SEED)
    return {
        "bare": partial(bare, recipe, shard, steps, device),
        "ours": partial(train, weights, shard, recipe, seed=SEED, steps=steps, device=device),
    }


def held(recipe: Recipe, which: str, steps: int, device: str) -> Held:
    """What one of the loops holds, in this process, which has done nothing before."""
    import torch._dynamo  # seventy megabytes, which the first optimiser of torch's own would bring

    loop = both(recipe, steps, device)[which]
    if device != "cpu":
        loop()
        return Held(0, torch.cuda.max_memory_allocated(device))
    Path("/proc/self/clear_refs").write_text("5")  # from here on, the most is counted anew
    before = resident("VmRSS")
    loop()
    return Held(before, resident("VmHWM"))


def resident(field: str) -> int:
    """Bytes of memory of this process, of /proc/self/status."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) * 1024


def in_its_own_process(name: str, which: str, steps: int, device: str) -> Held:
    command = [sys.executable, __file__, "--alone", which, "--recipe", name, "--steps", str(steps)]
    told = subprocess.run([*command, "--on", device], check=True, capture_output=True, text=True).stdout
    return Held(**json.loads(told.splitlines()[-1]))


def recipe_for(name: str, device: str) -> Recipe:
    recipe = recipe_called(name)
    if device == "cpu":
        return recipe
    compiled = not recipe.family.sizes.varying
    return replace(recipe, loop=replace(recipe.loop, precision="bf16", compile=compiled))


def measured(
    name: str, device: str, steps: int, repeats: int, processes: int, peak: float
) -> dict[str, float]:
    recipe = recipe_for(name, device)
    loops = both(recipe, steps, device)
    for loop in loops.values():
        loop()
    taken = [{which: seconds(loop, device) for which, loop in loops.items()} for _ in range(repeats)]
    kept = [
        {which: in_its_own_process(name, which, steps, device) for which in loops} for _ in range(processes)
    ]
    middle = statistics.median
    found = {
        "bare_ms": 1000 * middle(pair["bare"] for pair in taken) / steps,
        "ours_ms": 1000 * middle(pair["ours"] for pair in taken) / steps,
        "speed": middle(pair["bare"] / pair["ours"] for pair in taken),
        "bare_mb": middle(pair["bare"].most for pair in kept) / 1e6,
        "ours_mb": middle(pair["ours"].most for pair in kept) / 1e6,
        "memory": middle(pair["ours"].most / pair["bare"].most for pair in kept),
        "bare_beyond_mb": middle(pair["bare"].most - pair["bare"].before for pair in kept) / 1e6,
        "ours_beyond_mb": middle(pair["ours"].most - pair["ours"].before for pair in kept) / 1e6,
    }
    if (alone := sigreg_ms(recipe, device)) is not None:
        found |= {"sigreg_ms": alone, "sigreg_share": alone / found["ours_ms"]}
    return found if device == "cpu" else found | on_the_gpu(recipe, found["ours_ms"], peak)


def latents_of_a_batch(recipe: Recipe) -> int:
    """Rows that SIGReg sees; 0 where the objective has none."""
    family = recipe.family
    if isinstance(family, World):
        return family.windows * family.window if family.objective.kind == SIGREG else 0
    if isinstance(family, Image):
        return family.images * min(family.objective.tokens, family.model.tokens)
    return 0


def regularised(recipe: Recipe, device: str, times: int = 50) -> None:
    """SIGReg and its guard on latents of a batch, forward and backward."""
    family = recipe.family
    assert isinstance(family, World | Image)
    objective, draws = family.objective, torch.Generator().manual_seed(1)
    latents = torch.randn(latents_of_a_batch(recipe), family.sizes.latent, device=device, requires_grad=True)
    for _ in range(times):
        directions = random_directions(latents.shape[1], objective.directions, draws).to(device)
        projected = latents @ directions
        (sigreg(projected, objective.knots) + objective.guard * sketched_moments(projected)).backward()


def sigreg_ms(recipe: Recipe, device: str) -> float | None:
    """Median of a few calls. None: the objective has no SIGReg."""
    if not latents_of_a_batch(recipe):
        return None
    regularised(recipe, device, 5)
    return (
        1000 * statistics.median(seconds(partial(regularised, recipe, device), device) for _ in range(5)) / 50
    )


def on_the_gpu(recipe: Recipe, step_ms: float, peak: float) -> dict[str, float]:
    """What a step does in its time."""
    from torch.utils.flop_counter import FlopCounterMode

    family, times = recipe.family, recipe.loop.accumulate
    draws = torch.Generator().manual_seed(1)
    batch = Batch(drawn_by(recipe, made_up_shard(recipe), draws)(), torch.empty(0)).to(GPU)
    model = family.network(family.initial_weights(SEED), GPU)
    with FlopCounterMode(display=False) as counter:
        model.loss(batch, draws).loss.backward()
    texts = [batch.tensors[name].numel() for name in ("first", "second") if name in batch.tensors]
    return {
        "samples_per_second": 1000 * times * family.sizes.frames / step_ms,
        "tokens_per_second": 1000 * times * sum(texts) / step_ms,
        "mfu": times * counter.get_total_flops() / (step_ms / 1000) / (peak * 1e12),
    }


def write(steps: int, repeats: int, figures: dict[str, dict[str, float] | str]) -> None:
    """What is known so far."""
    told = {
        "steps": steps,
        "repeats": repeats,
        "targets": {"speed": SPEED, "memory": MEMORY, "sigreg_share": SHARE},
        "prototype": PROTOTYPE,
        "rows": figures,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


@click.command()
@click.option("--steps", default=40)
@click.option("--repeats", default=5)
@click.option("--processes", default=1, help="in which each loop's memory is measured")
@click.option("--recipe", "names", multiple=True, default=ON_CPU)
@click.option("--peak", default=PEAK, help="TFLOP/s of the GPU in bf16")
@click.option("--alone", type=click.Choice(["bare", "ours"]), hidden=True)
@click.option("--on", "device", default="cpu", hidden=True)
def main(
    steps: int,
    repeats: int,
    processes: int,
    names: tuple[str, ...],
    peak: float,
    alone: str | None,
    device: str,
) -> None:
    torch.set_num_threads(1)
    if alone is not None:
        found = held(recipe_for(names[0], device), alone, steps, device)
        click.echo(json.dumps({"before": found.before, "most": found.most}))
        return
    table = Table(
        title=f"A training step ({steps} steps, median of {repeats}; memory of {processes} processes)"
    )
    columns = (
        "recipe", "on", "bare, ms", "ours, ms", f"speed (>= {SPEED})", f"SIGReg (<= {SHARE:.0%})",
        "bare, MB", "ours, MB", f"memory (<= {MEMORY})", "beyond start, MB", "samples/s", "of peak",
    )  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float] | str] = {}
    wanted = [(name, "cpu") for name in names] + [(name, GPU) for name in ON_GPU]
    for name, on in wanted:
        if on != "cpu" and not torch.cuda.is_available():
            figures[f"{name} on {on}"] = NOT_RUN
            write(steps, repeats, figures)
            table.add_row(name, on, NOT_RUN, *[""] * (len(columns) - 3))
            continue
        row = measured(name, on, steps, repeats, processes, peak)
        click.echo(f"{name}: {row['ours_ms']:.1f} ms, speed {row['speed']:.3f}", err=True)
        figures[f"{name} on {on}"] = row
        write(steps, repeats, figures)
        table.add_row(
            name, on, f"{row['bare_ms']:.1f}", f"{row['ours_ms']:.1f}", f"{row['speed']:.3f}",
            f"{row['sigreg_share']:.1%}" if "sigreg_share" in row else "none",
            f"{row['bare_mb']:.0f}", f"{row['ours_mb']:.0f}", f"{row['memory']:.3f}",
            f"{row['bare_beyond_mb']:.0f} and {row['ours_beyond_mb']:.0f}",
            *([f"{row['samples_per_second']:.0f}", f"{row['mfu']:.1%}"] if "mfu" in row else ["", ""]),
        )  # fmt: skip
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
