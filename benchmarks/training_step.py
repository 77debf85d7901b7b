"""What does our training loop cost beside a bare PyTorch loop over the same model and objective?

Ours: `jepanet.learning.training.loop.train`, with seeded sampling without replacement, symmetries, colours,
divergence gate, gradient clipping and a report of every step. Yardstick, in turns with it: the same network,
objective, batch size and AdamW in the shortest loop one would write by hand, on random windows, with the same
augmentation and no checks, reports or determinism. Ratio = bare time / our time; 1 means that the loop is
free. CPU time of one thread, medians over repeats.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.families.world.augment import draw_colour, turn
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import load_world_model, normalise
from jepanet.learning.families.world.objective import world_objective
from jepanet.learning.presets import preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import train

TARGET = 0.95
RESULT = Path(__file__).parent / "results" / "training_step.json"
SEED = bytes(range(32))


def world_of(recipe: Recipe) -> World:
    """The bare loop is one for the world model alone."""
    assert isinstance(recipe.family, World)
    return recipe.family


def made_up_shard(recipe: Recipe, episodes: int = 32, frames: int = 32) -> Shard:
    """Random pictures: speed does not depend on what is learnt."""
    generator = np.random.Generator(np.random.PCG64(1))
    sizes = world_of(recipe).model
    size = sizes.image
    return recorded(
        generator.integers(0, 256, (episodes, frames, 3, size, size), dtype=np.uint8),
        generator.uniform(-1, 1, (episodes, frames - 1, sizes.actions)).astype(np.float32),
        np.zeros((episodes, frames, 2), np.float32),
        (0,) * episodes,
    )


def bare(recipe: Recipe, shard: Shard, steps: int) -> None:
    """The yardstick."""
    world = world_of(recipe)
    model = load_world_model(world, world.initial_weights(SEED))
    rules = recipe.optimiser
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(rules.beta1, rules.beta2), weight_decay=1e-4, fused=True
    )
    frames, actions = torch.from_numpy(shard.frames), torch.from_numpy(shard.actions)
    draws = torch.Generator().manual_seed(1)
    offsets = torch.arange(world.window)
    for _ in range(steps):
        episode = torch.randint(shard.episodes, (world.windows, 1), generator=draws)
        moment = torch.randint(shard.length - world.window + 1, (world.windows, 1), generator=draws) + offsets
        batch, acted = frames[episode, moment], actions[episode, moment[:, :-1]]
        batch, acted = turn(batch, acted, int(torch.randint(8, (), generator=draws)))
        latents = model.encode(normalise(batch, draw_colour(draws)))
        loss = world_objective(latents, model.predict(latents, acted), world.objective, draws).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), rules.clip)
        optimiser.step()


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@click.command()
@click.option("--steps", default=40)
@click.option("--repeats", default=9)
@click.option("--recipe", "names", multiple=True, default=["tworoom-small", "tworoom"])
def main(steps: int, repeats: int, names: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    table = Table(title=f"CPU time of a training step ({steps} steps, median of {repeats})")
    for column in ("recipe", "bare, ms", "ours, ms", "ratio", "target"):
        table.add_column(column, justify="right")
    figures: dict[str, dict[str, float]] = {}
    for name in names:
        recipe = preset(name)
        shard, weights = made_up_shard(recipe), recipe.family.initial_weights(SEED)
        ours = partial(train, weights, shard, recipe, seed=SEED, steps=steps)
        plain = partial(bare, recipe, shard, steps)
        cpu_seconds(ours), cpu_seconds(plain)
        pairs = [(cpu_seconds(plain), cpu_seconds(ours)) for _ in range(repeats)]
        plain_ms, ours_ms = (1000 * statistics.median(column) / steps for column in zip(*pairs, strict=True))
        ratio = statistics.median(first / second for first, second in pairs)
        figures[name] = {"bare_ms": plain_ms, "ours_ms": ours_ms, "ratio": ratio, "target": TARGET}
        table.add_row(name, f"{plain_ms:.1f}", f"{ours_ms:.1f}", f"{ratio:.3f}", f"{TARGET}")
    Console().print(table)
    RESULT.write_text(json.dumps({"steps": steps, "repeats": repeats, "recipes": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
