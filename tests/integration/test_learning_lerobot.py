"""A LeRobot folder becomes a dataset that a world model trains on; what lies in it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from jepanet.errors import Fatal
from jepanet.interface.cli import cli
from jepanet.learning.data.on_disk import BuiltDataset, open_built
from jepanet.learning.data.shards import load_shard
from jepanet.learning.data.sizes import Parameters
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.model_file import ModelHeader, model_bytes
from jepanet.learning.sources.lerobot import tables
from jepanet.learning.sources.lerobot.dataset import Folders, open_folder
from jepanet.learning.sources.lerobot.sites import Dealt, Site, dealt
from jepanet.learning.training.loop import train, warm_start
from jepanet.operations.datasets import build_from_lerobot
from jepanet.operations.views.projects import Dataset
from jepanet.work.evaluating import evaluate_model
from jepanet.work.requests.evaluating import EvaluateModel
from learning_shards import RECIPE, WORLD
from lerobot_folder import CAMERA, LICENCE, recordings, write_folder, write_video

pytestmark = pytest.mark.integration

LENGTHS = (40, 33, 41, 36, 40, 38, 44, 40, 37, 42)
SEED = bytes(range(32))
SECRET = bytes(range(64, 96))
SIZES = {"image": 16, "frames": 6, "training_sites": 2}
ROBOT = replace(WORLD, model=replace(WORLD.model, actions=3))
ROBOT_RECIPE = replace(RECIPE, family=ROBOT, name="robot", warm_steps=40)


@pytest.fixture(scope="module", params=["v2.1", "v3.0"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    version: str = request.param
    return write_folder(tmp_path_factory.mktemp("lerobot") / version, LENGTHS, version=version)


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    out = tmp_path_factory.mktemp("built") / folder.name
    build(folder, out)
    return open_built(out)


def build(
    folder: Path, out: Path, *, sealed: Path | None = None, secret: bytes | None = SECRET, **sizes: int
) -> Dataset:
    return build_from_lerobot(
        folder, out, SEED, {**SIZES, **sizes},
        sealed=sealed, camera=None, licence=None, workers=1, evaluation_seed=secret, progress=None,
    )  # fmt: skip


def test_a_folder_is_built_trained_on_and_scored(built: BuiltDataset) -> None:
    manifest = built.manifest
    assert manifest.licence == LICENCE and manifest.environment.startswith("LeRobot v")
    check_shards(built, ROBOT_RECIPE)
    public, training = load_shard(built.public_path), load_shard(built.training_path(0))
    base = warm_start(ROBOT_RECIPE, public, SEED)
    trained = train(base, training, ROBOT_RECIPE, seed=SEED, steps=4).weights
    gain = scorer_of(base, ROBOT_RECIPE, load_shard(built.evaluation_path(0))).gain(trained)
    assert np.isfinite(gain.mean) and gain.stderr > 0


def test_frames_actions_and_state_are_those_of_the_recordings(built: BuiltDataset) -> None:
    made, shard = recordings(LENGTHS), load_shard(built.training_path(1))
    low, high = np.array(shard.header["actions"]["low"]), np.array(shard.header["actions"]["high"])  # type: ignore[call-overload, index]
    assert low[2] == high[2] == 0.5 and not shard.actions[..., 2].any()
    for episode in range(shard.episodes):
        where = [
            (frames, actions, state, first)
            for frames, actions, state in made
            for first in range(0, len(frames) - 5)
            if np.array_equal(state[first], shard.state[episode, 0])
        ]
        assert len(where) == 1
        frames, actions, state, first = where[0]
        assert first % 6 == 0 and np.array_equal(state[first : first + 6], shard.state[episode])
        told = low[:2] + (shard.actions[episode, :, :2] + 1) / 2 * (high - low)[:2]
        np.testing.assert_allclose(told, actions[first : first + 5, :2], atol=1e-4)
        square = (
            frames[first : first + 6, :, 8:40, 0].astype(float).reshape(6, 16, 2, 16, 2).mean(axis=(2, 4))
        )
        assert np.abs(shard.frames[episode].mean(axis=1) - square).mean() < 6.0


def test_nobody_trains_where_it_is_evaluated(built: BuiltDataset) -> None:
    def starts(path: Path) -> set[bytes]:
        return {state[0].tobytes() for state in load_shard(path).state}

    sealed = [starts(built.evaluation_path(index)) for index in range(built.manifest.evaluation.count)]
    open_to_all = [starts(built.training_path(index)) for index in (0, 1)] + [starts(built.public_path)]
    everything = [*sealed, *open_to_all]
    assert sum(map(len, everything)) == len(set.union(*everything)), "no stretch is in two shards"


def recordings_in(path: Path, lengths: tuple[int, ...] = LENGTHS, seed: int = 1) -> set[int]:
    """Which recordings of a folder a shard shows: what everybody finds out who has both."""
    known = {
        row.tobytes(): number
        for number, (_, _, state) in enumerate(recordings(lengths, seed))
        for row in state
    }
    return {known[state[0].tobytes()] for state in load_shard(path).state}


def sealed_in(built: BuiltDataset, *whose: int) -> set[int]:
    paths = [built.evaluation_path(index) for index in range(built.manifest.evaluation.count)]
    return set.union(*(recordings_in(path, LENGTHS, *whose) for path in paths))


def public_in(built: BuiltDataset) -> set[int]:
    return set.union(*map(recordings_in, (built.training_path(0), built.training_path(1), built.public_path)))


def test_attack_the_manifest_does_not_tell_which_recordings_are_sealed(built: BuiltDataset) -> None:
    """The folder is public, the manifest is: dealing its recordings by the public seed says which to train on
    before the commitments close."""
    manifest = built.manifest
    sizes = Parameters.from_json(manifest.parameters)

    def guess(seed: bytes) -> set[int]:
        told = dealt(Dealt(tuple(range(len(LENGTHS)))), sizes, seed)
        return {number for site in told.hidden for number in cast(Site, site).recordings}

    assert len(sealed_in(built)) == 2 and guess(SECRET) == sealed_in(built)
    assert guess(manifest.seed) != sealed_in(built)


def test_every_build_seals_other_recordings_unless_told(folder: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two", "three", "four"):
        build(folder, tmp_path / name, secret=None)
        found.append(frozenset(sealed_in(open_built(tmp_path / name))))
        build(folder, tmp_path / name, secret=None)  # takes up its own secret, whatever it dealt
    assert len(set(found)) > 1


def test_what_is_in_no_public_shard_is_sealed_and_the_command_says_so(
    built: BuiltDataset, folder: Path
) -> None:
    """No deal hides what is left from whoever has the whole folder."""
    assert set(range(len(LENGTHS))) - public_in(built) == sealed_in(built)
    note = build(folder, built.directory).note
    assert note is not None and "--sealed FOLDER" in note and str(folder) in note


def test_a_sealed_folder_is_evaluated_alone(folder: Path, tmp_path: Path) -> None:
    apart = write_folder(tmp_path / "apart", LENGTHS[:5], seed=2)
    (apart / "README.md").write_text("---\nlicense: mit\n---\n")
    made = build(folder, tmp_path / "out", sealed=apart)
    found = open_built(tmp_path / "out")
    assert made.note is None and public_in(found) == set(range(len(LENGTHS)))
    assert sealed_in(found, 2) == set(range(5))
    assert found.manifest.licence == f"{LICENCE}; sealed shards: mit", "each is published after its round"
    check_shards(found, ROBOT_RECIPE)
    low = load_shard(found.training_path(0)).header["actions"]
    assert load_shard(found.evaluation_path(0)).header["actions"] == low, "one scale, of the folder all have"
    assert build(folder, tmp_path / "out", sealed=apart) == made
    with pytest.raises(Fatal, match="sealed shards hold other data"):
        build(folder, tmp_path / "out", sealed=write_folder(tmp_path / "else", LENGTHS[:5], seed=3))
    with pytest.raises(Fatal, match=r"other parameters|other data"):
        build(folder, tmp_path / "out")


def test_attack_a_sealed_folder_that_others_have_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"is recording 0 of .*5 are in both"):
        build(folder, tmp_path / "out", sealed=write_folder(tmp_path / "apart", LENGTHS[:5]))
    assert not (tmp_path / "out").exists()
    other = write_folder(tmp_path / "faster", LENGTHS[:5], seed=2)
    _info(other, fps=20)
    with pytest.raises(Fatal, match=r"fps is 10\.0 in"):
        build(folder, tmp_path / "out", sealed=other)


def test_a_recording_that_repeats_another_is_dealt_once(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", (*LENGTHS, 40))
    for ending in ("data/chunk-000/episode_{}.parquet", f"videos/chunk-000/{CAMERA}/episode_{{}}.mp4"):
        (folder / ending.format("000010")).write_bytes((folder / ending.format("000000")).read_bytes())
    again = folder / "data/chunk-000/episode_000010.parquet"
    table = pq.read_table(again)
    pq.write_table(_column("episode_index", pa.array([10] * 40))(table), again)
    assert Folders(open_folder(folder, None, None)).among().shared == tuple(range(10))


def test_the_same_folder_and_seed_give_the_same_bytes(
    folder: Path, built: BuiltDataset, tmp_path: Path
) -> None:
    build(folder, tmp_path / "again")
    assert open_built(tmp_path / "again").manifest == built.manifest


def test_rows_between_kept_frames_are_averaged(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", LENGTHS, version="v3.0")
    build(folder, tmp_path / "held", hold=2, frames=4)
    made, shard = recordings(LENGTHS), load_shard(tmp_path / "held" / "training-00.safetensors")
    low, high = np.array(shard.header["actions"]["low"]), np.array(shard.header["actions"]["high"])  # type: ignore[call-overload, index]
    for frames, actions, state in made:
        for first in range(0, len(frames) - 7, 8):
            if np.array_equal(state[first], shard.state[0, 0]):
                mean = actions[first : first + 6].reshape(3, 2, 3).mean(axis=1)
                told = low[:2] + (shard.actions[0, :, :2] + 1) / 2 * (high - low)[:2]
                np.testing.assert_allclose(told, mean[:, :2], atol=1e-4)
                return
    raise AssertionError("the stretch is of no recording")


def test_the_command_builds_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", LENGTHS)
    options = [
        "--size",
        "16",
        "--size",
        "frames=6",
        "--size",
        "training_sites=2",
        "--licence",
        "MIT",
        "--json",
    ]
    result = CliRunner().invoke(
        cli, ["dataset", "lerobot", str(folder), "--out", str(tmp_path / "out"), *options]
    )
    assert result.exit_code == 0, result.output
    assert open_built(tmp_path / "out").manifest.licence == "MIT"


def test_a_model_is_evaluated_on_what_was_recorded(built: BuiltDataset, tmp_path: Path) -> None:
    base = warm_start(ROBOT_RECIPE, load_shard(built.public_path), SEED)
    (tmp_path / "model").write_bytes(model_bytes(base, ModelHeader.of(ROBOT_RECIPE, 0)))
    (tmp_path / "recipe.json").write_bytes(ROBOT_RECIPE.to_bytes())
    shard = built.evaluation_path(0)
    request = EvaluateModel(
        tmp_path / "recipe.json",
        tmp_path / "model",
        (shard,),
        SEED,
        steps=3,
        ahead=2,
        goals=16,
        device="cpu",
    )
    found = evaluate_model(request, lambda _: None)
    assert len(found.nmse[0]) == len(found.skill[0]) == 3 and found.problems == (16,)
    assert 0 <= found.told[0] <= 16 and found.planned[0] <= found.others[0]


# ------------------------------------------------------------------ folders of strangers


def _info(folder: Path, **changes: object) -> None:
    path = folder / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _feature(folder: Path, name: str, **changes: object) -> None:
    features = json.loads((folder / "meta/info.json").read_text())["features"]
    features[name] = {**features.get(name, {}), **changes}
    _info(folder, features=features)


def _table(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "data/chunk-000/episode_000001.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def _column(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


VIDEO = f"videos/chunk-000/{CAMERA}/episode_000001.mp4"
STILL = np.zeros((6, 32, 48, 3), np.uint8)


def _linked(folder: Path) -> None:
    path = folder / VIDEO
    path.rename(folder.parent / "elsewhere.mp4")
    path.symlink_to(folder.parent / "elsewhere.mp4")


def _playlist(folder: Path) -> None:
    (folder / VIDEO).write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: _info(folder, codebase_version="v1.6"), "version 'v1.6'"),
        (lambda folder: _info(folder, data_path="{episode_chunk.__class__}/x"), "data_path is not"),
        (lambda folder: _info(folder, video_path="../../x.mp4"), "video_path is not"),
        (lambda folder: _info(folder, total_episodes=10**12), "total_episodes must be"),
        (lambda folder: _info(folder, total_episodes=1), "more lines than"),
        (lambda folder: _info(folder, total_episodes=4), "lists other recordings"),
        (lambda folder: _info(folder, total_frames=19), "other frames than"),
        (lambda folder: _info(folder, fps="10"), "fps must be"),
        (lambda folder: _feature(folder, "action", shape=[10**9]), "1 to 16 numbers"),
        (lambda folder: _feature(folder, "action", dtype="string"), "floating-point"),
        (lambda folder: _feature(folder, "../../evil", dtype="video"), "choose one with --camera"),
        (lambda folder: (folder / "meta/info.json").write_text("[" * 50_000), "not JSON"),
        (
            lambda folder: (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "length": -3}'),
            "line 1",
        ),
        (lambda folder: (folder / "README.md").unlink(), "licence"),
        (_linked, "outside the folder"),
        (lambda folder: (folder / VIDEO).unlink(), "cannot be read"),
    ],
)
def test_attack_a_folder_that_lies_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    folder = write_folder(tmp_path / "folder", (6, 6, 6))
    spoil(folder)
    with pytest.raises(Fatal, match=says) as caught:
        open_folder(folder, None, None)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: _table(folder, lambda table: table.slice(1)), "has not 24 rows"),
        (lambda folder: _table(folder, lambda table: table.drop_columns(["action"])), "no column action"),
        (
            lambda folder: _table(folder, _column("action", pa.array([[1.0, 2.0]] * 24))),
            "not all lists have 3",
        ),
        (
            lambda folder: _table(folder, _column("action", pa.array([[1.0, float("nan"), 1.0]] * 24))),
            "holds NaN",
        ),
        (lambda folder: _table(folder, _column("action", pa.array(["rm -rf"] * 24))), "than plain numbers"),
        (
            lambda folder: _table(folder, _column("action", pa.array([{"x": 1.0}] * 24))),
            "more than lists of numbers",
        ),
        (lambda folder: _table(folder, _column("frame_index", pa.array([*range(22), 23, 22]))), "in order"),
        (lambda folder: _table(folder, lambda table: pa.concat_tables([table] * 9)), "were announced"),
        (
            lambda folder: (folder / "data/chunk-000/episode_000001.parquet").write_bytes(b"PAR1" * 9),
            "no table",
        ),
        (_playlist, "no video that can be read"),
        (lambda folder: write_video(folder / VIDEO, STILL[:5]), "has 5 frames; 24 were announced"),
        (lambda folder: write_video(folder / VIDEO, np.concatenate([STILL] * 5)), "has 30 frames"),
        (lambda folder: write_video(folder / VIDEO, STILL, "mpeg2video"), "packed as mpeg2video"),
    ],
)
def test_attack_tables_and_videos_that_lie_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    folder = write_folder(tmp_path / "folder", (24, 24, 24))
    spoil(folder)
    with pytest.raises(Fatal, match=says) as caught:
        build(
            folder, tmp_path / "out", frames=4, training_sites=1, evaluation_shards=1, evaluation_episodes=4
        )
    assert caught.value.remedy
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("cells", "most", "says"),
    [
        (pa.array([[0.0] * 100_000] * 24), 2 << 30, "has 2400000 values in 24 rows of 3"),
        (pa.array([{"x": [0.0] * 100_000}] * 24), 2 << 30, "has 2400000 values in 24 rows of 3"),
        (pa.array([["x" * 100_000]] * 24), 2 << 30, "other than plain numbers"),
        (pa.array([[0.0] * 3] * 24), 24 * 3 * 8 - 1, "unpack to more than"),
    ],
)
def test_attack_a_table_that_repeats_itself_is_not_unpacked(
    tmp_path: Path, cells: pa.Array, most: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is the same all along is packed into next to nothing, which is what the file counts."""
    pq.write_table(pa.table({"action": cells}), tmp_path / "a.parquet", compression="zstd")
    monkeypatch.setattr(tables, "MAX_COLUMN_BYTES", most)
    with pytest.raises(Fatal, match=says):
        tables.read_columns(tmp_path, "a.parquet", {"action": 3}, 24)


