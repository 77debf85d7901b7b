"""Shards of every kind of data: what strangers may send, and what the rest of learning does with them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.errors import Rejected
from jepanet.learning.data import shards
from jepanet.learning.data.schemas.episodes import EPISODES
from jepanet.learning.data.schemas.images import IMAGES
from jepanet.learning.data.schemas.pairs import PAIRS
from jepanet.learning.data.schemas.questions import QUESTIONS
from jepanet.learning.data.schemas.registry import SCHEMAS, schema_tagged
from jepanet.learning.data.schemas.texts import tokens_of
from jepanet.learning.data.scorable import check_scorable
from jepanet.learning.data.shards import MAX_EPISODES, Shard, check_schema, joined, load_shard, shard_bytes
from jepanet.learning.training.guarding.validation import split
from jepanet.learning.training.supply import InMemory
from jepanet.tensors import decode_tensors, encode_tensors
from learning_shards import shard_of

pytestmark = pytest.mark.unit

SITES = (0, 0, 0, 0, 4, 4, 4, 4)
SHARDS = {name: shard_of(name, 1, SITES) for name in SCHEMAS}
BYTES = {name: shard_bytes(shard) for name, shard in SHARDS.items()}
every_schema = pytest.mark.parametrize("name", SCHEMAS)


def altered(name: str, **arrays: Any) -> bytes:
    """The file of a shard with other arrays, unchecked; None leaves one out."""
    held, header = decode_tensors(BYTES[name], max_bytes=1 << 30, what="test")
    held |= arrays
    return encode_tensors({key: array for key, array in held.items() if array is not None}, header)


def test_the_first_schema_is_that_of_todays_shards() -> None:
    assert EPISODES.tag == "jepanet.shard.1" and next(iter(SCHEMAS)) == "episodes"
    assert schema_tagged("jepanet.shard.1") is EPISODES
    for odd in (None, "", "jepanet.shard.2", ["jepanet.shard.1"], "jepanet.model.1"):
        with pytest.raises(Rejected) as caught:
            schema_tagged(odd)
        assert caught.value.reason == "malformed"


@every_schema
def test_a_shard_survives_the_wire(name: str) -> None:
    shard, again = SHARDS[name], load_shard(BYTES[name])
    assert again.schema == shard.schema and again.site == SITES and again.episodes == len(SITES)
    assert set(again.arrays) == set(shard.schema.arrays)
    for key, array in again.arrays.items():
        np.testing.assert_array_equal(array, shard.arrays[key])
        assert not array.flags.writeable
    assert shard_bytes(again) == BYTES[name]
    assert pickle.loads(pickle.dumps(shard.schema)) == shard.schema, "it crosses to other processes"


@every_schema
def test_a_schema_reads_arrays_that_it_has(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema.trained and set(schema.trained) <= set(schema.arrays)
    assert schema.shown and set(schema.shown) <= set(schema.arrays)
    assert schema.state is None or schema.state in set(schema.arrays) - set(schema.trained)
    assert all(form.axes[0] == "E" for form in schema.arrays.values())
    assert "site" not in schema.arrays


@every_schema
def test_a_file_of_one_kind_is_not_read_as_another(name: str) -> None:
    arrays, header = decode_tensors(BYTES[name], max_bytes=1 << 30, what="test")
    for other in SCHEMAS.values():
        if other.name != name:
            with pytest.raises(Rejected) as caught:
                load_shard(encode_tensors(arrays, {**header, "schema": other.tag}))
            assert caught.value.reason == "malformed"
            with pytest.raises(Rejected, match=f"holds {name}; the recipe trains on {other.name}") as caught:
                check_schema(SHARDS[name], other)
            assert caught.value.reason == "shard-mismatch"


@every_schema
def test_an_array_of_another_form_is_refused(name: str) -> None:
    for key, array in SHARDS[name].arrays.items():
        other = np.float32 if array.dtype != np.float32 else np.int32
        for odd in (
            array.astype(other),
            array[0],
            array[..., None],
            array[:-1],
            array[:0],
            array[..., :0],
            np.zeros((), array.dtype),
        ):
            with pytest.raises(Rejected) as caught:
                load_shard(altered(name, **{key: np.ascontiguousarray(odd)}))
            assert caught.value.reason == "wrong-shape", (key, odd.shape)
    with pytest.raises(Rejected) as caught:
        load_shard(altered(name, extra=np.zeros(8, np.float32)))
    assert caught.value.reason == "malformed"


def spoiled(array: np.ndarray, place: tuple[int, ...], value: int) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


LABELS, QUERIES = SHARDS["images"].arrays["labels"], SHARDS["questions"].arrays["queries"]
MANY = np.ones((8, 65, 2), np.uint16)
ANSWERS, FIRST = SHARDS["questions"].arrays["answers"], SHARDS["pairs"].arrays["first"]


@pytest.mark.parametrize(
    ("name", "arrays", "reason"),
    [
        ("images", {"labels": spoiled(LABELS, (3, 0), -1)}, "out-of-range"),
        ("images", {"labels": spoiled(LABELS, (3, 0), 1 << 20)}, "out-of-range"),
        ("images", {"labels": np.zeros((8, 17), np.int32)}, "wrong-shape"),
        ("images", {"images": np.zeros((8, 3, 8, 6), np.uint8)}, "wrong-shape"),
        ("questions", {"queries": np.zeros_like(QUERIES)}, "empty-text"),
        ("questions", {"answers": spoiled(ANSWERS, (7, 1, 0), 0)}, "empty-text"),
        ("questions", {"queries": spoiled(QUERIES, (0, 0, 1), 0)}, "padding-inside"),
        ("questions", {"answers": ANSWERS[:, :1]}, "wrong-shape"),
        ("questions", {"queries": np.ones((8, 2, 2049), np.uint16)}, "wrong-shape"),
        ("questions", {"queries": MANY, "answers": MANY}, "wrong-shape"),
        ("pairs", {"first": spoiled(FIRST, (5, 0), 0)}, "empty-text"),
        ("pairs", {"first": spoiled(FIRST, (5, 1), 0)}, "padding-inside"),
        ("pairs", {"second": np.zeros((8, 4), np.uint16)}, "empty-text"),
    ],
)  # fmt: skip
def test_attack_values_that_would_score_what_was_never_said(
    name: str, arrays: dict[str, np.ndarray], reason: str
) -> None:
    with pytest.raises(Rejected) as caught:
        load_shard(altered(name, **{key: np.ascontiguousarray(array) for key, array in arrays.items()}))
    assert caught.value.reason == reason


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
@settings(max_examples=60)
def test_a_text_is_tokens_and_then_padding(text: list[int]) -> None:
    texts = np.broadcast_to(np.array(text, np.uint16), (8, len(text))).copy()
    texts[:, 0] += np.uint16(4 * bool(text[0]))
    length = next((place for place, token in enumerate(text) if not token), len(text))
    try:
        shard = load_shard(altered("pairs", second=texts))
    except Rejected as error:
        assert error.reason in ("empty-text", "padding-inside")
        assert length == 0 or any(text[length:])
        return
    assert length >= 1 and not any(text[length:])
    assert tokens_of(shard.array("second")).tolist() == [length] * 8


def test_a_text_behind_the_first_thousands_is_looked_at() -> None:
    count = 5000
    texts = np.ones((count, 2), np.uint16)
    shard = Shard(PAIRS, {"first": texts, "second": texts}, (0,) * count)
    shard_bytes(shard)
    with pytest.raises(Rejected, match="no first token"):
        shard_bytes(shard.with_arrays(second=spoiled(texts, (count - 1, 0), 0)))


@every_schema
def test_twins_of_every_kind_are_refused(name: str) -> None:
    shard = SHARDS[name]
    check_scorable(shard, minimum=8)
    shown = shard.schema.shown
    copies = {key: shard.arrays[key][[0, 1, 2, 3, 4, 1, 6, 7]] for key in shown}
    with pytest.raises(Rejected, match=f"{shard.schema.unit}s 1 and 5 show the same") as caught:
        check_scorable(shard.with_arrays(**copies), minimum=8)
    assert caught.value.reason == "repeated-episodes"
    if len(shown) > 1:  # one of two texts may be that of another pair
        check_scorable(shard.with_arrays(**{shown[0]: copies[shown[0]]}), minimum=8)


@every_schema
def test_shards_of_one_kind_and_size_can_be_joined(name: str) -> None:
    shard = SHARDS[name]
    both = joined([shard, shard_of(name, 2, (7, 7))])
    assert both.site == (*SITES, 7, 7) and both.schema == shard.schema
    for key, array in shard.arrays.items():
        np.testing.assert_array_equal(both.arrays[key][:8], array)
    shard_bytes(both)
    others = [SHARDS[other] for other in SCHEMAS if other != name]
    key = shard.schema.trained[0]
    others.append(shard.with_arrays(**{key: shard.arrays[key][..., :-1]}))
    for other in others:
        with pytest.raises(Rejected) as caught:
            joined([shard, other])
        assert caught.value.reason == "shard-mismatch"


@every_schema
def test_a_fifth_is_held_out_of_every_kind(name: str) -> None:
    shard = SHARDS[name]
    training, held = split(shard)
    assert (training.episodes, held.episodes) == (7, 1) and held.site == (4,)
    for key, array in shard.arrays.items():
        np.testing.assert_array_equal(held.arrays[key], array[4:5])
    shard_bytes(training)


@every_schema
def test_what_training_reads_tells_one_training_from_another_and_what_probes_read_does_not(name: str) -> None:
    shard = SHARDS[name]
    for key, array in shard.arrays.items():
        place = (0,) * array.ndim
        other = shard.with_arrays(**{key: spoiled(array, place, array[place] + 1)})
        assert (InMemory(other).identity() == InMemory(shard).identity()) == (key not in shard.schema.trained)


def test_a_shard_says_what_it_has_not() -> None:
    images = SHARDS["images"]
    assert (images.image, images.length) == (8, 1) and SHARDS["pairs"].image == 0
    assert (SHARDS["episodes"].image, SHARDS["episodes"].length) == (16, 9)
    assert images.pictures.shape == (8, 3, 8, 8) and SHARDS["questions"].pictures.shape == (8, 3, 8, 8)
    assert SHARDS["episodes"].pictures.shape == (72, 3, 16, 16)
    with pytest.raises(Rejected, match="pairs has no pictures") as caught:
        _ = SHARDS["pairs"].pictures
    assert caught.value.reason == "no-frames"
    with pytest.raises(Rejected, match="a shard of images has no frames") as caught:
        _ = images.frames
    assert caught.value.reason == "shard-mismatch"
    assert (IMAGES.unit, QUESTIONS.unit, PAIRS.unit) == ("image", "scene", "pair")


def test_attack_more_site_numbers_than_episodes_can_be_are_refused_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As numbers of Python they would take ten times the bytes of the file."""
    monkeypatch.setattr(shards, "Shard", None)
    data = altered("pairs", site=np.zeros(MAX_EPISODES + 1, np.int32))
    with pytest.raises(Rejected, match="site numbers") as caught:
        load_shard(data)
    assert caught.value.reason == "wrong-shape"
