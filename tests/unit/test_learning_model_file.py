"""Model files: what is written is what is read, and nothing else is accepted."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Fatal, Rejected
from jepanet.learning.model_file import ModelHeader, load_model, model_bytes, model_cap, remainder_of
from jepanet.tensors import Arrays, decode_tensors, encode_tensors
from learning_shards import OTHER, RECIPE, SEED, initial

pytestmark = pytest.mark.unit

WEIGHTS = initial(SEED)
VELOCITY = initial(OTHER)
HEADER = ModelHeader.of(RECIPE, 3, digest_of(b"parent"))
DATA = model_bytes(WEIGHTS, HEADER, VELOCITY)


def same(first: Arrays, second: Arrays) -> bool:
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name])
        for name in first
    )


def reason(data: bytes) -> str:
    with pytest.raises(Rejected) as refused:
        load_model(data, RECIPE)
    return refused.value.reason


def test_a_model_survives_the_wire() -> None:
    model = load_model(DATA, RECIPE)
    assert same(model.weights, WEIGHTS)
    assert model.velocity is not None
    assert same(model.velocity, VELOCITY)
    assert model.header == HEADER


def test_a_model_of_round_zero_has_neither_parent_nor_velocity() -> None:
    model = load_model(model_bytes(WEIGHTS, ModelHeader.of(RECIPE, 0)), RECIPE)
    assert model.velocity is None
    assert model.header.parent is None


def test_a_model_names_its_remainder_only_where_it_has_one() -> None:
    assert b"remainder" not in DATA
    header = replace(HEADER, remainder=digest_of(b"left"))
    data = model_bytes(WEIGHTS, header, VELOCITY)
    assert load_model(data, RECIPE).header == header
    assert len(data) <= model_cap(RECIPE) and data != DATA


def test_the_remainder_is_read_off_the_first_bytes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for left in (None, digest_of(b"left")):
        path.write_bytes(model_bytes(WEIGHTS, replace(HEADER, remainder=left), VELOCITY)[:8000])
        assert remainder_of(path) == left
    for data in (b"", b"junk" * 9, DATA[:100], encode_tensors({}, {"schema": "other"}),
                 edited(lambda arrays, header: header.update(remainder=7))):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(Rejected):
            remainder_of(path)


def test_a_model_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(DATA)
    assert same(load_model(path, RECIPE).weights, WEIGHTS)


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="nowhere"):
        load_model(tmp_path / "nowhere", RECIPE)


def test_the_order_of_tensors_does_not_matter() -> None:
    backwards = {name: WEIGHTS[name] for name in reversed(WEIGHTS)}
    assert model_bytes(backwards, HEADER, VELOCITY) == DATA


@pytest.mark.parametrize(
    "other",
    [
        model_bytes(WEIGHTS, replace(HEADER, round=4), VELOCITY),
        model_bytes(WEIGHTS, replace(HEADER, parent=None), VELOCITY),
        model_bytes(WEIGHTS, HEADER),
        model_bytes(VELOCITY, HEADER, WEIGHTS),
    ],
)
def test_the_digest_covers_everything(other: bytes) -> None:
    assert digest_of(other) != digest_of(DATA)


def test_a_loaded_model_cannot_be_changed() -> None:
    array = load_model(DATA, RECIPE).weights["encoder.head.bias"]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1.0


def test_the_cap_admits_every_model_and_no_more(tmp_path: Path) -> None:
    assert len(DATA) <= model_cap(RECIPE)
    assert reason(DATA + bytes(model_cap(RECIPE))) == "too-large"
    path = tmp_path / "large"
    path.write_bytes(bytes(model_cap(RECIPE) + 1))
    with pytest.raises(Rejected) as refused:
        load_model(path, RECIPE)
    assert refused.value.reason == "too-large"


@pytest.mark.parametrize("size", [0, 7, 8, 100, len(DATA) - 1])
def test_a_truncated_model_is_refused(size: int) -> None:
    assert reason(DATA[:size]) in {"truncated", "malformed", "not-canonical"}


def test_a_header_length_that_lies_is_refused() -> None:
    assert reason(struct.pack("<Q", 2**63) + DATA[8:]) == "truncated"


def test_a_model_of_another_recipe_is_refused() -> None:
    assert reason(model_bytes(WEIGHTS, replace(HEADER, recipe=digest_of(b"other")))) == "wrong-recipe"


def edited(change: Callable[[Arrays, dict[str, Any]], object]) -> bytes:
    arrays, header = decode_tensors(DATA, max_bytes=1 << 20, what="model")
    arrays = dict(arrays)
    change(arrays, header)
    return encode_tensors(arrays, header)


BIAS = "model.encoder.head.bias"
LATENT = RECIPE.family.sizes.latent


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda arrays, header: arrays.pop(BIAS), "wrong-shape"),
        (lambda arrays, header: arrays.pop("velocity.encoder.head.bias"), "wrong-shape"),
        (lambda arrays, header: arrays.update(stray=np.zeros(1, np.float32)), "wrong-shape"),
        (lambda arrays, header: arrays.update({"model.stray": np.zeros(1, np.float32)}), "wrong-shape"),
        (lambda arrays, header: arrays.update({BIAS: np.zeros(LATENT + 1, np.float32)}), "wrong-shape"),
        (lambda arrays, header: arrays.update({BIAS: np.zeros((LATENT, 1), np.float32)}), "wrong-shape"),
        (lambda arrays, header: arrays.update({BIAS: np.zeros(LATENT, np.float64)}), "wrong-shape"),
        (lambda arrays, header: arrays.update({BIAS: np.full(LATENT, np.nan, np.float32)}), "non-finite"),
        (
            lambda arrays, header: arrays.update(
                {"velocity.encoder.head.bias": np.full(LATENT, -np.inf, np.float32)}
            ),
            "non-finite",
        ),
        (lambda arrays, header: header.update(schema="jepanet.model.2"), "malformed"),
        (lambda arrays, header: header.update(family="language"), "malformed"),
        (lambda arrays, header: header.update(note="hello"), "malformed"),
        (lambda arrays, header: header.pop("parent"), "malformed"),
        (lambda arrays, header: header.update(round=-1), "malformed"),
        (lambda arrays, header: header.update(round=True), "malformed"),
        (lambda arrays, header: header.update(round="3"), "malformed"),
        (lambda arrays, header: header.update(round=2**40), "malformed"),
        (lambda arrays, header: header.update(parent="00"), "malformed"),
        (lambda arrays, header: header.update(parent=7), "malformed"),
        (lambda arrays, header: header.update(parent="G" * 64), "malformed"),
        (lambda arrays, header: header.update(parent="AB" * 32), "malformed"),
        (lambda arrays, header: header.update(remainder=None), "malformed"),
        (lambda arrays, header: header.update(remainder=""), "malformed"),
        (lambda arrays, header: header.update(remainder="AB" * 32), "malformed"),
        (lambda arrays, header: header.update(remainder="ab" * 33), "malformed"),
        (lambda arrays, header: header.update(remainder=["ab"] * 32), "malformed"),
        (lambda arrays, header: header.update(remainder="ab" * 32, parent=None), "malformed"),
        (lambda arrays, header: header.update(recipe=None), "wrong-recipe"),
        (lambda arrays, header: header.update(recipe=["a"] * 32), "wrong-recipe"),
    ],
)
def test_strange_contents_are_refused(change: Any, expected: str) -> None:
    assert reason(edited(change)) == expected


@pytest.mark.parametrize("data", [b"\x80\x04K\x01.", b"{}", bytes(64), json.dumps([]).encode() * 9])
def test_other_bytes_are_refused(data: bytes) -> None:
    assert reason(data) in {"truncated", "malformed"}
