"""Open-loop prediction: how fast a model's imagination leaves what really happened.

z[t-1], z[t], real actions ─▶ guess of z[t+1] ─▶ of z[t+2] ─▶ ... ─▶ of z[t+H], no frame seen in between
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.statistics import floored_ratio, total_variance
from jepanet.learning.family import check_weights, planning_network
from jepanet.learning.machine.determinism import deterministic
from jepanet.learning.planning.planner import Situation, imagine
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays

STEPS = 8
_EPISODES = 4


@dataclass(frozen=True, slots=True)
class Rollout:
    """1, 2, ... frames ahead, every horizon from the same starts, so that the numbers compare."""

    nmse: tuple[float, ...]
    """Mean squared error over the latents' variance; the first is the one-step nmse on those starts. Dead and
    input-independent latents tend to 1 at every horizon, as does a guess of the mean."""
    skill: tuple[float, ...]
    """1 - mean squared error / that of a guess that nothing changes: 0 for who guesses so, 1 for who knows;
    0 also where nothing changes and nothing is guessed."""


def rollout_nmse(weights: Arrays, recipe: Recipe, shard: Shard, *, steps: int = STEPS) -> tuple[float, ...]:
    """As `rollout`: the errors alone."""
    return rollout(weights, recipe, shard, steps=steps).nmse


def rollout(
    weights: Arrays, recipe: Recipe, shard: Shard, *, steps: int = STEPS, device: str = "cpu"
) -> Rollout:
    """How far a model's imagination is from what was recorded, frame by frame.

    Raises:
        Rejected: weights or shard do not fit the recipe; its family cannot plan (`no-planning`); episodes
            too short (`shard-mismatch`); latents or guesses that are not finite (`non-finite`).
    """
    family = recipe.family
    check_weights(weights, family)
    family.check_shard(shard)
    starts = shard.length - 1 - steps
    if steps < 1 or starts < 1:
        raise Rejected(
            f"episodes of {shard.length} frames are too short to look {steps} frames ahead",
            reason="shard-mismatch",
        )
    latents: list[np.ndarray] = []
    squared, changed = np.zeros(steps), np.zeros(steps)
    with deterministic(), torch.inference_mode():
        model = planning_network(family, weights, device)
        for first in range(0, shard.episodes, _EPISODES):
            part = slice(first, first + _EPISODES)
            frames = torch.tensor(shard.frames[part])
            seen = model.latents(frames.flatten(0, 1)).view(*frames.shape[:2], -1)
            acted = torch.tensor(shard.actions[part])
            # windows[e, s] = values[e, s : s + length], for every start s
            situation = Situation(
                seen[:, :starts].flatten(0, 1),
                seen[:, 1 : starts + 1].flatten(0, 1),
                acted[:, :starts].flatten(0, 1),
            )
            ahead = acted[:, 1:].unfold(1, steps, 1).transpose(-1, -2).flatten(0, 1)
            truth = seen[:, 2:].unfold(1, steps, 1).transpose(-1, -2).flatten(0, 1)
            guesses = imagine(model.step, situation, ahead.unsqueeze(1))[:, 0]
            squared += ((guesses - truth).double() ** 2).sum(dim=(0, 2)).numpy()
            still = situation.now.unsqueeze(1)
            changed += ((still - truth).double() ** 2).sum(dim=(0, 2)).numpy()
            latents.append(seen.numpy().astype(np.float64))
    errors = squared / (shard.episodes * starts * family.sizes.latent)
    variance = total_variance(np.concatenate(latents))
    if not (np.isfinite(errors).all() and np.isfinite(variance)):
        raise Rejected("the model's imagination holds NaN or infinity", reason="non-finite")
    identity = changed / (shard.episodes * starts * family.sizes.latent)
    return Rollout(
        nmse=tuple(floored_ratio(float(error), variance) for error in errors),
        skill=tuple(
            1.0 - floored_ratio(float(error), float(still))
            for error, still in zip(errors, identity, strict=True)
        ),
    )
