"""What does our training loop cost beside a bare PyTorch loop over the same model and objective, in time and
in memory?

Ours: `jepanet.learning.training.loop.train`, with seeded sampling without replacement, augmentation,
divergence gate, gradient clipping, the trace and a report of every step. Yardstick, in turns with it: the
same network, objective, batch size and AdamW in the shortest loop one would write by hand, on examples drawn
at random, with the same augmentation and no checks, reports or determinism. Speed = time of the bare loop /
ours, 1 means that the loop is free: CPU time of one thread, on a GPU seconds by the clock. Memory = the most
bytes that a process of its own held (on a GPU: allocated there), ours / bare. It holds torch with its
compiler, which `torch.optim` imports, weights and data before the loop begins; what comes on top of that
stands beside. Medians over repeats.

Sizes for a GPU are "not run" where there is none.
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
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.texts import tokens_of
from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.families.image.family import Image
from jepanet.learning.families.image.masks import draw_masks
from jepanet.learning.families.language.family import Language
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.family import World
from jepanet.learning.family import Batch
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.text_pairs.batches import twins
from jepanet.learning.training.loop import train
from jepanet.learning.training.step.precision import lowered

SPEED, MEMORY = 0.97, 1.1
RESULT = Path(__file__).parent / "results" / "training_step.json"
SEED = bytes(range(32))
ON_CPU = ("tworoom-small", "image-tiny", "language-tiny")
ON_GPU = ("tworoom", "image-small")
"""In bf16; what can be is compiled, in both loops."""
GPU = "cuda:0"
Draw = Callable[[], dict[str, Tensor]]


def made_up_shard(recipe: Recipe, episodes: int = 32, frames: int = 32) -> Shard:
    """Random numbers: speed does not depend on what is learnt. Ten images or pairs for every episode."""
    generator = np.random.Generator(np.random.PCG64(1))
    family, many = recipe.family, 10 * episodes
    if isinstance(family, World):
        size = family.model.image
        return recorded(
            generator.integers(0, 256, (episodes, frames, 3, size, size), dtype=np.uint8),
            generator.uniform(-1, 1, (episodes, frames - 1, family.model.actions)).astype(np.float32),
            np.zeros((episodes, frames, 2), np.float32),
            (0,) * episodes,
        )
    if isinstance(family, Image):
        size = family.model.image
        pictures = generator.integers(0, 256, (many, 3, size, size), dtype=np.uint8)
        return Shard(IMAGES, {"images": pictures, "labels": np.zeros((many, 1), np.int32)}, (0,) * many)
    assert isinstance(family, Language), "another family has data and a bare loop of its own"
    texts = {"first": family.model.context, "second": family.model.context // 3}
    arrays = {}
    for name, longest in texts.items():
        tokens = generator.integers(1, family.model.vocabulary, (many, longest)).astype(np.uint16)
        lengths = generator.integers(longest // 3, longest + 1, many)
        arrays[name] = np.where(np.arange(longest) < lengths[:, None], tokens, 0).astype(np.uint16)
    return Shard(PAIRS, arrays, (0,) * many)


# ------------------------------------------------------------------ the yardstick


def bare(recipe: Recipe, shard: Shard, steps: int, device: str = "cpu") -> None:
    """The yardstick."""
    weights, rules = recipe.family.initial_weights(SEED), recipe.optimiser
    model = recipe.family.network(weights, device, weights)
    assert isinstance(model, nn.Module)
    if recipe.loop.compile:
        for part in model.children():
            part.compile(dynamic=False)
    trained = [item for name, item in model.named_parameters() if not name.startswith(recipe.family.frozen)]
    optimiser = torch.optim.AdamW(
        trained, lr=1e-4, betas=(rules.beta1, rules.beta2), weight_decay=1e-4, fused=True
    )
    draws = torch.Generator().manual_seed(1)
    draw = drawn_by(recipe, shard, draws)
    for _ in range(steps):
        batch = Batch(draw(), torch.empty(0)).to(device)
        with lowered(recipe.loop.precision, device):
            loss = model.loss(batch, draws).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, rules.clip)
        optimiser.step()


def drawn_by(recipe: Recipe, shard: Shard, draws: torch.Generator) -> Draw:
    """Draws batches at random, with what the family does to them."""
    family = recipe.family
    if isinstance(family, World):
        return partial(
            windows, family, torch.from_numpy(shard.frames), torch.from_numpy(shard.actions), draws
        )
    if isinstance(family, Image):
        return partial(pictures, family, torch.from_numpy(shard.array("images")), draws)
    assert isinstance(family, Language)
    return partial(pairs, family, [shard.array(name).astype(np.int64) for name in ("first", "second")], draws)


def windows(family: World, frames: Tensor, actions: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
    episode = torch.randint(len(frames), (family.windows, 1), generator=draws)
    first = torch.randint(frames.shape[1] - family.window + 1, (family.windows, 1), generator=draws)
    moment = first + torch.arange(family.window)
    seen, acted = frames[episode, moment], actions[episode, moment[:, :-1]]
    if family.symmetry:
        seen, acted = turn(seen, acted, int(torch.randint(8, (), generator=draws)))
    batch = {"frames": seen, "actions": acted}
    return batch | ({"colour": draw_colour(draws, hues=family.hues)} if family.colour else {})


def pictures(family: Image, images: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
    seen = images[torch.randint(len(images), (family.images,), generator=draws)]
    if family.mirror:
        mirrored = torch.rand(family.images, generator=draws) < 0.5
        seen = torch.where(mirrored.view(-1, 1, 1, 1), seen.flip(-1), seen)
    masks = draw_masks(family.masks, family.model.side, family.images, draws)
    return {"images": seen, "context": masks.context, "targets": masks.targets}


def pairs(family: Language, texts: list[np.ndarray], draws: torch.Generator) -> dict[str, Tensor]:
    rows = torch.randint(len(texts[0]), (family.pairs,), generator=draws).numpy()
    first, second = (torch.from_numpy(some[rows, : tokens_of(some[rows]).max()]) for some in texts)
    return {"first": first, "second": second, "twins": twins(first, second)}


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
    recipe = preset(name)
    if device == "cpu":
        return recipe
    compiled = not recipe.family.sizes.varying
    return replace(recipe, loop=replace(recipe.loop, precision="bf16", compile=compiled))


def measured(name: str, device: str, steps: int, repeats: int, processes: int) -> dict[str, float]:
    loops = both(recipe_for(name, device), steps, device)
    for loop in loops.values():
        loop()
    taken = [{which: seconds(loop, device) for which, loop in loops.items()} for _ in range(repeats)]
    kept = [
        {which: in_its_own_process(name, which, steps, device) for which in loops} for _ in range(processes)
    ]
    middle = statistics.median
    return {
        "bare_ms": 1000 * middle(pair["bare"] for pair in taken) / steps,
        "ours_ms": 1000 * middle(pair["ours"] for pair in taken) / steps,
        "speed": middle(pair["bare"] / pair["ours"] for pair in taken),
        "bare_mb": middle(pair["bare"].most for pair in kept) / 1e6,
        "ours_mb": middle(pair["ours"].most for pair in kept) / 1e6,
        "memory": middle(pair["ours"].most / pair["bare"].most for pair in kept),
        "bare_beyond_mb": middle(pair["bare"].most - pair["bare"].before for pair in kept) / 1e6,
        "ours_beyond_mb": middle(pair["ours"].most - pair["ours"].before for pair in kept) / 1e6,
    }


@click.command()
@click.option("--steps", default=40)
@click.option("--repeats", default=9)
@click.option("--processes", default=3, help="in which each loop's memory is measured")
@click.option("--recipe", "names", multiple=True, default=ON_CPU)
@click.option("--alone", type=click.Choice(["bare", "ours"]), hidden=True)
@click.option("--on", "device", default="cpu", hidden=True)
def main(
    steps: int, repeats: int, processes: int, names: tuple[str, ...], alone: str | None, device: str
) -> None:
    torch.set_num_threads(1)
    if alone is not None:
        found = held(recipe_for(names[0], device), alone, steps, device)
        click.echo(json.dumps({"before": found.before, "most": found.most}))
        return
    table = Table(
        title=f"A training step ({steps} steps, median of {repeats}; memory of {processes} processes)"
    )
    for column in (
        "recipe", "on", "bare, ms", "ours, ms", f"speed (>= {SPEED})",
        "bare, MB", "ours, MB", f"memory (<= {MEMORY})", "beyond start, MB",
    ):  # fmt: skip
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float] | str] = {}
    wanted = [(name, "cpu") for name in names] + [(name, GPU) for name in ON_GPU]
    for name, on in wanted:
        if on != "cpu" and not torch.cuda.is_available():
            figures[f"{name} on {on}"] = "not run"
            table.add_row(name, on, *["not run"] * 7)
            continue
        found = measured(name, on, steps, repeats, processes)
        figures[f"{name} on {on}"] = found
        table.add_row(
            name, on, f"{found['bare_ms']:.1f}", f"{found['ours_ms']:.1f}", f"{found['speed']:.3f}",
            f"{found['bare_mb']:.0f}", f"{found['ours_mb']:.0f}", f"{found['memory']:.3f}",
            f"{found['bare_beyond_mb']:.0f} and {found['ours_beyond_mb']:.0f}",
        )  # fmt: skip
    Console(width=150).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    told = {
        "steps": steps,
        "repeats": repeats,
        "targets": {"speed": SPEED, "memory": MEMORY},
        "rows": figures,
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
