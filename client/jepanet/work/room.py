"""Whether a job's model has room where it is to be trained or measured: asked before it is allocated."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.learning.machine.device import memory_of
from jepanet.learning.memory import measuring_memory, training_memory
from jepanet.learning.recipe import Recipe

_GIB = 1 << 30


def check_trainable(recipe: Recipe, device: str, processes: int = 1) -> None:
    """Raises: Rejected (`too-little-memory`): a training by this recipe has no room there."""
    needed = training_memory(recipe).on(device, processes)
    _check(needed, device, f"training {recipe.parameters():,} parameters")


def check_measurable(recipe: Recipe, device: str, models: int) -> None:
    """`models`: how many of them, or of their deltas, are held at once.

    Raises: Rejected (`too-little-memory`)."""
    what = f"measuring {models} models of {recipe.parameters():,} parameters"
    _check(measuring_memory(recipe, models if device.startswith("cpu") else 1), device, what)


def _check(needed: int, device: str, what: str) -> None:
    there = memory_of(device)
    if needed > there:
        raise Rejected(
            f"{what} takes about {needed / _GIB:.1f} GiB, and {device} has {there / _GIB:.1f} GiB",
            reason="too-little-memory",
            remedy="use a larger machine or GPU, fewer processes or a smaller recipe",
        )
