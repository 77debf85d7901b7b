"""The world model of transformers (ViT encoder, transformer predictor): the promises of any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from family_conformance import CHECKS, SEED, Case
from test_learning_family_world import CASE as CONVOLUTIONS

from jepanet.errors import Rejected
from jepanet.learning.families.world import model as model_module
from jepanet.learning.families.world.attending import AttendingPredictor
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import WorldModel
from jepanet.learning.families.world.sizes import ModelSizes, TransformerSizes, VitSizes
from jepanet.learning.family import FrameEncoder, PlanningNetwork
from jepanet.learning.presets import preset
from jepanet.learning.recipe_reader import changed, read_recipe
from jepanet.learning.sources.registry import dataset_for
from learning_shards import RECIPE, WORLD, disc_shard

pytestmark = pytest.mark.unit

VIT = VitSizes(patch=4, width=16, depth=2, heads=2)
TRANSFORMER = TransformerSizes(width=12, depth=2, heads=2, head=8)
MODEL = ModelSizes(image=16, latent=6, hidden=24, predictor=32, vit=VIT, transformer=TRANSFORMER)
CASE = Case(
    kind=World,
    family=replace(WORLD, model=MODEL, colour=True, symmetry=True),
    shard=CONVOLUTIONS.shard,
    strange=CONVOLUTIONS.strange,
)
HALVES = {
    "vit": replace(MODEL, transformer=None),
    "transformer": replace(MODEL, vit=None, channels=WORLD.model.channels),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_transformers_conform(check: Callable[[Case], None]) -> None:
    check(CASE)


@pytest.mark.parametrize("half", HALVES)
def test_either_transformer_goes_with_the_other_kind(half: str) -> None:
    family = replace(cast(World, CASE.family), model=HALVES[half])
    case = replace(CASE, family=family)
    for check in CHECKS:
        if check.__name__ in ("shapes_are_those_of_the_weights", "its_memory_is_estimated_from_above",
                              "the_loss_reaches_every_parameter", "fields_survive_the_wire"):  # fmt: skip
            check(case)


def test_it_plans_and_encodes_frames() -> None:
    network = CASE.family.network(CASE.family.initial_weights(SEED))
    assert isinstance(network, PlanningNetwork) and isinstance(network, FrameEncoder)


def test_what_comes_after_tells_nothing_of_what_comes_before() -> None:
    """The earlier of two latents is not told of the later, nor of its action."""
    network = cast(WorldModel, CASE.family.network(CASE.family.initial_weights(SEED)))
    heard: list[torch.Tensor] = []
    last = cast(AttendingPredictor, network.predictor).blocks[-1]
    last.register_forward_hook(lambda *item: heard.append(item[-1]))
    before, now, action = torch.ones(3, 6), torch.zeros(3, 6), torch.zeros(3, 2)
    with torch.inference_mode():
        network.step(before, now, action, action)
        network.step(before, now + 1.0, action, action + 1.0)
    assert torch.equal(heard[0][:, 0], heard[1][:, 0])
    assert not torch.equal(heard[0][:, 1], heard[1][:, 1])


def test_a_recipe_that_names_no_transformer_keeps_its_bytes() -> None:
    for text in (RECIPE.to_bytes(), preset("tworoom").to_bytes()):
        assert b"vit" not in text and b"transformer" not in text
    recipe = CASE.recipe()
    assert b'"vit":' in recipe.to_bytes() and read_recipe(recipe.to_bytes()) == recipe


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("model.vit.patch", 5, "model.vit.patch must divide model.image in 2 to 32 parts"),
        ("model.vit.patch", 16, "model.vit.patch must divide model.image in 2 to 32 parts"),
        ("model.image", 18, "model.vit.patch must divide model.image"),
        ("model.vit.heads", 3, "model.vit.width must be a multiple of 4 and of model.vit.heads"),
        ("model.vit.width", 2**20, "model.vit.width must be a whole number from 8 to 1536"),
        ("model.vit.width", 18, "model.vit.width must be a multiple of 4"),
        ("model.channels", (4, 6, 8), "model.channels are of convolutions"),
        ("model.transformer.depth", 0, "model.transformer.depth must be a whole number from 1 to 24"),
        ("model.transformer.dropout", 0.1, "model.transformer.dropout is unknown"),
    ],
)
def test_impossible_shapes_name_the_key(path: str, value: object, says: str) -> None:
    with pytest.raises(Rejected, match=says) as caught:
        changed(CASE.recipe(), path, value)
    assert caught.value.reason == "bad-recipe"


def test_attack_large_frames_are_compared_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    network, encode = CASE.family.network(CASE.family.initial_weights(SEED)), WorldModel.encode
    seen: list[int] = []
    whole = network.compare(disc_shard(7))

    def counted(self: WorldModel, frames: torch.Tensor) -> torch.Tensor:
        seen.append(frames.shape[0] * frames.shape[1])
        return encode(self, frames)

    monkeypatch.setattr(WorldModel, "encode", counted)
    monkeypatch.setattr(model_module, "_NUMBERS", 20 * cast(WorldModel, network).widest)
    parts = network.compare(disc_shard(7))
    assert max(seen) <= 20
    np.testing.assert_allclose(parts.predicted, whole.predicted, rtol=1e-4, atol=1e-5)


def test_the_published_sizes() -> None:
    """arXiv:2603.19312: ViT-tiny/14 at 224 pixels, latent 192, predictor of 6 blocks with 16 heads of 64 and
    an MLP of 2048, batches of 128 windows of 4 frames; about 15 M parameters are published."""
    recipe = preset("world-lewm")
    family = cast(World, recipe.family)
    assert family.model.vit == VitSizes() == VitSizes(patch=14, width=192, depth=12, heads=3)
    assert family.model.transformer == TransformerSizes() == TransformerSizes(192, 6, 16, 64)
    assert (family.model.image, family.model.latent, family.model.predictor) == (224, 192, 2048)
    assert (family.windows, family.window) == (128, 4) and recipe.loop.precision == "bf16"
    assert 15e6 < recipe.parameters() < 17.5e6


def test_the_large_one_begins_at_random_weights() -> None:
    recipe = preset("world-large")
    model = cast(World, recipe.family).model
    assert model.latent == 256 and model.vit is not None and model.vit.depth == 8 and model.image == 224
    assert recipe.warm_steps == 0


def test_the_tiny_one_is_the_smallest_usable_tworoom_by_another_name() -> None:
    """On the same dataset, so that a demonstration of either plays the same episodes."""
    tiny, small = preset("world-tiny"), preset("tworoom-small")
    assert replace(tiny, name=small.name) == small and tiny.name == "world-tiny"
    assert dataset_for("world-tiny") == dataset_for("tworoom-small")
