"""Whether a round's base can be scored against at all: asked by a solver before it trains.

A recipe may refuse to score against a base below `Score.least`. Whoever opens rounds below that has work done
that nobody is paid for, and coordinators are paid for saying so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.computing import LOOKED_AT
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.recipe import WEAK_BASE, Recipe
from jepanet.tensors import Arrays
from jepanet.work.room import check_comparable

ASKED = 1.25
"""Times `Score.least`: the evaluation shard is another than the public one, on which first models train."""
_OF_A_SITE = 4
"""Episodes at least, of one that has as many."""


def check_base(recipe: Recipe, base: Arrays, public: Shard, device: str = "cpu") -> None:
    """Scores the base on public episodes: on no more than `LOOKED_AT`, however many a recipe wants of an
    evaluation shard. That keeps doubt out of what is paid; here a share of the score is asked for.

    Raises:
        Rejected: they have no room (`too-little-memory`), the base is not clearly above what the recipe asks
            for (`weak-base`), or nothing can be scored on this shard (as `ScorerKind`).
    """
    least, shard = recipe.score.least, _some(public)
    check_comparable(recipe, shard)
    few = min(recipe.score.minimum_episodes, max(_OF_A_SITE, shard.episodes))
    asked = replace(recipe, score=replace(recipe.score, minimum_episodes=few))
    try:
        known = scorer_of(base, asked, shard, device=device).known
    except Rejected as error:
        if error.reason != WEAK_BASE:
            raise
        raise _weak(error.message) from error
    if not known > ASKED * least:
        raise _weak(f"it knows {known:.4f} nats there, and {ASKED:g} times {least:g} are asked for")


def _weak(why: str) -> Rejected:
    return Rejected(
        f"by the public shard, nobody will be paid for work on this round's base: {why}",
        reason=WEAK_BASE,
        remedy="nothing was staked; leave the project out of projects.follow until its base is a better one",
    )


def _some(shard: Shard) -> Shard:
    """At most `LOOKED_AT` episodes: as many of every site, spread over it; of very many sites, some."""
    sites = np.asarray(shard.site)
    numbers = np.unique(sites)
    if len(numbers) > LOOKED_AT // _OF_A_SITE:
        numbers = numbers[np.linspace(0, len(numbers) - 1, LOOKED_AT // _OF_A_SITE).astype(int)]
    taken = np.zeros(shard.episodes, dtype=bool)
    for number in numbers:
        here = np.flatnonzero(sites == number)
        taken[here[np.linspace(0, len(here) - 1, min(LOOKED_AT // len(numbers), len(here))).astype(int)]] = (
            True
        )
    return shard.chosen(taken)
