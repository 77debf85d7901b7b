"""How candidates are scored against the base of a round: what every kind of score answers.

    recipe.score.kind ─▶ scorer_of(base, recipe, shard) ─▶ gain(weights), in nats of `unit`

Whoever judges, merges, verifies or studies uses this contract and knows no kind. A new one is a file beside
`grounded.py`, a name in `recipe.Score.kind` and a line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.doubt import Doubt
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.next_token import NextTokenScorer
from jepanet.learning.family import Encoded
from jepanet.learning.recipe import GROUNDED, NEXT_TOKEN_LOSS, Recipe
from jepanet.tensors import Arrays


class Scorer(Protocol):
    """Scores candidates on one shard, against one base."""

    @property
    def unit(self) -> str:
        """Of every gain and score: "nats per direction"."""

    @property
    def score(self) -> float:
        """The base's own score: 0 is a guess that knows nothing of the data."""

    @property
    def known(self) -> float:
        """The part of it that `Score.least` asks for."""

    @property
    def doubt(self) -> Doubt | None:
        """What another machine may refuse to score against, or accept: a threshold that is hardly met, or
        hardly missed."""

    def gain(self, weights: Arrays) -> Gain:
        """Gain of candidate weights over the base.

        Raises:
            Rejected: what they make of the shard is not finite (`non-finite`).
        """

    def gain_of(self, encoded: Encoded) -> Gain:
        """Gain of a candidate that was already run on this shard. Raises: as `gain`."""


class ScorerKind(Protocol):
    """How a kind of score is known: called, it measures the base. `encoded`: what `metrics.encode` made of
    the base on this shard, where somebody has run it already.

    Raises:
        Rejected: a shard that cannot measure (as `check_scorable`, and what the kind asks beside), weights or
            shard that do not fit the recipe, or a base against which nothing can be measured: one that is not
            finite (`non-finite`), dead (`dead-base`), or too weak to be worth improving on (`weak-base`).
            Nothing was measured then, which is not a gain of nothing; nobody is paid in such a round.
    """

    def __call__(
        self,
        base: Arrays,
        recipe: Recipe,
        shard: Shard,
        *,
        device: str = "cpu",
        encoded: Encoded | None = None,
    ) -> Scorer: ...


KINDS: Mapping[str, ScorerKind] = {
    GROUNDED: GroundedScorer,
    NEXT_TOKEN_LOSS: NextTokenScorer,
}


def scorer_of(
    base: Arrays, recipe: Recipe, shard: Shard, *, device: str = "cpu", encoded: Encoded | None = None
) -> Scorer:
    """The scorer of a round: of the recipe's kind, against weights that were checked when they were loaded.

    Raises:
        Rejected: as `ScorerKind`.
    """
    return KINDS[recipe.score.kind](base, recipe, shard, device=device, encoded=encoded)
