"""The world model as a family: its case of the conformance suite, and what only it promises.

`test_learning_families.py` runs the suite on `CASE`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from family_conformance import Case

from jepanet.errors import Rejected
from jepanet.learning.families.world import model as model_module
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import WorldModel
from jepanet.learning.family import FrameEncoder, PlanningNetwork
from learning_shards import SEED, WORLD, disc_shard

pytestmark = pytest.mark.unit

_WIDE = disc_shard(7)
CASE = Case(
    kind=World,
    family=replace(WORLD, colour=True, symmetry=True),
    shard=disc_shard(7),
    strange=_WIDE.with_arrays(frames=_WIDE.frames[..., ::2, ::2]),
)


def test_the_world_model_can_plan() -> None:
    network = WORLD.network(WORLD.initial_weights(SEED))
    assert isinstance(network, PlanningNetwork) and isinstance(network, FrameEncoder)


def test_symmetry_needs_actions_in_a_plane() -> None:
    three = replace(WORLD.model, actions=3)
    with pytest.raises(Rejected, match="2-D actions"):
        World(model=three)
    assert World(model=three, symmetry=False).model.actions == 3


def test_other_actions_than_the_recipes_are_refused() -> None:
    shard = disc_shard(7)
    with pytest.raises(Rejected, match="2 action dimensions; the recipe wants 16 and 3") as caught:
        replace(WORLD, model=replace(WORLD.model, actions=3)).check_shard(shard)
    assert caught.value.reason == "shard-mismatch"


def test_attack_large_frames_are_compared_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four whole episodes at once, of any length, took tens of GiB by a recipe of small batches."""
    network, encode = WORLD.network(WORLD.initial_weights(SEED)), WorldModel.encode
    seen: list[int] = []
    whole = network.compare(disc_shard(7))

    def counted(self: WorldModel, frames: torch.Tensor) -> torch.Tensor:
        seen.append(frames.shape[0] * frames.shape[1])
        return encode(self, frames)

    monkeypatch.setattr(WorldModel, "encode", counted)
    monkeypatch.setattr(model_module, "_NUMBERS", 20 * 2 * 16**2 * 3)
    parts = network.compare(disc_shard(7))
    assert max(seen) <= 20
    for name in ("latents", "actual", "predicted", "unchanged"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5)
