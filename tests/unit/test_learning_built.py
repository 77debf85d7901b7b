"""Opening a dataset on disk: every file has its digest, and secrets are private. Needs no simulator."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import keep
from jepanet.learning.data.building import builder as building
from jepanet.learning.data.building.plan import PUBLIC, Environment, Layout, check_sizes, plan, shard_size
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.manifest import DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.on_disk import BuiltDataset, SealedShard, open_built, sealed_bytes
from jepanet.learning.data.shards import save_shard, shard_bytes
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.recipe import Recipe
from jepanet.learning.simulators.registry import SIMULATORS
from learning_shards import RECIPE as TINY_RECIPE
from learning_shards import SEED, disc_shard, sized

pytestmark = pytest.mark.unit

TWOROOM = SIMULATORS["tworoom"].load().environment
ENVIRONMENTS = [simulator.load().environment for simulator in SIMULATORS.values()]

FILES = ["training-00.safetensors", "public.safetensors", "probe.safetensors", "sealed/shard-001.safetensors"]


def put(path: Path, seed: int, site: int) -> ShardEntry:
    digest = save_shard(path, disc_shard(seed, (site,) * 2, frames=3))
    return ShardEntry(site, digest, path.stat().st_size, 2)


@pytest.fixture
def built(tmp_path: Path) -> BuiltDataset:
    (tmp_path / "sealed").mkdir(mode=0o700)
    entries = [put(tmp_path / name, index, index) for index, name in enumerate(FILES[:3])]
    sealed = []
    for index in range(2):
        path = tmp_path / "sealed" / f"shard-{index:03d}.safetensors"
        sealed.append(SealedShard(index, put(path, 10 + index, 1000).digest, bytes([index]) * 32, path))
    manifest = DatasetManifest(
        "discs", {}, SEED, (entries[0],), entries[1], entries[2], EvaluationEntry(2, None, 2, (1000,))
    )
    keep(tmp_path / "sealed/sealed.json", sealed_bytes(bytes(32), sealed), mode=0o600)
    keep(tmp_path / "manifest.json", manifest.to_bytes())
    return BuiltDataset(tmp_path, manifest, tuple(sealed))


def refused(built: BuiltDataset, match: str | None = None) -> Fatal:
    with pytest.raises(Fatal, match=match) as caught:
        open_built(built.directory)
    assert caught.value.code == Exit.DATASET
    assert caught.value.remedy
    return caught.value


def test_a_whole_dataset_opens(built: BuiltDataset) -> None:
    assert open_built(built.directory) == built


def test_secrets_do_not_show_in_a_log(built: BuiltDataset) -> None:
    text = repr(built)
    assert all(
        shard.blinding.hex() not in text and repr(shard.blinding) not in text for shard in built.sealed
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "flipped", "longer", "folder"])
def test_a_damaged_file_is_found(name: str, damage: str, built: BuiltDataset) -> None:
    path = built.directory / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        data[-1] ^= damage == "flipped"
        path.write_bytes(bytes(data) + b"\0" * (damage == "longer"))
    refused(built, path.name)


def test_two_swapped_shards_are_found(built: BuiltDataset) -> None:
    first, second = built.evaluation_path(0), built.evaluation_path(1)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    refused(built, "shard-000")


@pytest.mark.parametrize("name", ["manifest.json", "sealed/sealed.json"])
@pytest.mark.parametrize(
    "content", [None, b"", b"{}", b"[]", b"null", b"[" * 100_000, b'{"shards":[1]}', b" " * (2 << 20)]
)
def test_a_damaged_list_is_found(name: str, content: bytes | None, built: BuiltDataset) -> None:
    path = built.directory / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    refused(built)


@pytest.mark.parametrize("change", ["fewer", "reversed", "negative", "outside", "short", "not hex", "true"])
def test_a_sealed_list_that_names_other_shards_is_found(change: str, built: BuiltDataset) -> None:
    path = built.directory / "sealed/sealed.json"
    tree = json.loads(path.read_bytes())
    first, second = tree["shards"]
    tree["shards"] = {
        "fewer": [first],
        "reversed": [second, first],
        "negative": [{**first, "index": -1}, second],
        "outside": [first, {**second, "index": 999}],
        "short": [{**first, "blinding": "00"}, second],
        "not hex": [first, {**second, "digest": "zz" * 32}],
        "true": [first, {**second, "index": True}],
    }[change]
    keep(path, json.dumps(tree, sort_keys=True, separators=(",", ":")).encode(), mode=0o600)
    refused(built)


@pytest.mark.parametrize("name", ["manifest.json", "sealed/sealed.json"])
def test_a_list_that_was_changed_into_another_sound_one_is_found(name: str, built: BuiltDataset) -> None:
    path = built.directory / name
    data = path.read_bytes()
    changed = data.replace(b'"seed":"00', b'"seed":"01')
    assert changed != data
    path.write_bytes(changed)
    assert "is recorded anew" in str(refused(built, "differs from its digest").remedy)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_secrets_that_others_can_read_are_found(mode: int, built: BuiltDataset) -> None:
    path = built.directory / "sealed/sealed.json"
    path.chmod(mode)
    assert "chmod 600" in str(refused(built, "read by others").remedy)


# ------------------------------------------------------------------ what can be trained on and scored


@pytest.mark.parametrize(("episodes", "sites"), [(4, 4), (7, 4), (30, 16)])
def test_fewer_than_two_evaluation_episodes_a_site_are_refused(episodes: int, sites: int) -> None:
    with pytest.raises(Rejected, match=f"evaluation_episodes={2 * sites}") as caught:
        Parameters(evaluation_episodes=episodes, hidden_sites=sites)
    assert caught.value.reason == "bad-parameters"
    Parameters(evaluation_episodes=2 * sites, hidden_sites=sites)


@pytest.mark.parametrize("kind", ["number", "look", "twice"])
def test_sites_of_evaluation_are_nobody_elses(kind: str) -> None:
    def overlapping(generator: np.random.Generator, parameters: Parameters) -> Layout:
        layout = TWOROOM.sites(generator, parameters)
        hidden = {
            "number": (layout.hidden[0], replace(layout.hidden[1], number=layout.public[1].number)),
            "look": (layout.hidden[0], replace(layout.training[0], number=layout.hidden[1].number)),
            "twice": (layout.hidden[0], replace(layout.hidden[1], number=layout.hidden[0].number)),
        }[kind]
        return replace(layout, hidden=hidden)

    with pytest.raises(Rejected, match="evaluation site") as caught:
        plan(replace(TWOROOM, sites=overlapping), Parameters(), bytes(32), bytes(32))
    assert caught.value.reason == "bad-parameters"


def test_a_sound_dataset_suits_a_recipe_for_it(built: BuiltDataset) -> None:
    check_shards(sealed_again(built, (1000,) * 4), RECIPE)


RECIPE = sized(TINY_RECIPE, window=3)


def sealed_again(built: BuiltDataset, sites: tuple[int, ...], **manifest: Any) -> BuiltDataset:
    """The same dataset with four episodes in its sealed shards, of other sites."""
    for item in built.sealed:
        save_shard(item.path, disc_shard(50 + item.index, sites, frames=3))
    evaluation = EvaluationEntry(2, None, 4, (1000,))
    return replace(built, manifest=replace(built.manifest, **{"evaluation": evaluation, **manifest}))


@pytest.mark.parametrize(
    ("sites", "recipe", "manifest", "why"),
    [
        ((1000,) * 4, sized(RECIPE, window=6), {}, "windows of 6"),
        ((1000,) * 4, sized(RECIPE, window=6), {"parameters": {"frames": 5}}, "5 frames"),
        ((1000,) * 4, replace(RECIPE, score=replace(RECIPE.score, minimum_episodes=5)), {}, "scores on 5"),
        ((1000,) * 3 + (1001,), RECIPE, {}, "manifest announces"),
        ((1000,) * 5, RECIPE, {}, "manifest announces"),
        ((0,) * 4, RECIPE, {"evaluation": EvaluationEntry(2, None, 4, (0,))}, "sites 0 are trained on"),
        ((1,) * 4, RECIPE, {"evaluation": EvaluationEntry(2, None, 4, (1,))}, "sites 1 are trained on"),
        ((5, 5, 5, 6), RECIPE, {"evaluation": EvaluationEntry(2, None, 4, (5, 6))}, "site 6 has one"),
    ],
    ids=["windows", "frames", "few episodes", "another site", "more", "of training", "of the start", "thin"],
)
def test_a_dataset_that_cannot_serve_a_recipe_is_refused_before_the_work(
    sites: tuple[int, ...], recipe: Recipe, manifest: dict[str, Any], why: str, built: BuiltDataset
) -> None:
    with pytest.raises(Rejected, match=why):
        check_shards(sealed_again(built, sites, **manifest), recipe)


def test_a_shard_that_is_sealed_twice_is_refused_before_the_work(built: BuiltDataset) -> None:
    """The contract takes no data twice in a project: the proposer would lose its unseal bond over it."""
    sound = sealed_again(built, (1000,) * 4)
    first, second = sound.sealed
    twice = replace(sound, sealed=(first, replace(second, digest=first.digest)))
    with pytest.raises(Rejected, match="holds the same data"):
        check_shards(twice, RECIPE)


# ------------------------------------------------------------------ sizes are known before the work


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
@pytest.mark.parametrize(
    ("size", "wanted", "step"),
    [
        ("evaluation_episodes", 1574, 2),
        ("episodes", 10_000, 1),
        ("public_episodes", 200, 1),
    ],
)
def test_a_shard_beyond_its_cap_is_refused_naming_what_fits(
    environment: Environment, size: str, wanted: int, step: int, tmp_path: Path
) -> None:
    def check(number: int) -> None:
        parameters = replace(Parameters(), **{size: number})
        check_sizes(environment, plan(environment, parameters, bytes(32), bytes(32)))

    with pytest.raises(Fatal, match="at most 537 MB") as caught:
        building.build(environment, replace(Parameters(), **{size: wanted}), tmp_path / "data", SEED)
    assert caught.value.code == Exit.USAGE
    assert not (tmp_path / "data").exists(), "nothing was begun"
    found = re.search(rf"{size}=(\d+) or less", str(caught.value.remedy))
    assert found is not None
    check(int(found[1]))
    with pytest.raises(Fatal):
        check(int(found[1]) + step)
    shorter = re.search(r"or (\d+) episodes of (\d+) frames", str(caught.value.remedy))
    if shorter is not None:
        wider = replace(Parameters(), **{size: wanted}, frames=int(shorter[2]))
        check_sizes(environment, plan(environment, wider, bytes(32), bytes(32)))


@pytest.mark.parametrize(("episodes", "sites", "frames"), [(1, 1, 3), (8, 1, 9), (4, 3, 12)])
def test_the_size_of_a_shard_is_known_beforehand(episodes: int, sites: int, frames: int) -> None:
    places = tuple(TWOROOM.sites(np.random.default_rng(0), Parameters(public_sites=sites)).public)
    recording = Recording("a", SEED, places, episodes, frames, 16, 4, "build" * 12)
    shard = disc_shard(1, tuple(site.number for site in places) * episodes, frames=frames)
    known = shard_size(TWOROOM, recording)
    real = len(shard_bytes(replace(shard, header={"build": "b" * 64, "environment": "e" * 60, "name": "n"})))
    assert real <= known <= real + 4096


def test_a_disk_without_room_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    recordings = plan(TWOROOM, Parameters(), bytes(32), bytes(32))
    with pytest.raises(Fatal, match="1 MB free") as caught:
        building.record_all(TWOROOM, recordings, tmp_path, 1, None)
    assert caught.value.code == Exit.DISK_FULL and list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ usual sizes and public sites


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda item: item.name)
def test_the_public_shard_holds_as_many_sites_as_asked_for_and_no_others(environment: Environment) -> None:
    parameters = Parameters(public_sites=5, public_episodes=3)
    recordings = plan(environment, parameters, bytes(32), bytes(32))
    public = recordings[PUBLIC]
    numbers = [site.number for site in public.sites]
    assert numbers == [2000, 2001, 2002, 2003, 2004] and public.episodes == 3
    others = {site.number for name, item in recordings.items() if name != PUBLIC for site in item.sites}
    assert not others & set(numbers)
    fewer = plan(environment, replace(parameters, public_sites=1), bytes(32), bytes(32))
    changed = {name for name in recordings if fewer[name].build != recordings[name].build}
    assert changed == {PUBLIC}
