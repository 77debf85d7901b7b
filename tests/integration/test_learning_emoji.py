"""Emoji from the real packages: who is shown what, and the same bytes from the same seed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.plan import check_sizes, plan
from jepanet.learning.data.shards import Shard, check_shard, load_shard, shard_bytes
from jepanet.learning.sources.emoji.dataset import COLLECTION
from jepanet.learning.sources.emoji.drawing import Placement, picture
from jepanet.learning.sources.emoji.packages import read_categories, read_drawings, require_packages
from jepanet.learning.sources.emoji.sets import SETS, UNSEEN
from jepanet.learning.sources.emoji.symbols import PUBLIC, SEALED, TRAINING, common_symbols, part_of_symbols

pytestmark = pytest.mark.integration

SEED, SECRET = bytes(range(32)), bytes(range(1, 33))
ENVIRONMENT = COLLECTION.environment
SIZES = replace(
    COLLECTION.sizes["image-tiny"],
    training_sites=2, episodes=8, public_episodes=8, evaluation_shards=1, evaluation_episodes=10,
    probe_frames=32, image=32,
)  # fmt: skip
PIXELS = {
    "sealed/shard-000.safetensors": "635d16c14dd2700dbf339740884e3d0ade1e404a586321c50a060737132b5115",
    "training-00.safetensors": "8d9c3f14a8aa5033873f501e45c16bbdb53086b5f87281e795a18a24ac47a3ea",
    "training-01.safetensors": "82fa664b850d2cacb060b2b20489e9470a3096849e69b1bec90a8ec3198aa721",
    "public.safetensors": "d65ae518ffc22dd280e0b2de67c74e535f3fa59b0871e742b3b1d45cc94012be",
}
"""SHA-256 of the pictures as drawn on x86-64."""


@pytest.fixture(scope="module")
def shards() -> dict[str, Shard]:
    recordings = plan(ENVIRONMENT, SIZES, SEED, SECRET)
    return {name: ENVIRONMENT.record(recording) for name, recording in recordings.items()}


def test_the_same_seed_draws_the_same_pixels(shards: dict[str, Shard]) -> None:
    assert set(shards) == {*PIXELS, "probe.safetensors"}
    for name in PIXELS:
        shard = shards[name]
        check_shard(shard)
        assert load_shard(shard_bytes(shard)).header["environment"] == ENVIRONMENT.name
        if platform.machine() == "x86_64":
            assert hashlib.sha256(shard.array("images").tobytes()).hexdigest() == PIXELS[name], name


def test_another_seed_draws_others(shards: dict[str, Shard]) -> None:
    other = plan(ENVIRONMENT, replace(SIZES, training_sites=1), SECRET, SEED)["training-00.safetensors"]
    drawn = ENVIRONMENT.record(other)
    assert (drawn.array("images") != shards["training-00.safetensors"].array("images")).any()


def test_nobody_trains_on_what_is_evaluated(shards: dict[str, Shard]) -> None:
    def symbols(name: str) -> set[int]:
        return set(shards[name].array("labels")[:, 1].tolist())

    parts = [symbols(name) for name in PIXELS]
    assert all(not one & other for one in parts for other in parts if one is not other)
    assert set(shards["sealed/shard-000.safetensors"].site) == {1000, 1001, 1002, 1003, 1004}


def test_a_site_for_every_style_and_no_more() -> None:
    with pytest.raises(Fatal, match="5 styles") as caught:
        ENVIRONMENT.sites(np.random.default_rng(), replace(SIZES, hidden_sites=6, evaluation_episodes=12))
    assert caught.value.code == Exit.USAGE
    check_sizes(ENVIRONMENT, plan(ENVIRONMENT, COLLECTION.sizes["image-tiny"], SEED, SECRET))


def test_parts_of_symbols_are_apart_and_whole() -> None:
    for count in (1050, 1037, 10):
        parts = [set(part_of_symbols(count, name, 0, 1)) for name in (SEALED, PUBLIC, TRAINING)]
        assert set().union(*parts) == set(range(count)) and sum(map(len, parts)) == count
        shares = [set(part_of_symbols(count, TRAINING, share, 4)) for share in range(4)]
        assert set().union(*shares) == parts[2] and sum(map(len, shares)) == len(parts[2])


def test_the_last_style_is_for_evaluation_alone() -> None:
    sites = ENVIRONMENT.sites(np.random.default_rng(), SIZES)
    shown = {style for site in (*sites.training, *sites.public) for style in site.styles}  # type: ignore[attr-defined]
    assert shown == set(range(UNSEEN)) and len(SETS) == UNSEEN + 1 == 5
    assert {site.styles for site in sites.hidden} == {(style,) for style in range(5)}  # type: ignore[attr-defined]


def test_every_set_draws_every_common_symbol() -> None:
    sets, categories = [read_drawings(item) for item in SETS], read_categories()
    symbols = common_symbols(sets, categories)
    assert len(symbols) == len({symbol for symbol, _ in symbols}) == 1050
    assert not any("skin-tone" in symbol or symbol in categories["Flags"] for symbol, _ in symbols)
    assert {category for _, category in symbols} == set(range(len(categories) - 1))
    place = Placement((10, 200, 30), 0.5, 0.0, 0.0, 0.0)
    for item in sets:
        drawing = item.find(symbols[0][0])
        assert drawing is not None
        drawn = picture(drawing, place, 24)
        assert drawn.shape == (3, 24, 24) and drawn.dtype == np.uint8
        assert drawn[:, 0, 0].tolist() == [10, 200, 30] and (drawn != drawn[:, :1, :1]).any()
    assert sets[0].find("no such symbol") is None


def test_attack_a_package_that_holds_other_drawings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "node_modules" / "@iconify-json" / "noto"
    folder.mkdir(parents=True)
    (folder / "icons.json").write_text('{"icons": {}, "aliases": {}, "width": 1, "height": 1}')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fatal, match=r"is not that of @iconify-json/noto@1\.2\.9") as caught:
        read_drawings(SETS[0])
    assert caught.value.code == Exit.DATASET and "npm install" in str(caught.value.remedy)


def test_another_renderer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_packages()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    with pytest.raises(Fatal, match=r"resvg-py is 9\.9\.9, not 0\.5\.0") as caught:
        require_packages()
    assert caught.value.code == Exit.DATASET
