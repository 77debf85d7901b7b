"""Datasets from the real simulator: reproducible, resumable, and silent about what is sealed."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from structlog.testing import capture_logs

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import keep
from jepanet.learning.data.building import builder
from jepanet.learning.data.building import plan as planning
from jepanet.learning.data.on_disk import BuiltDataset, open_built
from jepanet.learning.data.shards import load_shard
from jepanet.learning.data.sizes import TINY, Parameters
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.metrics import heldout_metrics
from jepanet.learning.presets import preset
from jepanet.learning.seeding import derive, numpy_generator
from jepanet.learning.simulators.loader import require_simulator
from jepanet.learning.simulators.offer import HIDDEN_SITE
from jepanet.learning.simulators.tworoom.dataset import TASK
from jepanet.learning.simulators.tworoom.simulator import (
    _environment_module,
    _simulator,
    _variation,
    record,
)
from jepanet.learning.simulators.tworoom.sites import (
    SCREEN,
    free_position,
    random_site,
    training_site,
)
from jepanet.learning.training.loop import train, warm_start

pytestmark = pytest.mark.integration

SEED = bytes(range(32))
SECRET = bytes(range(32, 64))
build = partial(builder.build, TASK.environment)
plan = partial(planning.plan, TASK.environment)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    return build(TINY, tmp_path_factory.mktemp("tworoom") / "data", SEED, evaluation_seed=SECRET)


def files(directory: Path) -> dict[str, bytes]:
    names = (
        *directory.rglob("*.safetensors"),
        directory / "manifest.json",
        directory / "sealed" / "sealed.json",
    )
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(names)}


# ------------------------------------------------------------------ what is built


def test_the_manifest_describes_the_files(dataset: BuiltDataset) -> None:
    manifest = dataset.manifest
    assert manifest.seed == SEED
    assert manifest.parameters == TINY.to_json()
    assert manifest.evaluation.root is None
    assert manifest.evaluation.count == len(dataset.sealed) == TINY.evaluation_shards
    paths = [(dataset.training_path(index), entry) for index, entry in enumerate(manifest.training)]
    paths += [(dataset.public_path, manifest.public), (dataset.probe_path, manifest.probe)]
    for path, entry in paths:
        assert digest_file(path) == entry.digest
        assert path.stat().st_size == entry.bytes
        assert load_shard(path).episodes == entry.episodes


def test_training_shards_are_of_one_site_each_and_evaluation_of_hidden_ones(dataset: BuiltDataset) -> None:
    for index, entry in enumerate(dataset.manifest.training):
        assert set(load_shard(dataset.training_path(index)).site) == {entry.site}
    trained = {entry.site for entry in dataset.manifest.training} | {dataset.manifest.public.site}
    for sealed in dataset.sealed:
        shard = load_shard(sealed.path)
        assert digest_file(sealed.path) == sealed.digest
        assert shard.episodes == TINY.evaluation_episodes
        assert set(shard.site) == set(dataset.manifest.evaluation.sites)
        assert not trained & set(shard.site)
        counts = [shard.site.count(site) for site in dataset.manifest.evaluation.sites]
        assert len(set(counts)) == 1


def test_frames_show_where_the_agent_is(dataset: BuiltDataset) -> None:
    shard = load_shard(dataset.training_path(0))
    scale = SCREEN / shard.image
    for episode in range(shard.episodes):
        pictures = shard.frames[episode].astype(float)
        still = np.median(pictures, axis=0)
        for moment in range(shard.length):
            changed = np.abs(pictures[moment] - still).sum(axis=0)
            if changed.max() < 60:  # the agent stands where it mostly stands
                continue
            x, y = shard.state[episode, moment] / scale
            rows, columns = np.indices(changed.shape)
            near = changed * (np.hypot(columns + 0.5 - x, rows + 0.5 - y) < 4)
            assert near.sum() > 0


def test_actions_move_the_agent(dataset: BuiltDataset) -> None:
    shard = load_shard(dataset.public_path)
    steps = np.diff(shard.state, axis=1)
    both = np.abs(shard.actions).max(axis=-1) > 0.3
    agreement = np.sign(steps[both]) == np.sign(shard.actions[both])
    assert agreement.mean() > 0.7  # walls stop some of them
    assert np.abs(shard.actions).max() <= 1.0


def test_sites_differ_in_looks_and_dynamics() -> None:
    generator = numpy_generator(SEED, "sites")
    sites = [training_site(index, generator) for index in range(6)]
    assert len({site.background for site in sites}) == 6
    assert len({site.policy for site in sites[:4]}) == 4
    assert len({site.axis for site in sites}) == 2
    assert len({site.speed for site in sites}) == 6


# ------------------------------------------------------------------ determinism


def test_the_same_seeds_give_the_same_bytes(dataset: BuiltDataset, tmp_path: Path) -> None:
    again = build(TINY, tmp_path / "again", SEED, workers=1, evaluation_seed=SECRET)
    assert files(again.directory) == files(dataset.directory)


def test_another_seed_gives_other_episodes() -> None:
    recordings = plan(TINY, SEED, SECRET)
    public = recordings["public.safetensors"]
    other = replace(public, seed=derive(SEED, "other"))
    first, second = record(public), record(other)
    assert not np.array_equal(first.actions, second.actions)
    assert not np.array_equal(first.frames, second.frames)


def test_rendering_less_gives_the_same_pixels() -> None:
    fast, original = _simulator(), _environment_module().TwoRoomEnv()
    generator = np.random.default_rng(3)
    for index in range(12):
        site = random_site(index, generator)
        start = free_position(site, generator)
        for environment in (fast, original):
            environment.reset(seed=0, options={"variation": (), "variation_values": _variation(site, start)})
        for _ in range(2):
            assert np.array_equal(fast.render(), original.render())
            action = generator.uniform(-1, 1, 2).astype(np.float32)
            for environment in (fast, original):
                environment.step(action)
            assert np.array_equal(fast.agent_position.numpy(), original.agent_position.numpy())


# ------------------------------------------------------------------ secrets


def test_public_files_say_nothing_of_the_sealed_ones(dataset: BuiltDataset) -> None:
    public = dataset.manifest.to_bytes() + b"".join(
        path.read_bytes()
        for path in (dataset.public_path, dataset.probe_path, *dataset.directory.glob("training-*"))
    )
    for sealed in dataset.sealed:
        for secret in (sealed.digest, sealed.blinding, SECRET):
            assert secret.hex().encode() not in public
            assert secret not in public


def test_a_sealed_shard_reveals_neither_the_secret_seed_nor_its_neighbours(dataset: BuiltDataset) -> None:
    first, second = dataset.sealed[:2]
    content = first.path.read_bytes()
    for secret in (SECRET, first.blinding, second.blinding, second.digest, derive(SECRET, "shard 0")):
        assert secret.hex().encode() not in content
        assert secret not in content
    assert first.blinding != second.blinding
    assert first.blinding.hex() not in repr(first)


def test_the_public_seed_does_not_give_the_evaluation_shards(dataset: BuiltDataset) -> None:
    guess = record(plan(TINY, SEED, SEED)["sealed/shard-000.safetensors"])
    truth = load_shard(dataset.evaluation_path(0))
    assert not np.array_equal(guess.actions, truth.actions)


def test_secrets_are_readable_by_their_owner_alone(dataset: BuiltDataset) -> None:
    sealed = dataset.directory / "sealed"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o700
    for name in ("sealed.json", "secret.json"):
        assert stat.S_IMODE((sealed / name).stat().st_mode) == 0o600


def test_secrets_readable_by_others_are_refused(dataset: BuiltDataset) -> None:
    path = dataset.directory / "sealed" / "sealed.json"
    path.chmod(0o644)
    try:
        with pytest.raises(Fatal, match="chmod 600"):
            open_built(dataset.directory)
    finally:
        path.chmod(0o600)


def test_without_an_explicit_seed_the_secrets_are_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(
        TINY, training_sites=1, episodes=1, public_sites=3, public_episodes=1, frames=4, evaluation_shards=1
    )
    blindings = {
        build(small, tmp_path / name, SEED, workers=1).sealed[0].blinding for name in ("first", "second")
    }
    assert len(blindings) == 2


# ------------------------------------------------------------------ reuse and repair


def test_a_finished_dataset_is_reused_without_recording(
    dataset: BuiltDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jepanet.learning.data.building.builder.record_all", _must_not_run)
    again = build(TINY, dataset.directory, SEED, evaluation_seed=SECRET)
    assert again.manifest == dataset.manifest
    assert again.sealed == dataset.sealed


def test_an_interrupted_build_keeps_its_finished_shards(dataset: BuiltDataset, tmp_path: Path) -> None:
    unfinished = tmp_path / "data"
    (unfinished / "sealed").mkdir(parents=True, mode=0o700)
    for name in ("public.safetensors", "sealed/shard-000.safetensors"):
        for part in (name, f"{name}.sha256"):
            (unfinished / part).write_bytes((dataset.directory / part).read_bytes())
    (unfinished / "training-00.safetensors").write_bytes(b"half a shard")
    before = (unfinished / "public.safetensors").stat()
    finished: list[tuple[int, int, str]] = []
    build(TINY, unfinished, SEED, evaluation_seed=SECRET, progress=lambda *report: finished.append(report))
    after = (unfinished / "public.safetensors").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert files(unfinished) == files(dataset.directory)
    total = TINY.training_sites + TINY.evaluation_shards + 2
    assert [done for done, _, _ in finished] == list(range(1, total + 1))
    assert {report[1] for report in finished} == {total}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": bytes(32)},
        {"evaluation_seed": bytes(32)},
        {"parameters": replace(TINY, episodes=5)},
    ],
)
def test_a_folder_with_another_dataset_is_refused(dataset: BuiltDataset, change: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"parameters": TINY, "seed": SEED, "evaluation_seed": SECRET} | change
    with pytest.raises(Fatal, match="other parameters or another seed") as refused:
        build(arguments["parameters"], dataset.directory, arguments["seed"],
              evaluation_seed=arguments["evaluation_seed"])  # fmt: skip
    assert refused.value.code == Exit.DATASET


def _flipped(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        (("public.safetensors", "sealed/shard-001.safetensors"), _flipped),
        (("manifest.json",), _flipped),
        (("manifest.json", "sealed/sealed.json"), lambda path: path.write_bytes(b"")),
        (("sealed/secret.json", "manifest.json.sha256"), Path.unlink),
    ],
    ids=["shards", "manifest", "lists", "no digest"],
)
def test_a_damaged_dataset_is_refused_and_made_again(
    dataset: BuiltDataset, tmp_path: Path, names: tuple[str, ...], damage: Callable[[Path], object]
) -> None:
    """Whatever is damaged counts as absent, is named, and comes out of a second build as it was."""
    folder = tmp_path / "data"
    shutil.copytree(dataset.directory, folder)
    for name in names:
        damage(folder / name)
    with pytest.raises(Fatal, match=r"is not a complete dataset|differs from its digest") as refused:
        open_built(folder)
    assert refused.value.code == Exit.DATASET and "recorded anew" in str(refused.value.remedy)
    with capture_logs() as lines:
        build(TINY, folder, SEED)
    told = {Path(item["path"]).name for item in lines if item["event"] == "file.damaged"}
    assert {Path(name.removesuffix(".sha256")).name for name in names} - {"secret.json"} <= told
    assert files(folder) == files(dataset.directory), "the same bytes, sealed shards included"


def test_a_secret_lost_in_both_places_is_not_replaced_by_another(
    dataset: BuiltDataset, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(dataset.directory, folder)
    for name in ("sealed/secret.json", "sealed/sealed.json"):
        (folder / name).write_bytes(b"{}")
    with pytest.raises(Fatal, match="cannot be made again") as refused:
        build(TINY, folder, SEED)
    assert refused.value.code == Exit.DATASET
    with pytest.raises(Fatal, match="other parameters or another seed"):
        build(replace(TINY, episodes=5), folder, SEED)


def test_a_shard_that_comes_out_otherwise_is_not_taken_for_the_same(
    dataset: BuiltDataset, tmp_path: Path
) -> None:
    """Flipped bytes must not give another dataset under the same name, nor another simulator's build."""
    folder = tmp_path / "data"
    shutil.copytree(dataset.directory, folder)
    manifest = replace(dataset.manifest, public=replace(dataset.manifest.public, digest=digest_of(b"other")))
    keep(folder / "manifest.json", manifest.to_bytes())
    with pytest.raises(Fatal, match="recorded again, is not what was announced"):
        build(TINY, folder, SEED)


