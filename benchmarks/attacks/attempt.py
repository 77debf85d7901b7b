"""What an attacker has of a round, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.similarity import norm
from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.training.loop import train
from jepanet.tensors import Arrays

Change = tuple[str, object]
"""A field of the recipe and the value in its place: ("objective.weight", 0.0)."""


@dataclass(frozen=True)
class Parts:
    """Where a family has what attacks of every family are about; names of parameters as they start."""

    norm: str
    """The last norm before the latents."""
    head: str
    """The layer whose outputs the latents are."""
    free: tuple[Change, ...] = ()
    """What leaves the regulariser out of the objective; empty where there is none."""


@dataclass(frozen=True)
class Attempt:
    """A round as one of its solvers sees it, and the evaluation shard beside it, which no solver sees."""

    base: Arrays
    recipe: Recipe
    shard: Shard
    sealed: Shard
    seed: bytes
    start: int
    honest: Arrays
    """The delta of the solver in whose place the attack stands."""
    parts: Parts
    _made: dict[tuple[object, ...], Arrays] = field(default_factory=dict)

    def trained(self, *changes: Change, steps: int | None = None, shard: Shard | None = None) -> Arrays:
        """The delta of a training by the recipe with these changes; made once."""
        key = (changes, steps, id(shard))
        if shard is not None or key not in self._made:
            recipe = self.recipe
            for path, value in changes:
                recipe = changed(recipe, path, value)
            made = train(
                self.base, shard or self.shard, recipe, seed=self.seed, steps=steps, start_step=self.start
            )
            self._made[key] = delta_of(made.weights, self.base)
        return self._made[key]

    def lazy(self) -> Arrays:
        return self.trained(steps=max(1, self.recipe.inner_steps // 20))

    def shuffled(self, *names: str) -> Shard:
        """The own shard with these arrays in another order than all others."""
        order = numpy_generator(self.seed, "shuffled").permutation(self.shard.episodes)
        return self.shard.with_arrays(**{name: self.shard.array(name)[order] for name in names})

    def noise(self) -> Arrays:
        """Of the honest norm, on all that is trained."""
        draw, frozen = numpy_generator(self.seed, "noise"), self.recipe.family.frozen
        drawn = {
            name: (draw.standard_normal(array.shape) * (not name.startswith(frozen))).astype(np.float32)
            for name, array in self.base.items()
        }
        return drawn_out(drawn, norm(self.honest))

    def moved(self, start: str, added: Callable[[np.ndarray], np.ndarray]) -> Arrays:
        """No delta but what is added to parameters whose names start so."""
        return {
            name: (added(array) if name.startswith(start) else np.zeros_like(array)).astype(np.float32)
            for name, array in self.base.items()
        }


Attack = Callable[[Attempt], Arrays]
Attacks = Mapping[str, Attack]


def scaled(delta: Mapping[str, np.ndarray], factor: float) -> Arrays:
    return {name: np.float32(factor) * array for name, array in delta.items()}


def drawn_out(delta: Mapping[str, np.ndarray], size: float) -> Arrays:
    """The same direction at another norm."""
    return scaled(delta, size / norm(delta))