def test_a_table_of_many_groups_is_one(tmp_path: Path) -> None:
    cells = pa.array([[float(row), 1.0, 2.0] for row in range(24)])
    pq.write_table(pa.table({"action": cells}), tmp_path / "a.parquet", row_group_size=7)
    found = tables.read_columns(tmp_path, "a.parquet", {"action": 3}, 24)
    assert found["action"].to_pylist() == cells.to_pylist()


def test_too_few_recordings_say_what_would_do(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", (6, 6))
    with pytest.raises(Fatal, match="too few for 4 sites"):
        build(folder, tmp_path / "out")
    with pytest.raises(Fatal, match="too few stretches of 6 frames"):
        build(write_folder(tmp_path / "other", (7, 7, 7)), tmp_path / "out", training_sites=1)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        (f"videos/{CAMERA}/from_timestamp", [0.0, 0.0], "begins at frame 0, not 6"),
        (f"videos/{CAMERA}/from_timestamp", [0.0, 0.93], "begins at frame 9, not 6|between two frames"),
        (f"videos/{CAMERA}/from_timestamp", [0.0, float("nan")], "between two frames"),
        (f"videos/{CAMERA}/file_index", [0, -1], "below 0"),
        ("data/file_index", ["../../x", "y"], "other than plain numbers"),
        ("length", [6, 2**30], "other frames than"),
    ],
)
def test_attack_a_list_of_recordings_that_lies_is_refused(
    tmp_path: Path, column: str, value: list[object], says: str
) -> None:
    folder = write_folder(tmp_path / "folder", (6, 6), version="v3.0")
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    both = table.set_column(
        table.column_names.index(f"videos/{CAMERA}/file_index"),
        f"videos/{CAMERA}/file_index",
        pa.array([0, 0]),
    )
    pq.write_table(_column(column, pa.array(value))(both), path)
    with pytest.raises(Fatal, match=says):
        open_folder(folder, None, None)
