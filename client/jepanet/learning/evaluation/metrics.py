"""Metrics of a model on episodes it never saw; together they expose collapse.

Encoding is torch float32, on a CPU with one thread; every statistic after it is numpy float64.
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
from jepanet.learning.family import Encoded
from jepanet.learning.machine.determinism import deterministic, whole_products
from jepanet.learning.recipe import Recipe
from jepanet.tensors import Arrays


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every number is finite; none of them alone says that a model is good.

    val_pred: mean squared one-step error. nmse: val_pred / latent variance, tending to 1 for dead latents.
    skill: 1 - val_pred / identity_error, 0 for dead latents. pi: predictive information, nats per dimension,
    mean over sites. rank: effective rank. latent_std, variance: of latents over all frames. sigreg: distance
    from the normal law. probe_r2: position read linearly from latents of unseen episodes, where the data
    say what it was. next_token, told: nats a token that the next one costs, and nats by which the parts of an
    episode are told to belong together, of families that have them.
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
    probe_r2: float | None = None
    next_token: float | None = None
    told: float | None = None

    def to_json(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def encode(weights: Arrays, recipe: Recipe, shard: Shard, *, device: str = "cpu") -> Encoded:
    """Latents of every episode, and what the model predicts of them.

    weights: those of a loaded or trained model, which were checked then.

    Raises:
        Rejected: the shard does not fit the recipe.
    """
    recipe.family.check_shard(shard)
    with deterministic(), whole_products(), torch.inference_mode():
        return recipe.family.network(weights, device).compare(shard)


def frame_latents(weights: Arrays, recipe: Recipe, shard: Shard, *, device: str = "cpu") -> Array:
    """Latents of all frames of a shard in order, float64 [N, D]: what frames of reference are compared on.

    Raises:
        Rejected: the shard does not fit the recipe.
    """
    return rows(encode(weights, recipe, shard, device=device).latents)


def heldout_metrics(weights: Arrays, recipe: Recipe, shard: Shard, *, device: str = "cpu") -> Metrics:
    """Metrics of a model on a shard.

    Raises:
        Rejected: the shard does not fit the recipe, a site has but one episode (`thin-sites`), or the
            latents are not finite (`non-finite`).
    """
    check_sites(shard.site)  # position is read by a probe fitted on other episodes of every site
    encoded = encode(weights, recipe, shard, device=device)
    if not encoded.finite:
        raise Rejected("the model's latents hold NaN or infinity", reason="non-finite")
    return metrics_of(encoded, shard, recipe)


def metrics_of(encoded: Encoded, shard: Shard, recipe: Recipe) -> Metrics:
    """Metrics of latents that are already computed and finite."""
    latents, guesses, targets = encoded.latents, encoded.predicted, encoded.actual
    sizes = recipe.family.sizes
    val_pred = float(np.mean((guesses - targets) ** 2))
    identity = float(np.mean((encoded.unchanged - targets) ** 2))
    variance = total_variance(latents)
    sites = np.asarray(shard.site)
    state = shard.schema.state
    known = None if state is None else shard.array(state).astype(np.float64)
    nats, tokens, told = encoded.nats, encoded.tokens, encoded.told
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
        sigreg=sigreg_value(latents, sizes.knots, sizes.frames),
        probe_r2=None if known is None else probe_r2(latents, known, shard.site),
        next_token=None if nats is None or tokens is None else float(nats.sum() / tokens.sum()),
        told=None if told is None else float(told.mean()),
    )
