"""How much memory a recipe takes: said before any of it is taken, and what a machine has."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import most_file_bytes
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import encode
from jepanet.learning.families.image.family import Image
from jepanet.learning.families.image.sizes import ImageModelSizes
from jepanet.learning.families.language.family import Language
from jepanet.learning.families.language.sizes import LanguageModelSizes
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import ModelSizes, WorldSizes
from jepanet.learning.machine.device import memory_of
from jepanet.learning.machine.installed import installed_memory
from jepanet.learning.memory import (
    RUNTIME,
    TrainingMemory,
    comparing_memory,
    data_memory,
    measuring_memory,
    most_parameters,
    training_memory,
)
from jepanet.learning.model_file import model_cap
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed, read_recipe
from jepanet.node.documents import LearningDocuments
from jepanet.node.opening import job_memory
from jepanet.protocol.documents.spec import MAX_DELTA_BYTES
from jepanet.roles.steps.preparation import check_memory
from jepanet.settings.config import WorkerSection
from jepanet.work.room import check_comparable, check_trainable
from learning_shards import RECIPE, SEED, disc_shard, image_shard, pair_shard

pytestmark = pytest.mark.unit

GIB = 1 << 30
TINY_IMAGES = ImageModelSizes(image=16, patch=4, width=8, depth=1, heads=1)
LARGE = Recipe(
    World(model=ModelSizes(image=224, channels=(64, 128, 256), hidden=2900, latent=192, predictor=1024)),
    "large",
)
"""150 million parameters at 224 pixels: more than today's recipes by far, and nothing to refuse by itself."""


def test_a_large_recipe_is_a_recipe_and_its_files_have_room() -> None:
    assert 145e6 < LARGE.parameters() < 155e6
    tracemalloc.start()
    try:
        assert read_recipe(LARGE.to_bytes()) == LARGE
        shapes = LARGE.family.parameter_shapes()
        sizes = {codec: most_file_bytes(shapes, codec) for codec in CODECS}
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 4 << 20, "nothing of the model was allocated"
    assert max(sizes.values()) < MAX_DELTA_BYTES
    assert model_cap(LARGE) > 8 * LARGE.parameters()


def test_a_training_holds_weights_gradients_and_moments_where_it_computes() -> None:
    found, each = training_memory(LARGE), 4 * LARGE.parameters()
    assert (found.weights, found.gradients, found.moments) == (each, each, 2 * each)
    assert found.activations == 4 * LARGE.family.sizes.activations > 0
    on_gpu = found.on("cuda:0")
    assert on_gpu == 4 * each + found.activations + RUNTIME == found.on("cuda", processes=4)
    assert found.on("cpu") == on_gpu + found.copies
    assert found.on("cpu", processes=2) == 2 * found.on("cpu") - found.activations


def test_measuring_holds_the_deltas_of_a_round() -> None:
    one, two = (measuring_memory(LARGE, models) for models in (1, 2))
    assert two - one == 4 * LARGE.parameters()


