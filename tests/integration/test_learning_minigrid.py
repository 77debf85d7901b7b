"""Scenes of the real MiniGrid: the same bytes from the same seed, and answers that the picture bears out."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace

import numpy as np
import pytest

from jepanet.learning.data.building.plan import check_sizes, plan
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import Shard, check_shard, load_shard, shard_bytes
from jepanet.learning.presets import preset
from jepanet.learning.sources.minigrid.dataset import COLLECTION, EVALUATED, TRAINED
from jepanet.learning.sources.minigrid.questions import told
from jepanet.learning.sources.minigrid.worlds import world

pytestmark = pytest.mark.integration

SEED, SECRET = bytes(range(32)), bytes(range(1, 33))
ENVIRONMENT = COLLECTION.environment
SIZES = replace(
    COLLECTION.sizes["vision-language-tiny"],
    training_sites=2, episodes=10, public_episodes=3, evaluation_shards=1, evaluation_episodes=25,
)  # fmt: skip
CONTENT = {
    "sealed/shard-000.safetensors": "d18f37d6a55f04f9601e87eb1f8c91e3901b94a0172a9447a9c70f1f8b630f34",
    "training-00.safetensors": "caf8aea770a11a424ea0b59b56424ffbd7136299b4296c8daf8825e0be23fa13",
    "training-01.safetensors": "5d0c572f357dcc30aea7ef40192f908a2c250784d253bf6bb0725b336f770360",
    "public.safetensors": "26c185ef729b9a1df30154371511ede4085769d74fb03a5e8866bbbd81f7753f",
}
"""SHA-256 of pictures, queries and answers, as drawn on x86-64."""
RGB = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "purple": (112, 39, 195),
    "yellow": (255, 255, 0),
}


def tint(colours: np.ndarray) -> np.ndarray:
    """What is not grey of colours [..., 3]: cells that are seen are drawn lighter, locked doors darker."""
    found: np.ndarray = colours - colours.mean(axis=-1, keepdims=True)
    return found


@pytest.fixture(scope="module")
def shards() -> dict[str, Shard]:
    recordings = plan(ENVIRONMENT, SIZES, SEED, SECRET)
    return {name: ENVIRONMENT.record(recording) for name, recording in recordings.items()}


def test_the_same_seed_draws_the_same_scenes(shards: dict[str, Shard]) -> None:
    assert set(shards) == set(CONTENT)
    found = {}
    for name, shard in shards.items():
        check_shard(shard)
        check_scorable(shard, minimum=1)
        preset("vision-language-tiny").family.check_shard(load_shard(shard_bytes(shard)))
        parts = b"".join(shard.array(item).tobytes() for item in ("images", "queries", "answers"))
        found[name] = hashlib.sha256(parts).hexdigest()
    if platform.machine() == "x86_64":
        assert found == CONTENT


def test_another_seed_draws_others(shards: dict[str, Shard]) -> None:
    other = plan(ENVIRONMENT, SIZES, SECRET, SEED)["training-00.safetensors"]
    drawn = ENVIRONMENT.record(other)
    assert (drawn.array("images") != shards["training-00.safetensors"].array("images")).any()


def test_every_part_has_sites_of_its_own(shards: dict[str, Shard]) -> None:
    sealed = shards["sealed/shard-000.safetensors"]
    assert set(sealed.site) == {1000 + index for index in range(len(EVALUATED))}
    assert set(shards["public.safetensors"].site) == {2000 + index for index in range(len(TRAINED))}
    assert set(shards["training-01.safetensors"].site) == {1}
    for name, sizes in COLLECTION.sizes.items():
        check_sizes(ENVIRONMENT, plan(ENVIRONMENT, sizes, SEED, SECRET))
        assert preset(name).family.sizes.image == sizes.image


@pytest.mark.parametrize("task", EVALUATED)
def test_things_are_where_the_picture_shows_them(task: str) -> None:
    look, shown = world(task), 0
    for seed in range(12):
        view = look(seed, 8)
        assert view.picture.shape == (3, 56, 56) and view.picture.dtype == np.uint8
        for thing in view.things:
            row, column = 8 * (6 - thing.ahead), 8 * (3 + thing.right)
            cell = view.picture[:, row : row + 8, column : column + 8].reshape(3, -1).T.astype(float)
            if thing.colour in RGB:
                wanted, seen = tint(np.array(RGB[thing.colour], float)), tint(cell)
                long = np.linalg.norm(seen, axis=1)
                alike = seen @ wanted / np.linalg.norm(wanted) / np.maximum(long, 1e-9)
                assert ((alike > 0.95) & (long > 15)).any(), (seed, thing)
                shown += 1
    assert shown > 5


def test_answers_are_told_in_words(shards: dict[str, Shard]) -> None:
    shard = shards["training-00.safetensors"]
    assert told(shard.array("queries")[0, 0]) == "what is straight ahead"
    assert all(told(answer) for answer in shard.array("answers").reshape(-1, 2))
