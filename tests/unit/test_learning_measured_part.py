"""Which episodes of a sealed shard a round is measured over: the beacon's choice, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.measured_part import check_part, part_of
from jepanet.learning.presets import preset
from jepanet.types import Digest
from learning_shards import disc_shard

pytestmark = pytest.mark.unit

BEACON, OTHER = bytes(range(32)), bytes(range(1, 33))
SITES = (3,) * 12 + (8,) * 8
RECIPE: Any = replace(preset("tworoom-tiny"), score=replace(preset("tworoom-tiny").score, minimum_episodes=6))


def manifest(episodes: int = 20, sites: tuple[int, ...] = (3, 8)) -> DatasetManifest:
    entry = ShardEntry(0, Digest(bytes(32)), 1, 1)
    evaluation = EvaluationEntry(4, None, episodes, sites)
    return DatasetManifest("discs", {}, bytes(32), (entry,), entry, entry, evaluation)


def places(episodes: int, beacon: bytes) -> list[int]:
    """Of the episodes that are taken."""
    shard = disc_shard(2, SITES)
    numbered = shard.with_arrays(state=shard.state * 0 + np.arange(20, dtype=np.float32)[:, None, None])
    return [int(value) for value in part_of(numbered, episodes, beacon).state[:, 0, 0]]


def test_the_sites_take_turns_and_the_order_stays() -> None:
    for episodes in (6, 10, 16):
        found = places(episodes, BEACON)
        assert found == sorted(set(found)) and len(found) == episodes
        assert sum(place < 12 for place in found) == episodes // 2
    assert sum(place >= 12 for place in places(18, BEACON)) == 8, "a site that has no more leaves its turns"
    assert places(20, BEACON) == list(range(20))


def test_attack_a_part_of_the_shard_is_leaked() -> None:
    """Which part is measured follows from the beacon alone; of a site, all episodes are equally likely."""
    assert places(8, BEACON) == places(8, BEACON) != places(8, OTHER)
    counts = np.zeros(20)
    for number in range(400):
        counts[places(8, number.to_bytes(32, "big"))] += 1
    assert counts[:12].min() > 90 and counts[:12].max() < 180, "4 of 12: 133 of 400"
    assert counts[12:].min() > 150 and counts[12:].max() < 250, "4 of 8: 200 of 400"


@pytest.mark.parametrize("episodes", [1, 5, 21, 100_000])
def test_attack_a_round_over_more_than_is_sealed_or_less_than_can_be_scored(episodes: int) -> None:
    with pytest.raises(Rejected) as caught:
        check_part(episodes, manifest(), RECIPE)
    assert caught.value.reason == "unsuitable-dataset" and "6 to 20" in (caught.value.remedy or "")


def test_what_fits_is_taken() -> None:
    for episodes in (0, 6, 20):
        check_part(episodes, manifest(), RECIPE)
    with pytest.raises(Rejected, match="8 or more"):  # two of each site
        check_part(6, manifest(20, (1, 2, 3, 4)), RECIPE)