@pytest.mark.parametrize(("device", "processes"), [("cpu", 1), ("cpu", 3), ("cuda:1", 1)])
def test_the_largest_model_that_has_room_is_the_largest(device: str, processes: int) -> None:
    most = most_parameters(device, 20 * GIB, processes)

    def needed(parameters: int) -> int:
        each = 4 * parameters
        return TrainingMemory(each, each, 2 * each, 0, 9 * each).on(device, processes)

    assert needed(most) <= 20 * GIB < needed(most + 1)
    assert most_parameters(device, RUNTIME // 2) <= 0


def test_what_a_container_may_take_is_what_there_is(tmp_path: Path) -> None:
    there = installed_memory(())
    assert there > 1 << 28 and installed_memory((tmp_path / "none",)) == there
    for text, found in (("max", there), ("123456789\n", 123456789), (str(1 << 62), there), ("", there)):
        (tmp_path / "limit").write_text(text)
        assert installed_memory((tmp_path / "limit",)) == found
    assert memory_of("cpu") == installed_memory()


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_node_knows_what_a_round_takes_where_it_computes(device: str) -> None:
    told = LearningDocuments(device, 2).recipe(LARGE.to_bytes())
    assert told.training_bytes == training_memory(LARGE).on(device, 2)
    on_cpu = device == "cpu"
    assert told.measuring_bytes == measuring_memory(LARGE, 3 if on_cpu else 1)
    assert told.delta_bytes == (4 * LARGE.parameters() if on_cpu else 0)


def test_a_round_that_takes_more_than_the_operator_allows_is_left_alone() -> None:
    needed = LearningDocuments().recipe(LARGE.to_bytes()).training_bytes
    round_: Any = SimpleNamespace(id=7)
    for memory in (None, needed):
        context: Any = SimpleNamespace(memory=memory, device="cpu")
        check_memory(context, round_, needed)
    with pytest.raises(Rejected, match=r"round 7 takes about .* worker\.memory_gb allows 4\.0") as caught:
        check_memory(SimpleNamespace(memory=4 * GIB, device="cpu"), round_, needed)  # type: ignore[arg-type]
    assert caught.value.reason == "too-little-memory" and "worker.memory_gb" in (caught.value.remedy or "")


def test_hostile_batches_are_seen_in_the_estimate_and_not_allocated() -> None:
    wide = World(model=ModelSizes(image=512, channels=(256, 8, 8)), windows=1024, window=3)
    recipe = Recipe(wide, "hostile", inner_steps=1, warm_steps=0)
    assert training_memory(recipe).activations > 80 * GIB
    assert training_memory(replace(recipe, family=RECIPE.family)).activations < 4 << 20
    assert isinstance(wide, WorldSizes)


def test_attack_what_a_large_shard_is_compared_by_is_seen_in_an_estimate() -> None:
    """By a tiny model of a thousand tokens an image, a shard of 47 MB takes 8 GB in each of its encodings."""
    model = ImageModelSizes(image=128, patch=4, latent=1024, width=8, depth=1, heads=1)
    recipe = Recipe(Image(model=model, images=2), "hostile", inner_steps=1, warm_steps=0)
    images, labels = np.broadcast_to(np.uint8(0), (1000, 3, 128, 128)), np.zeros((1000, 1), np.int32)
    shard = Shard(IMAGES, {"images": images, "labels": labels}, (0,) * 1000)
    assert measuring_memory(recipe, 3) < GIB
    assert comparing_memory(recipe, shard) > 4 * 8 * 1000 * 1024 * 1024
    with pytest.raises(Rejected, match=r"comparing 1,000 images by recipe 'hostile' takes about \d+\.\d GiB"):
        check_comparable(recipe, shard)


def test_the_estimate_of_a_comparison_lies_above_what_is_encoded() -> None:
    for family, made in (
        (RECIPE.family, disc_shard(1)),
        (Image(model=replace(TINY_IMAGES, latent=96)), image_shard(1, side=16)),
        (Language(model=LanguageModelSizes(vocabulary=24, context=8, width=16, depth=1)), pair_shard(1)),
    ):
        recipe = Recipe(family, "tiny", align_above=180.0)
        found = encode(family.initial_weights(SEED), recipe, made)
        held = (found.latents, found.actual, found.predicted, found.unchanged)
        encoded = sum(array.nbytes for array in held)
        assert 4 * encoded < comparing_memory(recipe, made) < 20 * encoded + (1 << 22)


def test_attack_the_shards_of_a_stream_are_seen_in_an_estimate() -> None:
    files = [512 << 20] * 40
    assert data_memory(files, 16) == data_memory(files[:17], 16) > 17 * 512 << 20
    with pytest.raises(Rejected, match="takes about") as caught:
        check_trainable(changed(RECIPE, "loop.mix", 16), "cpu", 16, files)
    assert caught.value.reason == "too-little-memory"


def test_a_node_whose_operator_has_not_said_takes_what_the_machine_has() -> None:
    assert job_memory(WorkerSection()) == installed_memory()
    assert job_memory(WorkerSection(device="cuda:0")) is None
    for device in ("cpu", "cuda"):
        assert job_memory(WorkerSection(device=device, memory_gb=2.0)) == 2 * GIB
