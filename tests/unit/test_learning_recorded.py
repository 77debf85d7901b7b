"""Goals of recorded episodes have known answers for models that know the world, and for dead ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.data.shards import recorded
from jepanet.learning.families.world.family import World
from jepanet.learning.family import Family, Network
from jepanet.learning.planning.recorded import CHOICES, GoalReaching, goal_reaching
from jepanet.learning.planning.rollout import rollout
from learning_shards import IMAGE, RECIPE, SEED, WORLD, disc_shard, initial

pytestmark = pytest.mark.unit

SHARD = disc_shard(5, (0,) * 12, frames=14)
WEIGHTS = initial(SEED)


class _Knows:
    """Latents are where the disc is; an action moves it by three pixels, borders stop it."""

    def latents(self, frames: Tensor) -> Tensor:
        bright = frames[:, 0].double() - frames[:, 0].amin(dim=(1, 2), keepdim=True)
        bright = bright**8  # hardly anything but the middle counts, also where a border cuts the disc
        line = torch.arange(IMAGE, dtype=torch.float64)
        total = bright.sum(dim=(1, 2))
        x, y = (bright.sum(dim=(1,)) @ line) / total, (bright.sum(dim=(2,)) @ line) / total
        found = torch.zeros(len(frames), WORLD.model.latent)
        found[:, 0], found[:, 1] = x, y
        return found

    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        moved = now.clone()
        moved[:, :2] = (now[:, :2] + 3.0 * acting).clamp(2, IMAGE - 3)
        return moved


class _Stays(_Knows):
    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        return now


class _Wrong(_Knows):
    """Actions move the disc the other way."""

    def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        return _Knows.step(self, before, now, acted, -acting)


class _Dead(_Stays):
    def latents(self, frames: Tensor) -> Tensor:
        return torch.ones(len(frames), WORLD.model.latent)


def family_of(network: type[_Knows]) -> World:
    class Given(World):
        __slots__ = ()

        def network(
            self, weights: Mapping[str, np.ndarray], device: str = "cpu", base: object = None
        ) -> Network:
            return cast(Network, network())

    return Given(**{name: getattr(WORLD, name) for name in WORLD.fields()})


def found(network: type[_Knows]) -> GoalReaching:
    recipe = replace(RECIPE, family=cast(Family, family_of(network)))
    return goal_reaching(WEIGHTS, recipe, SHARD, seed=SEED)


def test_who_knows_the_world_reaches_goals_and_tells_what_led_there() -> None:
    reached = found(_Knows)
    assert reached.problems == 64 and reached.choices == CHOICES
    assert reached.recorded < 0.05 and reached.planned < 0.05 and reached.others > 0.5
    assert reached.told.rate > 0.8
    assert reached.action_error < 0.9


def test_who_has_it_the_wrong_way_round_believes_in_its_plans_and_tells_nothing() -> None:
    """What a plan is believed to reach says nothing: what the recorded actions are believed to, does."""
    reached = found(_Wrong)
    assert reached.planned < 0.05
    assert reached.recorded > 1.0 and reached.told.rate < 0.2 and reached.action_error > 1.0


def test_latents_that_never_change_reach_nothing() -> None:
    reached = found(_Dead)
    assert (reached.planned, reached.recorded, reached.others) == (1.0, 1.0, 1.0)
    assert reached.told.rate == 0.0


def test_the_same_seed_draws_the_same_goals() -> None:
    one, same, other = (
        goal_reaching(WEIGHTS, RECIPE, SHARD, seed=seed, goals=20) for seed in (SEED, SEED, bytes(32))
    )
    assert one == same != other and one.problems == 20


def test_skill_is_one_for_who_knows_and_nothing_for_who_stays() -> None:
    knows, stays = (
        rollout(WEIGHTS, replace(RECIPE, family=cast(Family, family_of(kind))), SHARD, steps=5)
        for kind in (_Knows, _Stays)
    )
    assert min(knows.skill) > 0.95 and max(knows.nmse) < 0.1
    assert stays.skill == pytest.approx((0.0,) * 5, abs=1e-6)


def test_too_few_goals_are_refused() -> None:
    short = recorded(SHARD.frames[:2], SHARD.actions[:2], SHARD.state[:2], SHARD.site[:2])
    for shard, ahead in ((short, 8), (SHARD, 13), (SHARD, 0)):
        with pytest.raises(Rejected, match="goals") as caught:
            goal_reaching(WEIGHTS, RECIPE, shard, seed=SEED, ahead=ahead)
        assert caught.value.reason == "shard-mismatch"


def test_an_imagination_that_explodes_is_refused() -> None:
    class Explodes(_Knows):
        def step(self, before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
            return now * 1e30

    with pytest.raises(Rejected) as caught:
        found(Explodes)
    assert caught.value.reason == "non-finite"
