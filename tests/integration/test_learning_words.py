"""The usual dataset of words, from the installed package: a made-up one has what a test gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jepanet.learning.data.building import builder
from jepanet.learning.data.shards import load_shard
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.presets import preset
from jepanet.learning.sources.words import dataset
from jepanet.learning.sources.words.domains import EVALUATED
from learning_shards import SEED

pytestmark = pytest.mark.integration


def test_the_package_has_the_pairs_that_the_usual_dataset_wants(tmp_path: Path) -> None:
    """It had not: a sealed shard wanted one pair more than a domain has, and no seed built it."""
    environment = dataset.COLLECTION.environment
    built = builder.build(environment, dataset.SMALL, tmp_path, SEED, evaluation_seed=SEED)
    check_shards(built, preset("language-tiny"))
    for number in range(dataset.SMALL.evaluation_shards):
        shard = load_shard(built.evaluation_path(number))
        assert shard.episodes == dataset.SMALL.evaluation_episodes
        assert len(set(shard.site)) == len(EVALUATED)
