"""What a model is worth on episodes it never saw: metrics that expose collapse, and the grounded score.

Encoding is torch float32 on one thread; every statistic after it is numpy float64.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch

from jepanet.errors import Rejected
from jepanet.learning.data.scorable import check_scorable, check_sites
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.statistics import (
    Array,
    effective_rank,
    floored_ratio,
    halves,
    predictive_information,
    probe_r2,
    ridge_map,
    sigreg_value,
    stratified,
    total_variance,
    within_episode,
)
from jepanet.learning.families.world.model import load_world_model, normalise
from jepanet.learning.families.world.schema import check_weights
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import check_fit, deterministic
from jepanet.tensors import Arrays
from jepanet.types import MICRO

WORST = -10.0
"""Nats per direction: the clip of every gain."""
_BLOCK = 64
_RESIDUAL_FLOOR = 1e-9
_LEAST_MOVEMENT = 1e-6
"""Variation of a half of a site's episodes, relative to all episodes."""


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


@dataclass(frozen=True, slots=True)
class Gain:
    """Improvement of a candidate over its base, in nats per target direction."""

    mean: float
    stderr: float
    score: float
    """The candidate's own score; the base's is `score - mean` unless a clip was reached."""
    per_site: dict[int, float]

    @property
    def micro(self) -> int:
        """`mean` in whole micro-nats."""
        return round(self.mean * MICRO)

    @property
    def stderr_micro(self) -> int:
        """`stderr` in whole micro-nats, rounded up: never more certain than measured."""
        return int(np.ceil(self.stderr * MICRO))


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
    return _rows(encode(weights, recipe, shard).latents)


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


class GroundedScorer:
    """Scores candidates against what the round's base encoder sees in the next frame.

    The targets are the base's latents of frame t+1, centred within each episode and whitened; directions
    with little variance are dropped. A candidate's guess for t+1, made from frames up to t, is mapped onto
    them by a ridge regression fitted on half of the episodes and scored on the other half, and the other way
    round. So a candidate can't move the target; a linear change of its latents is undone by the fit; and what
    it drops, it fails to predict. Dead latents score zero, like a guess of the mean.
    """

    def __init__(self, base_weights: Arrays, recipe: Recipe, shard: Shard) -> None:
        """Encodes the base.

        Raises:
            Rejected: a shard that cannot measure (as `check_scorable`; `static-episodes`), weights or shard
                that do not fit the recipe, or a base whose latents are not finite (`non-finite`) or do not
                vary (`dead-base`): nothing was measured then, which is not a gain of nothing.
        """
        check_scorable(shard, minimum=recipe.score.minimum_episodes)
        self._recipe, self._shard = recipe, shard
        self._side = halves(shard.site)
        base = encode(base_weights, recipe, shard)
        if not base.finite:
            raise Rejected("the base model's latents hold NaN or infinity", reason="non-finite")
        self._targets = _whitened(within_episode(base.latents[:, 2:]), recipe.score.eigenvalue_floor)
        if not self.directions:
            raise Rejected("the base's latents do not vary on this shard", reason="dead-base")
        self._total = (self._targets**2).sum(axis=1)
        self._check_moving()
        self._base = self._residuals(base)

    @property
    def directions(self) -> int:
        """Target directions, at least one."""
        return int(self._targets.shape[-1])

    @property
    def score(self) -> float:
        """The base's own score, in nats per direction."""
        return self._score(self._base)

    def gain(self, weights: Arrays) -> Gain:
        """Gain of candidate weights over the base.

        Raises:
            Rejected: the weights do not fit the recipe; they or the latents are not finite (`non-finite`).
        """
        return self.gain_of(encode(weights, self._recipe, self._shard))

    def gain_of(self, encoded: Encoded) -> Gain:
        """Gain of a candidate whose latents on this shard are already computed.

        Raises:
            Rejected: they are not finite (`non-finite`).
        """
        sites = self._shard.site
        if not encoded.finite:
            raise Rejected("the candidate's latents hold NaN or infinity", reason="non-finite")
        residual = self._residuals(encoded)
        influence = np.zeros(len(sites))
        numbers = np.asarray(sites)
        for number in sorted(set(sites)):
            here = numbers == number
            influence[here] = _influence(self._base[here], residual[here], self._total[here])
        mean, stderr, per_site = stratified(influence, sites)
        return Gain(
            mean=float(np.clip(mean, WORST, -WORST)),
            stderr=float(min(stderr, -WORST)),
            score=float(np.clip(self._score(residual), WORST, -WORST)),
            per_site={number: float(np.clip(value, WORST, -WORST)) for number, value in per_site.items()},
        )

    def _check_moving(self) -> None:
        """In either half of every site something must vary, or that half has nothing to fit or to score."""
        sites, moved = np.asarray(self._shard.site), self._total.sum(axis=1)
        least = _LEAST_MOVEMENT * float(moved.mean())
        for number in sorted(set(self._shard.site)):
            for half in (0, 1):
                if not float(moved[(sites == number) & (self._side == half)].mean()) > least:
                    raise Rejected(
                        f"nothing that the base sees moves in half of the episodes of site {number}",
                        reason="static-episodes",
                    )

    def _residuals(self, encoded: Encoded) -> Array:
        """Squared error [E, K] of every episode and direction, summed over frames."""
        features = within_episode(encoded.guesses)
        largest = np.abs(features).max(initial=0.0)
        features = features / largest if largest > 1e-9 else np.zeros_like(features)
        residual = np.zeros((len(features), self.directions))
        for half in (0, 1):
            fit, score = self._side != half, self._side == half
            weights = ridge_map(_rows(features[fit]), _rows(self._targets[fit]), self._recipe.score.ridge)
            residual[score] = ((self._targets[score] - features[score] @ weights) ** 2).sum(axis=1)
        return residual

    def _score(self, residual: Array) -> float:
        numbers = np.asarray(self._shard.site)
        scores = []
        for number in sorted(set(self._shard.site)):
            total, left = self._total[numbers == number].sum(axis=0), residual[numbers == number].sum(axis=0)
            scores.append(_half_log(total, left, total))
        return float(np.mean(scores))


