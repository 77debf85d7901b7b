"""Whether a job's model has room where it is to be trained or measured: asked before it is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.machine.device import CPU, memory_of
from jepanet.learning.memory import RUNTIME, comparing_memory, data_memory, measuring_memory, training_memory
from jepanet.learning.recipe import Recipe

_GIB = 1 << 30
NO_ROOM = "too-little-memory"


def check_trainable(recipe: Recipe, device: str, processes: int = 1, files: Sequence[int] = ()) -> None:
    """`files`: bytes of the shards that it trains on.

    Raises: Rejected (`too-little-memory`): a training by this recipe has no room there."""
    needed = training_memory(recipe).on(device, processes)
    data = processes * data_memory(files, recipe.loop.mix)
    on_cpu = device.startswith(CPU)
    _check(needed + data * on_cpu, device, f"training {recipe.parameters():,} parameters")
    _check(data + RUNTIME, CPU, f"drawing from {min(len(files), recipe.loop.mix + 1)} training shards")


def check_measurable(recipe: Recipe, device: str, models: int) -> None:
    """`models`: how many of them, or of their deltas, are held at once.

    Raises: Rejected (`too-little-memory`)."""
    what = f"measuring {models} models of {recipe.parameters():,} parameters"
    _check(measuring_memory(recipe, models if device.startswith("cpu") else 1), device, what)


def check_comparable(recipe: Recipe, shard: Shard) -> None:
    """Raises: Rejected (`too-little-memory`): what models make of all of a shard has no room here."""
    what = f"comparing {shard.episodes:,} {shard.schema.unit}s by recipe {recipe.name!r}"
    _check(comparing_memory(recipe, shard) + RUNTIME, CPU, what)


def _check(needed: int, device: str, what: str) -> None:
    there = memory_of(device)
    if needed > there:
        raise Rejected(
            f"{what} takes about {needed / _GIB:.1f} GiB, and {device} has {there / _GIB:.1f} GiB",
            reason=NO_ROOM,
            remedy="use a larger machine or GPU, fewer processes or a smaller recipe",
        )
