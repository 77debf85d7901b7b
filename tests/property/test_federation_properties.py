"""Codecs, means and judging under arbitrary arrays and arbitrary bytes."""

from __future__ import annotations

import json
import struct
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import BY_ARRAY, CODECS
from jepanet.federation.deltas.contract import Schema
from jepanet.federation.deltas.delta import DeltaHeader, decode_delta, delta_of, encode_delta, schema_of
from jepanet.federation.deltas.lowrank import decode as rank_decode
from jepanet.federation.deltas.lowrank import encode as rank_encode
from jepanet.federation.deltas.lowrank import most_bytes as rank_most_bytes
from jepanet.federation.deltas.quantised import CHUNK
from jepanet.federation.deltas.topk import Density
from jepanet.federation.deltas.topk import decode as topk_decode
from jepanet.federation.deltas.topk import encode as topk_encode
from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import norm
from jepanet.tensors import Arrays
from jepanet.types import Digest

pytestmark = pytest.mark.property

FEW = settings(max_examples=80, deadline=None)
BASE, RECIPE = Digest(b"\1" * 32), Digest(b"\2" * 32)
FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)
SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)


def weight(shape: object = SHAPES) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, shape, elements=FLOATS)  # type: ignore[arg-type]


@FEW
@given(array=weight())
def test_fp32_returns_every_bit(array: np.ndarray) -> None:
    codec = BY_ARRAY["fp32"]
    assert codec.decode(codec.encode(array), array.shape).tobytes() == array.tobytes()


@FEW
@given(
    array=weight(),
    repeat=st.sampled_from([1, CHUNK, CHUNK + 1]),
    rule=st.sampled_from([("int8", 127), ("int6", 31)]),
)
def test_integer_codecs_err_by_half_a_step_at_most(
    array: np.ndarray, repeat: int, rule: tuple[str, int]
) -> None:
    name, steps = rule
    codec = BY_ARRAY[name]
    array = np.tile(array.reshape(-1), repeat)[: 3 * CHUNK]
    parts = codec.encode(array)
    back = codec.decode(parts, array.shape).astype(np.float64)
    for start in range(0, array.size, CHUNK):
        piece = array[start : start + CHUNK].astype(np.float64)
        step = np.abs(piece).max() / steps
        # One float32 rounding each of scale and product on top of half a step; 1e-43 for subnormals.
        assert (np.abs(back[start : start + CHUNK] - piece) <= step * 0.5001 + 1e-43).all()
    again = codec.encode(codec.decode(parts, array.shape))
    assert codec.decode(again, array.shape).shape == array.shape


@FEW
@given(
    array=weight(),
    repeat=st.sampled_from([1, 500, CHUNK]),
    name=st.sampled_from(["topk10", "topk3", "topk1"]),
)
def test_top_k_invents_nothing_and_fits_its_cap(array: np.ndarray, repeat: int, name: str) -> None:
    codec = BY_ARRAY[name]
    array = np.tile(array.reshape(-1), repeat)[: 3 * CHUNK + 5]
    parts = codec.encode(array)
    back = codec.decode(parts, array.shape)
    assert np.isfinite(back).all()
    assert (back[array == 0] == 0).all()
    assert ((np.sign(back) == np.sign(array)) | (back == 0)).all()
    # A level is a mean of magnitudes, rounded to 8 bits, or to a multiple of 2^-133 where bfloat16 runs out.
    assert np.abs(back).max(initial=0) <= float(np.abs(array).max(initial=0)) * 1.004 + 2.0**-134


@FEW
@given(arrays_=st.lists(weight(), min_size=1, max_size=3), ratio=st.sampled_from([1, 50, 100]))
def test_components_take_energy_away_and_fit_their_cap(arrays_: list[np.ndarray], ratio: int) -> None:
    delta = {f"w{index}": array for index, array in enumerate(arrays_)}
    schema = schema_of(delta)
    packed = rank_encode(delta, ratio)
    assert packed.size <= rank_most_bytes(schema, ratio)
    assert packed.tobytes() == rank_encode(dict(reversed(delta.items())), ratio).tobytes()
    for name, back in rank_decode(packed, schema, ratio).items():
        whole, left = (array.astype(np.float64) for array in (delta[name], delta[name] - back))
        assert np.isfinite(back).all()
        # Scales below the least normal number are left out; of those above, each takes energy away.
        assert np.linalg.norm(left) <= np.linalg.norm(whole) * (1 + 1e-6) + 1e-37


