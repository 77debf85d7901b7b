"""The next-token score: by how many nats a token a candidate lowers the loss on sealed texts.

The target is data: no candidate can move it, and a collapse of the latents does not help to meet it.
"""

from __future__ import annotations

from math import log

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.doubt import SURE, Doubt, held
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.evaluation.statistics import Array, ratio_influence, stratified
from jepanet.learning.family import Encoded
from jepanet.learning.recipe import WEAK_BASE, Recipe
from jepanet.tensors import Arrays

LEAST_KNOWN = 1e-3
"""Nats a token beyond a guess that any base must know: what a guess loses is known to rounding alone."""


class NextTokenScorer:
    """Scores candidates by the loss of their next-token predictions (`Encoded.nats`, `Encoded.tokens`).

    The gain of a site is a ratio of sums over its episodes: nats saved, over tokens. A mean of per-episode
    means would let a text of two tokens weigh as much as one of two hundred. Its standard error is that of
    the delta method for a ratio estimator (Cochran 1977, Sampling Techniques, section 6.4), one term an
    episode, since the tokens of one text are not independent; sites weigh the same.

    With `score.match` nats of `Encoded.told` count beside it, times that weight. Which texts belong together
    is data as well; collapsed or random latents tell nothing of it. Episodes are told from each other, so
    their terms hang together a little, which the standard error leaves out.
    """

    unit = "nats per token"

    def __init__(
        self,
        base: Arrays,
        recipe: Recipe,
        shard: Shard,
        *,
        device: str = "cpu",
        encoded: Encoded | None = None,
    ) -> None:
        """Measures the base. Raises: Rejected as `ScorerKind`; `no-tokens` where an episode has none."""
        check_scorable(shard, minimum=recipe.score.minimum_episodes)
        self._recipe, self._shard, self._device = recipe, shard, device
        if encoded is None:
            encoded = encode(base, recipe, shard, device=device)
        nats, tokens = _told(encoded, shard)
        if not np.isfinite(nats).all() or not encoded.finite:
            raise Rejected("the base model's losses or latents are not finite", reason="non-finite")
        if tokens.min() < 1:
            raise Rejected("an episode has no token to predict", reason="no-tokens")
        vocabulary = recipe.family.sizes.vocabulary
        assert vocabulary is not None, "a recipe with this score has a family with a vocabulary"
        self._guess = log(vocabulary)
        self._base, self._tokens, self._told = nats, tokens, self._matched(encoded)
        least, known = max(recipe.score.least, LEAST_KNOWN), self._known(nats)
        weak = Rejected(
            f"the base knows {known:.4f} nats a token more than a guess among all {vocabulary} "
            f"tokens; more than {least:g} are wanted of a base, or guessing would be paid",
            reason=WEAK_BASE,
        )
        self._doubt = held(known, least, min(SURE, 0.25 * least), weak)

    @property
    def known(self) -> float:
        return self._known(self._base)

    @property
    def doubt(self) -> Doubt | None:
        return self._doubt

    @property
    def score(self) -> float:
        """Nats a token that the base knows beyond a guess among all tokens, and what it tells beside them."""
        return self._score(self._base, self._told)

    def gain(self, weights: Arrays) -> Gain:
        """Nats a token by which candidate weights lower the loss. Raises: Rejected (`non-finite`)."""
        return self.gain_of(encode(weights, self._recipe, self._shard, device=self._device))

    def gain_of(self, encoded: Encoded) -> Gain:
        """The same of a candidate that was already run on this shard.

        Raises:
            Rejected: losses or latents are not finite (`non-finite`), or are of other tokens (`no-tokens`).
        """
        nats, tokens = _told(encoded, self._shard)
        if not np.isfinite(nats).all() or not encoded.finite:
            raise Rejected("the candidate's losses or latents are not finite", reason="non-finite")
        if not np.array_equal(tokens, self._tokens):
            raise Rejected("the candidate's losses are of other tokens than the base's", reason="no-tokens")
        told = self._matched(encoded)
        numbers, sites = np.asarray(self._shard.site), self._shard.site
        saved, more = self._base - nats, told - self._told
        influence = np.zeros(len(sites))
        with np.errstate(over="ignore", invalid="ignore"):  # finite losses may have no finite sum of squares
            for number in sorted(set(sites)):
                here = numbers == number
                influence[here] = ratio_influence(saved[here], tokens[here]) + more[here]
            mean, stderr, per_site = stratified(influence, sites)
        if not (np.isfinite(mean) and np.isfinite(stderr)):
            raise Rejected("the candidate's losses add up to no finite number", reason="non-finite")
        return Gain.clipped(mean, stderr, self._score(nats, told), per_site, influence, sites)

    def _matched(self, encoded: Encoded) -> Array:
        """What counts [E] of telling texts apart."""
        if not self._recipe.score.match:
            return np.zeros(self._shard.episodes)
        told = encoded.told
        if told is None or told.shape != (self._shard.episodes,):
            raise Rejected(
                "a model of this family does not say which texts belong together", reason="nothing-told"
            )
        if not np.isfinite(told).all():
            raise Rejected(
                "what the model tells of texts that belong together is not finite", reason="non-finite"
            )
        counted: Array = self._recipe.score.match * told
        return counted

    def _score(self, nats: Array, told: Array) -> float:
        numbers = np.asarray(self._shard.site)
        means = [float(told[numbers == number].mean()) for number in sorted(set(self._shard.site))]
        return self._known(nats) + float(np.mean(means))

    def _known(self, nats: Array) -> float:
        numbers = np.asarray(self._shard.site)
        lost = [
            float(nats[numbers == number].sum() / self._tokens[numbers == number].sum())
            for number in sorted(set(self._shard.site))
        ]
        return self._guess - float(np.mean(lost))


def _told(encoded: Encoded, shard: Shard) -> tuple[Array, Array]:
    nats, tokens = encoded.nats, encoded.tokens
    if nats is None or tokens is None or nats.shape != tokens.shape or nats.shape != (shard.episodes,):
        raise Rejected(
            "a model of this family does not say what each episode's next tokens cost it", reason="no-tokens"
        )
    return nats, tokens.astype(np.float64)
