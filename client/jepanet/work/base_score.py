"""Whether a round's base can be scored against at all: asked by a solver before it trains.

A recipe may refuse to score against a base below `Score.least`. Whoever opens rounds below that has work done
that nobody is paid for, and coordinators are paid for saying so.
"""

from __future__ import annotations

import numpy as np

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.recipe import WEAK_BASE, Recipe
from jepanet.tensors import Arrays

ASKED = 1.25
"""Times `Score.least`: the evaluation shard is another than the public one, on which first models train."""
_EPISODES = 256
"""Of the public shard, spread over it, or as many as the recipe wants of an evaluation shard."""


def check_base(recipe: Recipe, base: Arrays, public: Shard, device: str = "cpu") -> None:
    """Scores the base on public episodes.

    Raises:
        Rejected: it is not clearly above what the recipe asks for (`weak-base`), or nothing can be scored on
            this shard (as `ScorerKind`).
    """
    least = recipe.score.least
    try:
        known = scorer_of(base, recipe, _some(public, recipe.score.minimum_episodes), device=device).known
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


def _some(shard: Shard, least: int) -> Shard:
    """Episodes spread over every site, as the evaluation shard has them."""
    wanted, sites = max(least, _EPISODES), np.asarray(shard.site)
    taken = np.zeros(shard.episodes, dtype=bool)
    for number in sorted(set(shard.site)):
        here = np.flatnonzero(sites == number)
        count = max(4, -(-wanted * len(here) // shard.episodes))
        taken[here[np.linspace(0, len(here) - 1, min(count, len(here))).astype(int)]] = True
    return shard.chosen(taken)
