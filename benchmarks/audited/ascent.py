"""A delta moved up the score itself: by the gradient of what a scorer measures, on data that a solver has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from jepanet.learning.data.shards import Shard
from jepanet.learning.families.world.model import normalise
from jepanet.learning.recipe import Recipe
from jepanet.learning.seeding import torch_generator
from jepanet.tensors import Arrays

STEPS, EPISODES, RATE = 80, 12, 3e-4
_FLOOR = 1e-9


def ascended(
    base: Arrays, delta: Arrays, recipe: Recipe, shards: list[Shard], share: int, seed: bytes
) -> Arrays:
    """`delta` after so many steps of Adam up the score of base + delta / `share`, of a world model.

    The targets are the base's latents of the shards' episodes, whitened, as in `evaluation/grounded.py`; each
    step fits and scores halves of some episodes of one shard.
    """
    draw = torch_generator(seed, "ascent")
    at = {name: base[name] + delta[name] / np.float32(share) for name in base}
    model = recipe.family.network(at)
    assert isinstance(model, torch.nn.Module), "a world model's network"
    targets = [_targets(base, recipe, shard) for shard in shards]
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    for step in range(STEPS):
        which = step % len(shards)
        chosen = torch.randperm(shards[which].episodes, generator=draw)[:EPISODES]
        frames, actions = (
            torch.tensor(it[chosen.numpy()]) for it in (shards[which].frames, shards[which].actions)
        )
        optimiser.zero_grad()
        _left(
            model.encode, model.predict, frames, actions, targets[which][chosen], recipe.score.ridge
        ).backward()
        optimiser.step()
    made: Arrays = model.weights()
    return {name: (made[name] - base[name]) * np.float32(share) for name in base}


def _targets(base: Arrays, recipe: Recipe, shard: Shard) -> Tensor:
    """[E, T - 2, K]: the base's latents of what is to be predicted, whitened along what varies enough."""
    actual = torch.tensor(recipe.family.network(base).compare(shard).actual, dtype=torch.float32)
    centred = actual - actual.mean(dim=1, keepdim=True)
    flat = centred.flatten(0, 1)
    spectrum, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
    kept = spectrum > recipe.score.eigenvalue_floor * spectrum[-1]
    return centred @ (vectors[:, kept] / spectrum[kept].sqrt())


def _left(
    encode: Callable[[Tensor], Tensor], predict: Callable[[Tensor, Tensor], Tensor],
    frames: Tensor, actions: Tensor, targets: Tensor, ridge: float,
) -> Tensor:  # fmt: skip
    """Half the mean logarithm of what is left of the targets: minus the score, but for what does not move."""
    guesses = predict(encode(normalise(frames)), actions)
    features = guesses - guesses.mean(dim=1, keepdim=True)
    total: list[Tensor] = []
    for half in (0, 1):
        fit, scored = features[half::2].flatten(0, 1), features[1 - half :: 2]
        known = targets[half::2].flatten(0, 1)
        gram = fit.T @ fit / len(fit)
        scale = gram.diagonal().mean()
        penalised = gram / scale + ridge * torch.eye(len(gram))
        weights = torch.linalg.solve(penalised, fit.T @ known / (len(fit) * scale))
        total.append((targets[1 - half :: 2] - scored @ weights).square().sum(dim=(0, 1)))
    return 0.5 * torch.log(total[0] + total[1] + _FLOOR).mean()
