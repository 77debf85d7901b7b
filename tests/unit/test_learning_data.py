"""Shards and manifests from strangers, and the sampler that walks through them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest, EvaluationEntry, ShardEntry
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.shards import load_shard, recorded, save_shard, shard_bytes
from jepanet.learning.data.windows import WindowSampler
from jepanet.learning.seeding import derive, torch_generator
from jepanet.tensors import canonical_json, decode_tensors, encode_tensors
from jepanet.types import Digest
from learning_shards import SEED, disc_shard

pytestmark = pytest.mark.unit

SHARD = disc_shard(1, (0, 0, 4), frames=4)
DATA = shard_bytes(SHARD)


def test_a_shard_survives_the_wire() -> None:
    again = load_shard(DATA)
    np.testing.assert_array_equal(again.frames, SHARD.frames)
    np.testing.assert_array_equal(again.actions, SHARD.actions)
    np.testing.assert_array_equal(again.state, SHARD.state)
    assert again.site == (0, 0, 4)
    assert again.header == {"made": "by a test", "schema": EPISODES.tag}
    assert (again.episodes, again.length, again.image) == (3, 4, 16)
    assert shard_bytes(again) == DATA


def test_a_loaded_shard_cannot_be_changed() -> None:
    again = load_shard(DATA)
    for array in (again.frames, again.actions, again.state):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_saved_shard_has_the_digest_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    assert save_shard(path, SHARD) == digest_of(DATA) == digest_file(path)
    left = sorted(item.name for item in tmp_path.iterdir())
    assert left == ["a.safetensors", "a.safetensors.sha256"], "nothing temporary is left"
    assert shard_bytes(load_shard(path)) == DATA


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="no-such") as caught:
        save_shard(tmp_path / "no-such" / "a", SHARD)
    assert caught.value.code == Exit.DATASET


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="absent"):
        load_shard(tmp_path / "absent")


@pytest.mark.parametrize("as_file", [True, False])
def test_a_shard_over_the_cap_is_refused(as_file: bool, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(DATA)
    source = path if as_file else DATA
    load_shard(source, max_bytes=len(DATA))
    with pytest.raises(Rejected) as caught:
        load_shard(source, max_bytes=len(DATA) - 1)
    assert caught.value.reason == "too-large"


@given(st.integers(0, len(DATA) - 1))
@settings(max_examples=40)
def test_a_truncated_shard_is_refused(size: int) -> None:
    with pytest.raises(Rejected):
        load_shard(DATA[:size])


HEADER = 8 + int.from_bytes(DATA[:8], "little")


@given(st.one_of(st.integers(0, HEADER * 8 - 1), st.integers(0, len(DATA) * 8 - 1)))
@settings(max_examples=150)
def test_a_flipped_bit_is_refused_or_gives_another_well_formed_shard(bit: int) -> None:
    """A flip inside the pixels is another valid shard, which its digest tells apart."""
    spoiled = bytearray(DATA)
    spoiled[bit // 8] ^= 1 << bit % 8
    try:
        shard = load_shard(bytes(spoiled))
    except Rejected:
        return
    assert shard_bytes(shard) == spoiled != DATA


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_other_bytes_are_refused(data: bytes) -> None:
    for hostile in (data, len(data).to_bytes(8, "little") + data, DATA + data + b"\0"):
        with pytest.raises(Rejected):
            load_shard(hostile)


@pytest.mark.parametrize("length", [0, 2, HEADER - 9, HEADER + 1, 2**31, 2**63, 2**64 - 1])
def test_a_lying_header_length_is_refused(length: int) -> None:
    with pytest.raises(Rejected):
        load_shard(length.to_bytes(8, "little") + DATA[8:])


def hostile(**arrays: Any) -> bytes:
    held, header = decode_tensors(DATA, max_bytes=len(DATA), what="test")
    held |= {name: array for name, array in arrays.items() if array is not None}
    return encode_tensors({name: held[name] for name in held if name not in _dropped(arrays)}, header)


def _dropped(arrays: dict[str, Any]) -> set[str]:
    return {name for name, array in arrays.items() if array is None}


def spoiled(array: np.ndarray, value: float) -> np.ndarray:
    copy = array.copy()
    copy.flat[-1] = value
    return copy


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"frames": SHARD.frames.astype(np.float32)}, "wrong-shape"),
        ({"frames": SHARD.frames[:, :, :2]}, "wrong-shape"),
        ({"frames": SHARD.frames[..., :8]}, "wrong-shape"),
        ({"frames": SHARD.frames[0]}, "wrong-shape"),
        ({"frames": SHARD.frames[:2]}, "wrong-shape"),
        ({"frames": SHARD.frames[:0]}, "wrong-shape"),
        ({"frames": SHARD.frames[..., :0, :0]}, "wrong-shape"),
        ({"frames": np.uint8(3)}, "wrong-shape"),
        ({"actions": SHARD.actions[:, :-1]}, "wrong-shape"),
        ({"actions": SHARD.actions.astype(np.float64)}, "wrong-shape"),
        ({"actions": SHARD.actions[..., :0]}, "wrong-shape"),
        ({"actions": spoiled(SHARD.actions, np.nan)}, "non-finite"),
        ({"actions": spoiled(SHARD.actions, 1.001)}, "out-of-range"),
        ({"actions": spoiled(SHARD.actions, -2.0)}, "out-of-range"),
        ({"site": np.asarray([-1, *SHARD.site[1:]], np.int32)}, "out-of-range"),
        ({"state": spoiled(SHARD.state, np.inf)}, "non-finite"),
        ({"state": SHARD.state[:, 1:]}, "wrong-shape"),
        ({"state": SHARD.state[..., 0]}, "wrong-shape"),
        ({"site": np.zeros(3, np.int64)}, "wrong-shape"),
        ({"site": np.zeros((3, 1), np.int32)}, "wrong-shape"),
        ({"site": np.zeros(4, np.int32)}, "wrong-shape"),
        ({"site": None}, "malformed"),
        ({"state": None}, "malformed"),
        ({"extra": np.zeros(1, np.float32)}, "malformed"),
    ],
)
def test_arrays_that_form_no_shard_are_refused(arrays: dict[str, Any], reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        load_shard(hostile(**arrays))
    assert caught.value.reason == reason


def test_episodes_too_short_to_predict_are_refused() -> None:
    with pytest.raises(Rejected, match="T of episodes is 2, and must be at least 3"):
        shard_bytes(recorded(SHARD.frames[:, :2], SHARD.actions[:, :1], SHARD.state[:, :2], SHARD.site))


def test_another_schema_is_refused() -> None:
    arrays, header = decode_tensors(DATA, max_bytes=len(DATA), what="test")
    with pytest.raises(Rejected):
        load_shard(encode_tensors(arrays, {**header, "schema": "jepanet.model.1"}))


# ------------------------------------------------------------------ manifest


def entry(number: int) -> ShardEntry:
    return ShardEntry(number, Digest(digest_of(bytes([number % 256]))), 1000 + number, 4)


MANIFEST = DatasetManifest(
    environment="an environment 1.0",
    parameters={"episodes": 4, "image": 32},
    seed=SEED,
    training=(entry(0), entry(1)),
    public=entry(2000),
    probe=entry(3000),
    evaluation=EvaluationEntry(2, None, 4, (1000, 1001)),
)


def test_a_manifest_survives_the_wire() -> None:
    for manifest in (MANIFEST, MANIFEST.with_root(bytes(32))):
        data = manifest.to_bytes()
        assert DatasetManifest.from_bytes(data) == manifest
        assert DatasetManifest.from_bytes(data).to_bytes() == data


def test_the_root_is_part_of_the_manifest() -> None:
    rooted = MANIFEST.with_root(b"\x01" * 32)
    assert rooted.evaluation.root == b"\x01" * 32
    assert MANIFEST.evaluation.root is None
    assert rooted.to_bytes() != MANIFEST.to_bytes()
    with pytest.raises(ValueError, match="32 bytes"):
        MANIFEST.with_root(b"\x01" * 31)


def put(path: tuple[str | int, ...], value: Any) -> Callable[[Any], None]:
    def change(tree: Any) -> None:
        for name in path[:-1]:
            tree = tree[name]
        tree[path[-1]] = value

    return change


HEX = "ab" * 32
ENTRY = {"site": 1, "digest": HEX, "bytes": 5, "episodes": 1}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "jepanet.dataset.2"),
        (("schema",), ["jepanet.dataset.1"]),
        (("extra",), 1),
        (("environment",), ""),
        (("environment",), "x" * 201),
        (("environment",), 7),
        (("builder",), []),
        (("builder", "extra"), 1),
        (("builder", "seed"), HEX.upper()),
        (("builder", "seed"), HEX[:-2]),
        (("builder", "seed"), HEX[:-1] + "\n"),
        (("builder", "seed"), None),
        (("builder", "parameters"), [1]),
        (("builder", "parameters", "image"), 1.5),
        (("builder", "parameters", "image"), True),
        (("builder", "parameters", "image"), "32"),
        (("builder", "parameters"), {f"p{index}": 1 for index in range(65)}),
        (("training",), []),
        (("training",), {}),
        (("training",), [ENTRY] * 4097),
        (("training", 0), HEX),
        (("training", 0, "extra"), 1),
        (("training", 0, "site"), -1),
        (("training", 0, "site"), 2**31),
        (("training", 0, "bytes"), 0),
        (("training", 0, "bytes"), 2**40),
        (("training", 0, "episodes"), 0),
        (("training", 0, "digest"), HEX + "ab"),
        (("training", 0, "digest"), "zz" * 32),
        (("public",), None),
        (("public", "episodes"), True),
        (("probe", "digest"), 5),
        (("evaluation", "count"), 0),
        (("evaluation", "count"), 257),
        (("evaluation", "root"), ""),
        (("evaluation", "root"), 0),
        (("evaluation", "episodes"), 10**6),
        (("evaluation", "sites"), []),
        (("evaluation", "sites"), [1000, 1000]),
        (("evaluation", "sites"), [1000, 1001, 1002]),
        (("evaluation", "sites"), [1000, 0]),
        (("evaluation", "episodes"), 3),
        (("evaluation", "sites"), [-1]),
        (("evaluation", "sites"), [1] * 1025),
        (("evaluation", "seed"), HEX),
    ],
)
def test_a_strange_manifest_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    tree = json.loads(MANIFEST.to_bytes())
    put(path, value)(tree)
    with pytest.raises(Rejected) as caught:
        DatasetManifest.from_bytes(canonical_json(tree))
    assert caught.value.reason == "bad-manifest"


@pytest.mark.parametrize(
    "path", [("probe",), ("builder", "seed"), ("public", "bytes"), ("evaluation", "root"), ("schema",)]
)
def test_a_manifest_with_a_field_missing_is_refused(path: tuple[str, ...]) -> None:
    tree = json.loads(MANIFEST.to_bytes())
    place = tree
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    with pytest.raises(Rejected):
        DatasetManifest.from_bytes(canonical_json(tree))


def test_a_manifest_must_be_canonical_and_small() -> None:
    for data, reason in (
        (b" " + MANIFEST.to_bytes(), "not-canonical"),
        (b"[" * MAX_MANIFEST_BYTES, None),
        (b" " * (MAX_MANIFEST_BYTES + 1), "too-large"),
        (b"NaN", "bad-json"),
    ):
        with pytest.raises(Rejected) as caught:
            DatasetManifest.from_bytes(data)
        assert reason in (None, caught.value.reason)


# ------------------------------------------------------------------ seeds and sampler


def test_derived_seeds_differ_by_seed_and_label() -> None:
    assert derive(SEED, "a") == derive(SEED, "a")
    assert len({derive(SEED, "a"), derive(SEED, "b"), derive(SEED[::-1], "a")}) == 3
    with pytest.raises(ValueError, match="16 bytes"):
        derive(bytes(15), "a")


def sampler(site: tuple[int, ...], seed: bytes = SEED, length: int = 6, window: int = 3) -> WindowSampler:
    return WindowSampler(site, length, window, torch_generator(seed, "windows"))


def drawn(source: WindowSampler, batches: int, count: int) -> list[list[tuple[int, int]]]:
    result = []
    for _ in range(batches):
        episodes, moments = source.draw(count)
        assert episodes.shape == (count,)
        assert moments.shape == (count, source.window)
        assert (moments[:, 1:] - moments[:, :-1] == 1).all(), "a window is consecutive frames"
        assert int(moments.min()) >= 0
        assert int(moments.max()) < source.length
        result.append([(int(e), int(m)) for e, m in zip(episodes, moments[:, 0], strict=True)])
    return result


def test_the_seed_fixes_the_order() -> None:
    site = (0, 0, 0, 1, 1)
    first = drawn(sampler(site), 20, 4)
    assert first == drawn(sampler(site), 20, 4)
    assert first != drawn(sampler(site, bytes(32)), 20, 4)


@pytest.mark.parametrize("count", [1, 5, 7, 12, 30])
def test_every_window_comes_before_any_comes_twice(count: int) -> None:
    windows = 3 * 4
    flat = [pair for batch in drawn(sampler((2, 2, 2)), 3 * windows, count) for pair in batch]
    for first in range(0, len(flat) - windows + 1, windows):
        assert len(set(flat[first : first + windows])) == windows


def test_all_windows_of_a_batch_are_of_one_site_and_all_sites_take_part() -> None:
    site = (0, 1, 0, 1, 0, 7)
    batches = drawn(sampler(site), 120, 4)
    kinds = [{site[episode] for episode, _ in batch} for batch in batches]
    assert all(len(kind) == 1 for kind in kinds)
    turns = Counter(kind.pop() for kind in kinds)
    assert set(turns) == {0, 1, 7}
    assert turns[0] > turns[7], "in proportion to their windows"
    assert {pair for batch in batches for pair in batch} == {(e, m) for e in range(6) for m in range(4)}


def test_episodes_shorter_than_a_window_are_refused() -> None:
    assert sampler((0,), length=3, window=3).starts == 1
    with pytest.raises(Rejected) as caught:
        sampler((0,), length=2, window=3)
    assert caught.value.reason == "shard-mismatch"


def test_the_shard_replaced_in_place_is_still_checked() -> None:
    with pytest.raises(Rejected):
        shard_bytes(replace(SHARD, site=(0,)))