def test_a_finished_dataset_is_read_from_a_folder_that_is_locked_and_cannot_be_written(
    dataset: BuiltDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jepanet.learning.data.building.builder.check_writable", _must_not_run)
    with FileLock(dataset.directory / ".lock"):
        assert build(TINY, dataset.directory, SEED).manifest == dataset.manifest


def test_waiting_for_another_build_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jepanet.learning.data.building.builder.LONGEST_WAIT", 0.2)
    (tmp_path / "sealed").mkdir(mode=0o700)
    with (
        FileLock(tmp_path / ".lock"),
        capture_logs() as lines,
        pytest.raises(Fatal, match="another process is building") as refused,
    ):
        build(TINY, tmp_path, SEED)
    assert refused.value.code == Exit.DATASET and refused.value.remedy
    assert [item["event"] for item in lines] == ["dataset.awaited"]


def test_a_sealed_list_of_strange_entries_is_refused(dataset: BuiltDataset) -> None:
    path = dataset.directory / "sealed" / "sealed.json"
    content = path.read_bytes()
    tree = json.loads(content)
    tree["shards"][0]["index"] = 1
    keep(path, json.dumps(tree, sort_keys=True, separators=(",", ":")).encode(), mode=0o600)
    try:
        with pytest.raises(Fatal, match="other evaluation shards"):
            open_built(dataset.directory)
    finally:
        keep(path, content, mode=0o600)


# ------------------------------------------------------------------ refusals


def test_a_missing_simulator_names_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(Fatal, match="jepanet simulator install") as refused:
        build(TINY, tmp_path / "data", SEED)
    assert refused.value.code == Exit.DATASET


def test_another_simulator_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    with pytest.raises(Fatal, match=r"is 9\.9\.9, not 0\.1\.1"):
        require_simulator()


@pytest.mark.parametrize(
    "sizes",
    [
        {"episodes": 0},
        {"episodes": 10**9},
        {"frames": 3},
        {"evaluation_shards": 257},
        {"evaluation_episodes": 21},
        {"probe_frames": 10},
        {"image": True},
        {"hold": 1.5},
        {"surprise": 1},
    ],
)
def test_strange_parameters_are_refused(sizes: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        Parameters.from_json(sizes)
    assert refused.value.reason == "bad-parameters"


# ------------------------------------------------------------------ learning on it


def test_the_small_recipe_learns_the_real_simulator(dataset: BuiltDataset) -> None:
    recipe = preset("tworoom-tiny")
    assert HIDDEN_SITE in dataset.manifest.evaluation.sites
    public, hidden = load_shard(dataset.public_path), load_shard(dataset.evaluation_path(0))
    fresh = warm_start(recipe, public, SEED, steps=0)
    warm = warm_start(recipe, public, SEED, steps=120)
    assert heldout_metrics(warm, recipe, public).pi > heldout_metrics(fresh, recipe, public).pi
    assert heldout_metrics(warm, recipe, public).rank > 2
    result = train(warm, load_shard(dataset.training_path(0)), recipe, seed=SEED)
    gain = GroundedScorer(warm, recipe, hidden).gain(result.weights)
    assert set(gain.per_site) == set(dataset.manifest.evaluation.sites)


def _must_not_run(*_: Any, **__: Any) -> Any:
    raise AssertionError("a finished dataset was recorded again")
