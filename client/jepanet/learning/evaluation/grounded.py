"""The grounded score: how much better a candidate predicts what the round's base model encodes.

All statistics are numpy float64.
"""

from __future__ import annotations

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.doubt import SURE, Doubt, first_doubt, held
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.evaluation.statistics import Array, halves, ridge_map, rows, stratified, within_episode
from jepanet.learning.family import Encoded
from jepanet.learning.recipe import WEAK_BASE, Recipe
from jepanet.tensors import Arrays

_RESIDUAL_FLOOR = 1e-9
_LEAST_MOVEMENT = 1e-6
"""Variation of a half of a site's episodes, relative to all episodes."""
_LEAST_SPREAD = 1e-9
"""Variance of the base's latents along their widest direction."""


class GroundedScorer:
    """Scores candidates against what the round's base encoder sees of what is to be predicted.

    The targets are the base's latents of it (the next frame, the hidden part of a picture), centred as the
    recipe says and whitened; directions with little variance are dropped. A candidate's guess is mapped onto
    them by a ridge regression fitted on half of the episodes and scored on the other half, and the other way
    round. So a candidate can't move the target; a linear change of its latents is undone by the fit; and what
    it drops, it fails to predict. Dead latents score zero, like a guess of the mean.
    """

    unit = "nats per direction"

    def __init__(
        self,
        base: Arrays,
        recipe: Recipe,
        shard: Shard,
        *,
        device: str = "cpu",
        encoded: Encoded | None = None,
    ) -> None:
        """Encodes the base, unless that was done (`encoded`).

        Raises:
            Rejected: a shard that cannot measure (as `check_scorable`; `static-episodes`), weights or shard
                that do not fit the recipe, or a base whose latents are not finite (`non-finite`) or do not
                vary (`dead-base`), or that is too weak for the recipe (`weak-base`): nothing was measured
                then, which is not a gain of nothing.
        """
        check_scorable(shard, minimum=recipe.score.minimum_episodes)
        self._recipe, self._shard, self._device = recipe, shard, device
        self._side = halves(shard.site)
        if encoded is None:
            encoded = encode(base, recipe, shard, device=device)
        if not encoded.finite:
            raise Rejected("the base model's latents hold NaN or infinity", reason="non-finite")
        everywhere = np.ones(shard.episodes, dtype=bool)
        dead = Rejected("the base's latents do not vary on this shard", reason="dead-base")
        whitening, largest = _whitening(
            self._centred(encoded.actual, everywhere), recipe.score.eigenvalue_floor
        )
        alive = held(largest, _LEAST_SPREAD, 0.5 * _LEAST_SPREAD, dead)
        self.directions = int(whitening.shape[-1])
        """Target directions, at least one."""
        if not self.directions:
            raise dead
        self._targets = [self._centred(encoded.actual, self._side != half) @ whitening for half in (0, 1)]
        self._total = np.where(
            self._side[:, None] == 0, *((targets**2).sum(axis=1) for targets in self._targets)
        )
        moves = self._moving()
        self._base = self._residuals(encoded)
        least = recipe.score.least
        weak = Rejected(
            f"the base's own score is {self.score:.4f} nats per direction, and the recipe wants more "
            f"than {least:g}: against a base that predicts next to nothing, garbage scores as work does",
            reason=WEAK_BASE,
        )
        strong = held(self.score, least, SURE, weak) if least else None
        self._doubt = first_doubt(alive, moves, strong)

    @property
    def score(self) -> float:
        """The base's own score, in nats per direction."""
        return self._score(self._base)

    @property
    def known(self) -> float:
        return self.score

    @property
    def doubt(self) -> Doubt | None:
        return self._doubt

    def gain(self, weights: Arrays) -> Gain:
        """Gain of candidate weights over the base.

        Raises:
            Rejected: its latents are not finite (`non-finite`).
        """
        return self.gain_of(encode(weights, self._recipe, self._shard, device=self._device))

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
        return Gain.clipped(mean, stderr, self._score(residual), per_site, influence, sites)

    def _moving(self) -> Doubt | None:
        """In either half of every site something must vary, or that half has nothing to fit or to score."""
        sites, moved = np.asarray(self._shard.site), self._total.sum(axis=1)
        least = _LEAST_MOVEMENT * float(moved.mean())
        found = []
        for number in sorted(set(self._shard.site)):
            still = Rejected(
                f"nothing that the base sees moves in half of the episodes of site {number}",
                reason="static-episodes",
            )
            for half in (0, 1):
                moves = float(moved[(sites == number) & (self._side == half)].mean())
                found.append(held(moves, least, 0.5 * least, still))
        return first_doubt(*found)

    def _residuals(self, encoded: Encoded) -> Array:
        """Squared error [E, K] of every episode and direction, summed over frames."""
        residual = np.zeros((len(encoded.predicted), self.directions))
        for half, targets in enumerate(self._targets):
            fit, score = self._side != half, self._side == half
            features = self._centred(encoded.predicted, fit)
            largest = np.abs(features).max(initial=0.0)
            features = features / largest if largest > 1e-9 else np.zeros_like(features)
            weights = ridge_map(rows(features[fit]), rows(targets[fit]), self._recipe.score.ridge)
            residual[score] = ((targets[score] - features[score] @ weights) ** 2).sum(axis=1)
        return residual

    def _centred(self, values: Array, fit: Array) -> Array:
        """`values` [E, T, D] less what the recipe says; of a slot, its mean over the episodes `fit` [E].

        What a place tells by itself (that of a hidden part in the picture, that of a question in a list) is
        learnt from the half that is fitted, as the regression is: nothing of what is scored is looked at.
        """
        how = self._recipe.score.centre
        if how != "episode":
            values = values - values[fit].mean(axis=0)
        return values if how == "slot" else within_episode(values)

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


def _whitening(centred: Array, eigenvalue_floor: float) -> tuple[Array, float]:
    """The map [D, K] of centred targets [E, T, D] onto unit variance along the K that vary enough, and the
    variance along the widest."""
    flat = rows(centred)
    spectrum, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    largest = float(spectrum[-1])
    kept = spectrum > max(eigenvalue_floor * largest, min(_LEAST_SPREAD, 0.5 * largest))
    onto: Array = vectors[:, kept] / np.sqrt(spectrum[kept])
    return onto, largest
