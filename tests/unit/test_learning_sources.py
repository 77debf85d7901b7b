"""Datasets from what is no simulator: built, sealed, licensed and held against recipes like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from test_learning_next_token import ECHO

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.plan import PUBLIC, check_sizes, plan, shard_size
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.on_disk import open_built
from jepanet.learning.data.schemas.registry import SCHEMAS
from jepanet.learning.data.shards import load_shard, shard_bytes
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.data.suitability import check_manifest, check_shards
from jepanet.learning.sources.registry import OFFERS, SOURCES, built_from, dataset_for
from jepanet.operations.datasets import build_dataset, offers
from jepanet.tensors import canonical_json, parse_json
from learning_shards import RECIPE, SEED
from throwaway.source import LICENCE, NAME, SOURCE

pytestmark = [pytest.mark.unit, pytest.mark.subprocess]

MAKING = SOURCE.load()
SIZES = MAKING.sizes["echo"]


@pytest.fixture(autouse=True)
def one_line_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast(dict[str, object], OFFERS), "echo", SOURCE)


def build(folder: Path, *, seed: bytes = SEED, sizes: dict[str, int] | None = None) -> None:
    wanted = {"episodes": 5} if sizes is None else sizes
    build_dataset("echo", folder, seed, wanted, workers=1, evaluation_seed=SEED[::-1], progress=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(cast(dict[str, object], OFFERS), "echo", SOURCE)
        build(made)
    return made


def test_a_source_is_a_folder_and_a_line(folder: Path) -> None:
    assert offers()["echo"].recipes == ("echo",)
    assert built_from(NAME) is SOURCE and built_from("nobody 1") is None
    assert dataset_for("echo") == (SOURCE, SOURCE.datasets[0])
    assert SOURCE.trains("echo") and not SOURCE.trains("tworoom")


def test_what_is_built_says_what_it_holds_and_whose_it_is(folder: Path) -> None:
    built = open_built(folder)
    manifest = built.manifest
    assert (manifest.data, manifest.probe, manifest.licence) == ("pairs", None, LICENCE)
    assert manifest.parameters == {**SIZES.to_json(), "episodes": 5} and manifest.parameters["tokens"] == 6
    assert not built.probe_path.exists() and len(manifest.training) == 3 and len(built.sealed) == 2
    assert DatasetManifest.from_bytes(manifest.to_bytes()) == manifest
    check_shards(built, ECHO)
    shard = load_shard(built.training_path(0))
    assert shard.schema.name == "pairs" and shard.episodes == 5 and shard.header["environment"] == NAME


def test_it_is_known_beforehand_how_large_a_file_becomes(folder: Path) -> None:
    environment = MAKING.environment
    recordings = plan(environment, replace(SIZES, episodes=5), SEED, SEED[::-1])
    for name, recording in recordings.items():
        assert (folder / name).stat().st_size <= shard_size(environment, recording)
    with pytest.raises(Fatal, match="at most 537 MB and 100000 pairs") as caught:
        many = replace(SIZES, public_sites=20, public_episodes=10_000)
        check_sizes(environment, plan(environment, many, SEED, SEED))
    assert caught.value.code == Exit.USAGE and "100000 pairs fit" in str(caught.value.remedy)
    assert "pixels" not in str(caught.value.remedy) and "frames" not in str(caught.value.remedy)


def test_the_same_seed_makes_the_same_bytes_and_another_others(folder: Path, tmp_path: Path) -> None:
    build(tmp_path / "again")
    names = ["manifest.json", "training-01.safetensors", "public.safetensors", "sealed/shard-001.safetensors"]
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    record = MAKING.environment.record
    first, other = (plan(MAKING.environment, SIZES, seed, SEED) for seed in (SEED, SEED[::-1]))
    assert shard_bytes(record(first[PUBLIC])) != shard_bytes(record(other[PUBLIC]))


def test_another_dataset_finds_the_folder_taken(folder: Path) -> None:
    with pytest.raises(Fatal, match="another seed") as caught:
        build(folder, seed=SEED[::-1])
    assert caught.value.code == Exit.DATASET
    with pytest.raises(Fatal, match="no size 'frames'"):
        build(folder, sizes={"frames": 5})


def test_a_recipe_for_other_data_is_refused(folder: Path) -> None:
    manifest = open_built(folder).manifest
    with pytest.raises(
        Rejected, match="the dataset holds pairs, and recipe 'test' trains on episodes"
    ) as caught:
        check_manifest(manifest, RECIPE)
    assert caught.value.reason == "unsuitable-dataset"
    recorded = replace(manifest, data="episodes", parameters={}, probe=manifest.public)
    check_manifest(recorded, RECIPE)
    with pytest.raises(Rejected, match="has no probe") as caught:
        check_manifest(replace(recorded, probe=None), RECIPE)
    assert caught.value.reason == "unsuitable-dataset"


def test_todays_manifests_keep_their_bytes(folder: Path) -> None:
    manifest = open_built(folder).manifest
    older = replace(manifest, data="episodes", licence="", probe=manifest.public)
    tree = parse_json(older.to_bytes(), max_bytes=1 << 20, what="manifest")
    assert isinstance(tree, dict)
    assert set(tree) == {"schema", "environment", "builder", "training", "public", "probe", "evaluation"}
    assert DatasetManifest.from_bytes(older.to_bytes()) == older


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data", "episodes"),  # the usual one is not written
        ("data", "videos"),
        ("data", 3),
        ("data", None),
        ("licence", ""),
        ("licence", "x" * 401),
        ("licence", "MIT\x1b[2J"),
        ("environment", "tworoom\u202e"),
        ("licence", ["MIT"]),
        ("probe", None),
    ],
)
def test_attack_a_manifest_that_says_odd_things_of_its_data(folder: Path, field: str, value: Any) -> None:
    tree = parse_json(open_built(folder).manifest.to_bytes(), max_bytes=1 << 20, what="manifest")
    assert isinstance(tree, dict)
    with pytest.raises(Rejected) as caught:
        DatasetManifest.from_bytes(canonical_json({**tree, field: value}))
    assert caught.value.reason == "bad-manifest"
    del tree["data"]  # then it is one of episodes, and those have probe frames
    with pytest.raises(Rejected, match="probe"):
        DatasetManifest.from_bytes(canonical_json(tree))


def test_sizes_of_a_source_are_its_own() -> None:
    assert SIZES.own() == {"tokens": 6} and Parameters().own() == {}
    assert (SIZES.frames, SIZES.image, SIZES.hold, SIZES.probe_frames) == (1, 0, 1, 0)
    with pytest.raises(Rejected, match="tokens"):
        replace(SIZES, tokens=1)  # type: ignore[call-arg]
    with pytest.raises(Rejected, match="multiple of hidden_sites"):
        replace(SIZES, evaluation_episodes=21)


@pytest.mark.parametrize("source", [SOURCE, *SOURCES.values()], ids=lambda item: item.name)
def test_every_source_agrees_with_its_record(source: Any) -> None:
    making = source.load()
    environment = making.environment
    assert source.name.isascii() and source.name.isalnum() and source.summary.endswith(".")
    assert environment.name == source.environment and environment.schema.name in SCHEMAS
    assert list(making.sizes) == [dataset.recipe for dataset in source.datasets] and source.examples
    assert environment.licence == source.licence != ""
    for sizes in making.sizes.values():
        check_sizes(environment, plan(environment, sizes, SEED, SEED))
