"""Bytes that a recipe takes where it is trained or measured, from its sizes: before anything is allocated.

Estimates from above; what torch itself takes for its programs is in `RUNTIME`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jepanet.learning.data.shards import Shard
from jepanet.learning.family import frozen_file
from jepanet.learning.recipe import Recipe

FLOAT = 4
RUNTIME = 768 << 20
"""Of a process that has imported torch, on a GPU with its context."""
_COPIES = 9
"""Of every parameter, beside what trains: the base and the result, and a checkpoint of weights and moments as
arrays and as the bytes of a file, with the trace's copy of it."""
_DATA_COPIES = 7
"""Of a training shard: its file, joined with others, split, and as batches draw from it, where numbers of
tokens take four times their bytes."""
_COMPARED_COPIES = 4
"""Of what is compared: the base's and a candidate's, the targets, and what is made of one for its score."""


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes of a training, by what they hold."""

    weights: int
    gradients: int
    moments: int
    activations: int
    """What one batch's forward pass keeps for its backward pass."""
    copies: int
    """In the memory of the process, wherever it trains: base, result, a checkpoint as it is written."""
    held: int = 0
    """What networks read beside their weights, and nothing trains (`FrozenFile`)."""

    def on(self, device: str, processes: int = 1) -> int:
        """What all processes together need of the CPU's memory, or one of them of the memory of its GPU."""
        state = self.weights + self.gradients + self.moments + self.held
        if device.startswith("cpu"):
            return processes * (state + self.copies + RUNTIME) + self.activations
        return state + self.activations + RUNTIME


def training_memory(recipe: Recipe) -> TrainingMemory:
    """Of a training by the recipe, in float32: lower precision in products saves some of the activations."""
    weights = FLOAT * recipe.parameters()
    activations = FLOAT * recipe.family.sizes.activations
    return TrainingMemory(weights, weights, 2 * weights, activations, _COPIES * weights, _held(recipe))


def measuring_memory(recipe: Recipe, models: int) -> int:
    """Of so many models or deltas held at once, one of which is measured."""
    weights = (models + 1) * FLOAT * recipe.parameters() + _held(recipe)
    return weights + FLOAT * recipe.family.sizes.activations + RUNTIME


def _held(recipe: Recipe) -> int:
    found = frozen_file(recipe.family)
    return 0 if found is None else FLOAT * found.numbers


def data_memory(files: Iterable[int], mix: int) -> int:
    """Of training shards whose files have so many bytes: `mix` of them are held, and one is read ahead."""
    return _DATA_COPIES * sum(sorted(files)[-(mix + 1) :])


def comparing_memory(recipe: Recipe, shard: Shard) -> int:
    """Of what a shard's comparison by two models takes beside them, in the memory of the process."""
    sizes, frames = recipe.family.sizes, shard.episodes * shard.length
    compared = _COMPARED_COPIES * sizes.latent * (sizes.rows + 3 * sizes.slots)
    return 2 * FLOAT * frames * compared + 2 * sum(array.nbytes for array in shard.arrays.values())


def most_parameters(device: str, room: int, processes: int = 1) -> int:
    """The largest model that trains in `room` bytes beside batches that take nothing; 0 or less for none."""
    each = TrainingMemory(FLOAT, FLOAT, 2 * FLOAT, 0, _COPIES * FLOAT)
    fixed = TrainingMemory(0, 0, 0, 0, 0).on(device, processes)
    return (room - fixed) // (each.on(device, processes) - fixed)