def _influence(base: Array, candidate: Array, total: Array) -> Array:
    """Per-episode values [E] whose mean is the gain at one site, from residuals [E, K].

    The gain is half the mean log ratio of summed residuals. Each episode adds its share of the sums to
    first order, which is what the delta method takes for the standard error; unlike a mean of per-episode
    logs it gives no weight to episodes in which hardly anything moves.
    """
    count = len(base)
    base = _credited(base, candidate, total)
    floor = _RESIDUAL_FLOOR * total.sum(axis=0) + _RESIDUAL_FLOOR
    before, after = base.sum(axis=0) + floor, candidate.sum(axis=0) + floor
    gain = _half_log(before, after, total.sum(axis=0))
    shares = 0.5 * (count * base / before - count * candidate / after).mean(axis=1)
    influence: Array = gain + shares - shares.mean()
    return influence


def _credited(base: Array, candidate: Array, total: Array) -> Array:
    """The residuals [E, K] a candidate is held against: the base's, but no worse than a guess of the mean.

    A young base predicts some directions worse than by their mean, and a candidate with dead latents guesses
    the mean: without this, collapse would gain. Getting as good as the mean earns nothing, getting worse than
    the base counts in full.
    """
    before, after, mean = base.sum(axis=0), candidate.sum(axis=0), total.sum(axis=0)
    held: Array = np.where(before <= np.maximum(mean, after), base, np.where(after >= mean, candidate, total))
    return held


def _half_log(above: Array, below: Array, scale: Array) -> float:
    floor = _RESIDUAL_FLOOR * scale + _RESIDUAL_FLOOR
    return 0.5 * float(np.mean(np.log((above + floor) / (below + floor))))


def _whitened(centred: Array, eigenvalue_floor: float) -> Array:
    """Centred targets [E, T, D] -> [E, T, K] of unit variance along the K directions that vary enough."""
    flat = _rows(centred)
    spectrum, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    kept = spectrum > max(eigenvalue_floor * float(spectrum[-1]), 1e-9)
    whitened: Array = centred @ (vectors[:, kept] / np.sqrt(spectrum[kept]))
    return whitened


def _rows(values: Array) -> Array:
    return values.reshape(values.shape[0] * values.shape[1], values.shape[2])
