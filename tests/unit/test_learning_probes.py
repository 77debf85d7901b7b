"""Probes read what is there, off latents and off raw pictures and texts, and are told when nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from jepanet.learning.data.schemas.registry import SCHEMAS
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.metrics import encode, heldout_metrics
from jepanet.learning.evaluation.probes import classified, probed, probed_raw, retrieved
from jepanet.learning.family import Encoded
from learning_shards import RECIPE, SEED, disc_shard, image_shard, initial, pair_shard, shard_of

pytestmark = pytest.mark.unit

SITES = (0,) * 20 + (1,) * 20


def encoded(latents: np.ndarray) -> Encoded:
    return Encoded(latents, latents, latents, latents)


def test_classes_that_stand_apart_are_told_and_noise_is_not() -> None:
    draw = np.random.default_rng(0)
    classes = np.arange(40) // 2 % 4
    told = np.eye(4)[classes] + 0.01 * draw.standard_normal((40, 4))
    assert classified(told, classes, (0,) * 40) == {"knn": 1.0, "linear": 1.0, "majority": 0.25}
    noise = classified(draw.standard_normal((40, 4)), classes, (0,) * 40)
    assert max(noise["knn"], noise["linear"]) < 0.7
    dead = classified(np.zeros((40, 4)), classes, (0,) * 40)
    assert dead["linear"] == dead["majority"]


def test_what_is_sought_is_found_among_what_may_be_found() -> None:
    rows = np.eye(6)
    same, everywhere = np.eye(6, dtype=bool), np.ones((6, 6), dtype=bool)
    assert retrieved(rows, rows, same, everywhere) == 1.0
    assert retrieved(rows, np.roll(rows, 1, axis=0), same, everywhere) == 0.0
    assert retrieved(rows, rows, same, ~same) is None
    second_best = rows + 1.1 * np.roll(rows, 1, axis=1)
    assert retrieved(second_best, rows, same, everywhere) == 0.0
    assert retrieved(second_best, rows, same, everywhere, 2) == 1.0


def test_images_are_read_by_label_and_found_on_another_site() -> None:
    shard = image_shard(1, SITES)
    symbols = np.tile(np.arange(20), 2)
    labels = np.stack([symbols // 2 % 2, symbols], axis=1).astype(np.int32)
    shard = shard.with_arrays(labels=labels)
    seen = np.eye(20)[symbols][:, None] + 3.0 * (np.eye(2)[labels[:, 0]] @ np.ones((2, 20)))[:, None]
    found = probed(shard, encoded(seen))
    assert found["retrieval"] == 1.0
    raw = probed_raw(shard)
    assert set(raw) == {"knn", "linear", "majority", "retrieval"} and raw["retrieval"] < 0.5
    alone = Shard(shard.schema, {n: a[:20] for n, a in shard.arrays.items()}, SITES[:20])
    assert "retrieval" not in probed_raw(alone), "no other site has any of its symbols"


def test_the_second_text_of_a_pair_is_found() -> None:
    shard = pair_shard(1, SITES)
    found = probed(shard, encoded(np.stack([np.eye(40), np.eye(40)], axis=1)))
    assert (found["retrieval"], found["retrieval of 5"]) == (1.0, 1.0)
    raw = probed_raw(shard)
    assert 0.0 < raw["retrieval"] <= raw["retrieval of 5"] <= 1.0
    assert "knn" not in probed_raw(pair_shard(1)), "one site is no class"


def test_positions_are_read_off_pictures() -> None:
    shard = disc_shard(1, (0,) * 16)
    assert probed_raw(shard)["position"] > 0.5
    blank = shard.with_arrays(frames=np.zeros_like(shard.frames))
    assert probed_raw(blank)["position"] == pytest.approx(0.0, abs=1e-6)
    weights = initial(SEED)
    found = probed(shard, encode(weights, RECIPE, shard))
    assert found == {"position": heldout_metrics(weights, RECIPE, shard).probe_r2}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_kind_of_data_has_probes(kind: str) -> None:
    found = probed_raw(shard_of(kind, 3, SITES))
    assert found and all(np.isfinite(value) for value in found.values())


def test_predicted_answers_are_told() -> None:
    shard = shard_of("questions", 3, SITES)
    answers = shard.array("answers")[:, :, 0]
    guesses = np.eye(int(answers.max()) + 1)[answers]
    found = probed(shard, encoded(guesses))
    assert found["knn"] > 0.9 > found["majority"]
