"""Metrics of a model on episodes it never saw; together they expose collapse.

Encoding is torch float32 on one thread; every statistic after it is numpy float64.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.scorable import check_sites
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.statistics import (
    Array,
    effective_rank,
    floored_ratio,
    predictive_information,
    probe_r2,
    rows,
    sigreg_value,
    total_variance,
)
from jepanet.learning.families.world.model import load_world_model, normalise
from jepanet.learning.families.world.schema import check_weights
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.determinism import deterministic
from jepanet.learning.training.loop import check_fit
from jepanet.tensors import Arrays

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Encoded:
    """latents float64 [E, T, D]; guesses float64 [E, T-2, D] of latents[:, 2:]."""

    latents: Array
    guesses: Array

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.latents).all() and np.isfinite(self.guesses).all())


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every number is finite; none of them alone says that a model is good.

    val_pred: mean squared one-step error. nmse: val_pred / latent variance, tending to 1 for dead latents.
    skill: 1 - val_pred / identity_error, 0 for dead latents. pi: predictive information, nats per dimension,
    mean over sites. rank: effective rank. latent_std, variance: of latents over all frames. sigreg: distance
    from the normal law. probe_r2: position read linearly from latents of unseen episodes.
    """

    val_pred: float
    nmse: float
    skill: float
    identity_error: float
    pi: float
    rank: float
    latent_std: float
    variance: float
    sigreg: float
    probe_r2: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def encode(weights: Arrays, recipe: Recipe, shard: Shard) -> Encoded:
    """Latents and one-step guesses of every episode.

    Raises:
        Rejected: weights or shard do not fit the recipe.
    """
    check_weights(weights, recipe)
    check_fit(shard, recipe)
    latents: list[Array] = []
    guesses: list[Array] = []
    with deterministic(), torch.inference_mode():
        model = load_world_model(recipe, weights)
        for first in range(0, shard.episodes, _BLOCK // 16):
            part = slice(first, first + _BLOCK // 16)
            seen = model.encode(normalise(torch.tensor(shard.frames[part])))
            guessed = model.predict(seen, torch.tensor(shard.actions[part]))
            latents.append(seen.numpy().astype(np.float64))
            guesses.append(guessed.numpy().astype(np.float64))
    return Encoded(np.concatenate(latents), np.concatenate(guesses))


def frame_latents(weights: Arrays, recipe: Recipe, shard: Shard) -> Array:
    """Latents of all frames of a shard in order, float64 [N, D]: what frames of reference are compared on.

    Raises:
        Rejected: weights or shard do not fit the recipe.
    """
    return rows(encode(weights, recipe, shard).latents)


def heldout_metrics(weights: Arrays, recipe: Recipe, shard: Shard) -> Metrics:
    """Metrics of a model on a shard.

    Raises:
        Rejected: weights or shard do not fit the recipe, a site has but one episode (`thin-sites`), or the
            latents are not finite (`non-finite`).
    """
    check_sites(shard.site)  # position is read by a probe fitted on other episodes of every site
    encoded = encode(weights, recipe, shard)
    if not encoded.finite:
        raise Rejected("the model's latents hold NaN or infinity", reason="non-finite")
    return metrics_of(encoded, shard, recipe)


def metrics_of(encoded: Encoded, shard: Shard, recipe: Recipe) -> Metrics:
    """Metrics of latents that are already computed and finite."""
    latents, guesses = encoded.latents, encoded.guesses
    targets, before = latents[:, 2:], latents[:, 1:-1]
    val_pred = float(np.mean((guesses - targets) ** 2))
    identity = float(np.mean((before - targets) ** 2))
    variance = total_variance(latents)
    sites = np.asarray(shard.site)
    information = [
        predictive_information(targets[sites == number], guesses[sites == number])
        for number in set(shard.site)
    ]
    return Metrics(
        val_pred=val_pred,
        nmse=floored_ratio(val_pred, variance),
        skill=1.0 - floored_ratio(val_pred, identity),
        identity_error=identity,
        pi=float(np.mean(information)),
        rank=effective_rank(latents),
        latent_std=float(latents.reshape(-1, latents.shape[-1]).std(axis=0).mean()),
        variance=variance,
        sigreg=sigreg_value(latents, recipe.objective.knots, recipe.windows * recipe.window),
        probe_r2=probe_r2(latents, shard.state.astype(np.float64), shard.site),
    )
