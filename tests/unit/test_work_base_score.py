"""The look at a base before a training: how much of a public shard, which a stranger made, it takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.computing import LOOKED_AT
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import Shard
from jepanet.learning.recipe import Recipe
from jepanet.work import base_score
from jepanet.work.base_score import check_base
from learning_shards import RECIPE

pytestmark = pytest.mark.unit

HOSTILE = replace(RECIPE, score=replace(RECIPE.score, least=0.1, minimum_episodes=10_000))


def public(site: tuple[int, ...]) -> Shard:
    """Different episodes of a pixel."""
    frames = np.zeros((len(site), 2, 3, 1, 1), np.uint8)
    frames[:, 0, :2, 0, 0] = np.array([divmod(number, 256) for number in range(len(site))])
    return Shard(EPISODES, {"frames": frames, "actions": np.zeros((len(site), 1, 2), np.float32)}, site)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[Shard]:
    """The shards on which bases are scored, in place of the scores."""
    seen: list[Shard] = []

    def scorer(base: object, recipe: Recipe, shard: Shard, *, device: str) -> SimpleNamespace:
        check_scorable(shard, minimum=recipe.score.minimum_episodes)
        seen.append(shard)
        return SimpleNamespace(known=1.0)

    monkeypatch.setattr(base_score, "scorer_of", scorer)
    return seen


@pytest.mark.parametrize(
    ("site", "episodes", "sites"),
    [
        ((0, 1) * 6000, 256, 2),
        (tuple(range(3000)) * 4, 256, 64),
        ((0,) * 11_000 + (1,) * 8, 136, 2),
        ((0,) * 50 + (1,) * 50, 100, 2),
    ],
)
def test_attack_no_recipe_and_no_shard_makes_the_look_at_a_base_a_long_one(
    looked: list[Shard], site: tuple[int, ...], episodes: int, sites: int
) -> None:
    check_base(HOSTILE, {}, public(site))
    (shard,) = looked
    counted = Counter(shard.site)
    assert (shard.episodes, len(counted)) == (episodes, sites) and episodes <= LOOKED_AT
    assert min(counted.values()) >= 4


def test_attack_the_look_at_a_base_that_has_no_room_is_refused_before_it(
    looked: list[Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jepanet.work.room.memory_of", lambda device: 1 << 29)
    with pytest.raises(Rejected, match="comparing 256 episodes") as caught:
        check_base(HOSTILE, {}, public((0, 1) * 500))
    assert caught.value.reason == "too-little-memory" and not looked