RANK_SCHEMA: Schema = {"a": (6, 5), "b": (3,), "c": (7, 2, 2)}


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_attack_any_components_decode_or_are_rejected(data: st.DataObject) -> None:
    """Changed bytes behind the right fingerprint of the weights, so that every check is reached."""
    draw = np.random.default_rng(data.draw(st.integers(0, 3)))
    delta = {name: draw.normal(size=shape).astype(np.float32) for name, shape in RANK_SCHEMA.items()}
    packed = rank_encode(delta, 2)
    for _ in range(data.draw(st.integers(1, 6))):
        packed[data.draw(st.integers(4, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    packed = packed[: len(packed) - data.draw(st.integers(0, 3))]
    extra = data.draw(st.lists(st.integers(0, 255), max_size=3))
    packed = np.concatenate([packed, np.array(extra, np.uint8)])
    try:
        back = rank_decode(packed, RANK_SCHEMA, 2)
    except Rejected as error:
        assert error.reason in ("malformed", "wrong-shape", "non-finite")
        return
    assert schema_of(back) == RANK_SCHEMA
    assert all(np.isfinite(array).all() for array in back.values())


DENSITY = Density(percent=10, low_bits=3)
HOSTILE_SHAPE = (CHUNK + 40,)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_attack_any_top_k_bytes_decode_or_are_rejected(data: st.DataObject) -> None:
    """Random bytes in a frame of the right shape and length, so that every check below it is reached."""
    array = np.random.default_rng(data.draw(st.integers(0, 3))).normal(size=HOSTILE_SHAPE).astype(np.float32)
    packed = topk_encode(array, DENSITY)
    for _ in range(data.draw(st.integers(1, 6))):
        packed[data.draw(st.integers(4, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    packed = packed[: len(packed) - data.draw(st.integers(0, 3))]
    packed = np.concatenate(
        [packed, np.array(data.draw(st.lists(st.integers(0, 255), max_size=3)), np.uint8)]
    )
    try:
        back = topk_decode(packed, HOSTILE_SHAPE, DENSITY)
    except Rejected as error:
        assert error.reason in {"wrong-shape", "malformed", "non-finite"}
        return
    assert np.isfinite(back).all()
    assert np.count_nonzero(back[:CHUNK]) <= DENSITY.kept(CHUNK)
    assert np.count_nonzero(back[CHUNK:]) <= DENSITY.kept(40)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), silos=st.integers(1, 6))
def test_merge_is_bit_equal_in_any_order(data: st.DataObject, silos: int) -> None:
    shape = data.draw(SHAPES)
    base = {"w": data.draw(weight(shape))}
    deltas = [(Digest(sha256(bytes([i])).digest()), {"w": data.draw(weight(shape))}) for i in range(silos)]
    shuffled = data.draw(st.permutations(deltas))
    velocity = {"w": data.draw(weight(shape))}
    one = merge(base, velocity, deltas, lr_milli=700, momentum_milli=600)
    two = merge(base, velocity, shuffled, lr_milli=700, momentum_milli=600)
    for first, second in zip(one, two, strict=True):
        assert first["w"].tobytes() == second["w"].tobytes()


GRID = st.integers(-(1 << 16), 1 << 16).map(lambda i: i / 256)


@FEW
@given(data=st.data(), silos=st.integers(1, 8))
def test_one_round_of_clones_is_local_training(data: st.DataObject, silos: int) -> None:
    """Outer lr 1, momentum 0, identical silos, numbers that float32 adds exactly."""
    base, local = ({"w": data.draw(arrays(np.float32, 5, elements=GRID))} for _ in range(2))
    deltas = [(Digest(bytes([i]) * 32), delta_of(local, base)) for i in range(silos)]
    after, _ = merge(base, None, deltas, lr_milli=1000, momentum_milli=0)
    np.testing.assert_array_equal(after["w"], local["w"])


@FEW
@given(array=weight(20), scale=st.sampled_from([2.0, 0.5, -4.0]))
def test_norm_scales(array: np.ndarray, scale: float) -> None:
    assert norm({"w": array * np.float32(scale)}) == pytest.approx(
        abs(scale) * norm({"w": array}), rel=1e-6, abs=1e-40
    )


SAMPLE: Arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float32)}
FILES = {codec: encode_delta(SAMPLE, DeltaHeader(BASE, RECIPE), codec) for codec in CODECS}


def survives(data: bytes, codec: str) -> None:
    try:
        decoded = decode_delta(
            data, schema=schema_of(SAMPLE), max_bytes=4096, base=BASE, recipe=RECIPE, codec=codec
        )
    except Rejected as error:
        assert error.reason in {
            "too-large", "truncated", "malformed", "bad-codec", "wrong-base", "wrong-recipe",
            "wrong-shape", "non-finite",
        }  # fmt: skip
        return
    assert schema_of(decoded) == schema_of(SAMPLE)
    assert all(np.isfinite(array).all() for array in decoded.values())


@FEW
@given(data=st.binary(max_size=5000), codec=st.sampled_from(sorted(CODECS)))
def test_any_bytes_decode_or_are_rejected(data: bytes, codec: str) -> None:
    survives(data, codec)


@settings(max_examples=300, deadline=None)
@given(codec=st.sampled_from(sorted(CODECS)), where=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_flipped_byte_decodes_or_is_rejected(codec: str, where: int, value: int) -> None:
    data = bytearray(FILES[codec])
    data[where % len(data)] = value
    survives(bytes(data), codec)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "I8", "F64", "BF16"]) | JSON,
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=9) | JSON,
        "data_offsets": st.lists(st.integers(0, 60), min_size=2, max_size=2) | JSON,
    }
)


@settings(max_examples=100, deadline=None)
@given(
    table=st.dictionaries(
        st.sampled_from(["a/values", "b/values", "\ud800"]) | st.text(max_size=5), ENTRY | JSON
    ),
    metadata=JSON | st.fixed_dictionaries({"jepanet": st.text(max_size=30)}),
    body=st.binary(max_size=60),
)
def test_any_table_decodes_or_is_rejected(table: dict[str, object], metadata: object, body: bytes) -> None:
    text = json.dumps({**table, "__metadata__": metadata}).encode()
    survives(struct.pack("<Q", len(text)) + text + body, "fp32")
