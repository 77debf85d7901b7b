"""bfloat16 and top-k: against torch and plain Python, their sizes, and parts that no encoder writes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from math import log2

import numpy as np
import pytest
import torch

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.bfloat import from_bfloat, to_bfloat
from jepanet.federation.deltas.codecs import BY_ARRAY, CODECS
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta, most_file_bytes, schema_of
from jepanet.federation.deltas.quantised import CHUNK
from jepanet.federation.deltas.topk import Density, decode, encode, size_bounds
from jepanet.federation.merging.rules import RULES

pytestmark = pytest.mark.unit

DENSITIES = {"topk10": Density(10, 3), "topk3": Density(3, 4), "topk1": Density(1, 6)}
TEN = DENSITIES["topk10"]
SHAPES: tuple[tuple[int, ...], ...] = (
    (), (0, 3), (1,), (7,), (CHUNK - 1,), (CHUNK,), (CHUNK + 1,), (3, CHUNK), (70, 130), (300, 1000),
)  # fmt: skip


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape), dtype=np.float32)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as error:
        call()
    return error.value.reason


# ------------------------------------------------------------------ bfloat16


def test_bfloat_rounds_as_torch_does() -> None:
    bits = np.random.default_rng(0).integers(0, 1 << 32, 200_000, dtype=np.uint32)
    bits[:1000] = (bits[:1000] & 0xFFFF0000) | 0x8000  # exactly between two
    values = bits.view(np.float32)
    values = values[np.isfinite(values) & (np.abs(values) < 3.38e38)]
    expected = torch.tensor(values).to(torch.bfloat16)
    assert (to_bfloat(values) == expected.view(torch.int16).numpy().view(np.uint16)).all()
    assert from_bfloat(to_bfloat(values)).tobytes() == expected.to(torch.float32).numpy().tobytes()


def test_bfloat_never_turns_a_finite_value_into_infinity() -> None:
    big = np.finfo(np.float32).max
    back = from_bfloat(to_bfloat(np.array([big, -big], np.float32)))
    assert back.tolist() == [float.fromhex("0x1.fep127"), -float.fromhex("0x1.fep127")]


@pytest.mark.parametrize("pattern", [0x7F80, 0xFF80, 0x7FC0, 0xFFFF])
def test_attack_bfloat_not_finite(pattern: int) -> None:
    part = {"patterns": np.array([0, pattern], np.uint16)}
    assert refused(lambda: BY_ARRAY["bf16"].decode(part, (2,))) == "non-finite"


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize("name", BY_ARRAY)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_array_takes_more_bytes_than_its_shape_says(name: str, shape: tuple[int, ...]) -> None:
    last = np.zeros(shape, np.float32)
    last.reshape(-1)[-60:] = 1.0  # far from each other's chunk: the longest gaps
    for array in (normal(*shape), np.zeros(shape, np.float32), last):
        parts = BY_ARRAY[name].encode(array)
        assert sum(part.nbytes for part in parts.values()) <= BY_ARRAY[name].most_bytes(shape)
    if not name.startswith("topk"):
        assert sum(part.nbytes for part in parts.values()) == BY_ARRAY[name].most_bytes(shape)


@pytest.mark.parametrize("name", CODECS)
def test_no_delta_file_is_larger_than_its_schema_says(name: str) -> None:
    names = ["a", "encoder.ä" * 20, "b" * 200]
    header = DeltaHeader(digest_of(b"base"), digest_of(b"recipe"))
    for shapes in (SHAPES[:3], SHAPES[3:6], SHAPES[-2:], ((1,) * 8,)):
        delta = {label: normal(*shape) for label, shape in zip(names, shapes, strict=False)}
        size = len(encode_delta(delta, header, name))
        most = most_file_bytes(schema_of(delta), name)
        assert size <= most <= 1.12 * size + 2000


def test_a_codec_that_nobody_has_says_no_size() -> None:
    with pytest.raises(ValueError, match="unknown codec"):
        most_file_bytes({"w": (3,)}, "zip")


# ------------------------------------------------------------------ top-k


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_exactly_the_largest_of_each_chunk_stay(name: str, shape: tuple[int, ...]) -> None:
    # Few distinct values, so that many are equal in magnitude.
    array = np.round(normal(*shape, seed=3) * 8).astype(np.float32)
    back = decode(encode(array, DENSITIES[name]), shape, DENSITIES[name])
    assert back.shape == shape
    flat, found = array.reshape(-1), back.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        piece = flat[start : start + CHUNK]
        ranked = sorted(range(len(piece)), key=lambda i: (-abs(piece[i]), i))
        count = -(-len(piece) * DENSITIES[name].percent // 100)
        kept = sorted(i for i in ranked[:count] if piece[i])
        assert np.flatnonzero(found[start : start + CHUNK]).tolist() == kept
        assert (np.sign(found[start : start + CHUNK][kept]) == np.sign(piece[kept])).all()
        assert len(set(np.abs(found[start : start + CHUNK][kept]).tolist())) <= 2


def test_levels_are_the_means_of_the_two_groups() -> None:
    array = np.zeros(30, np.float32)
    array[[3, 8, 20]] = [1.0, -5.0, 3.0]
    back = decode(encode(array, TEN), (30,), TEN)
    # Three stay: mean 3, so 5 is high; the middle of 2 and 5 leaves the groups as they are.
    assert back[[3, 8, 20]].tolist() == [2.0, -5.0, 2.0]


def test_zeros_that_are_stored_for_want_of_other_values_stay_zeros() -> None:
    array = np.zeros(2 * CHUNK, np.float32)
    array[[5, 70, 4095]] = [4.0, -2.0, 3.0]
    back = decode(encode(array, TEN), array.shape, TEN)
    assert np.flatnonzero(back).tolist() == [5, 70, 4095]
    assert back[[5, 70, 4095]].tolist() == [3.0, -3.0, 3.0]


def test_equal_magnitudes_are_exact() -> None:
    array = np.where(np.arange(CHUNK) % 10 == 0, np.float32(-0.5), np.float32(0))
    assert (decode(encode(array, TEN), array.shape, TEN) == array).all()


@pytest.mark.parametrize(("name", "limit"), [("topk10", 0.008), ("topk3", 0.002), ("topk1", 0.001)])
def test_two_bits_cost_little_beside_what_is_left_out(name: str, limit: float) -> None:
    array = normal(50, CHUNK)
    back = decode(encode(array, DENSITIES[name]), array.shape, DENSITIES[name])
    left_out = np.where(back == 0, array, 0)
    lost, least = (float(np.linalg.norm(error)) for error in (array - back, left_out))
    assert lost < (1 + limit) * least


@pytest.mark.parametrize("name", DENSITIES)
def test_positions_cost_next_to_their_entropy(name: str) -> None:
    array = normal(100, CHUNK)
    share = DENSITIES[name].kept(CHUNK) / CHUNK
    entropy = -share * log2(share) - (1 - share) * log2(1 - share)
    bits = 8 * (encode(array, DENSITIES[name]).size - 8) - 32 * 100 - 2 * share * array.size
    assert entropy < bits / array.size < 1.05 * entropy


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_array_is_larger_than_the_cap(name: str, shape: tuple[int, ...]) -> None:
    least, most = size_bounds(shape, DENSITIES[name])
    flat = np.zeros(int(np.prod(shape)), np.float32)
    front, back = flat.copy(), flat.copy()
    for start in range(0, flat.size, CHUNK):
        end = min(flat.size, start + CHUNK)
        count = DENSITIES[name].kept(end - start)
        front[start : start + count] = 1
        back[end - count : end] = 1
    sizes = [encode(item.reshape(shape), DENSITIES[name]).size for item in (front, back, normal(*shape))]
    assert all(least <= size <= most for size in sizes)
    if flat.size >= CHUNK:
        # Everything at the end of its chunk is as long as it gets, but for the stored values themselves.
        assert sizes[1] >= 0.85 * most


# ------------------------------------------------------------------ hostile parts

SHAPE = (CHUNK + 100,)
GOOD = encode(normal(*SHAPE), TEN)
KEPT = 410 + 10
LEVELS, CODES, PLANES = 4, 4 + 8, 4 + 8 + KEPT // 4
UNARY = PLANES + 3 * -(-KEPT // 8)


def changed(place: int, value: int) -> np.ndarray:
    copy = GOOD.copy()
    copy[place] = value
    return copy


def hostile(packed: np.ndarray, shape: tuple[int, ...] = SHAPE) -> str:
    return refused(lambda: decode(packed, shape, TEN))


def test_attack_lengths_and_shapes() -> None:
    for size in (0, 3, UNARY, UNARY + KEPT // 8):
        assert hostile(GOOD[:size]) == "wrong-shape"
    assert hostile(np.concatenate([GOOD, np.ones(1000, np.uint8)])) == "wrong-shape"
    assert hostile(changed(0, 1)) == "wrong-shape"
    square = encode(normal(20, 30), TEN)
    assert hostile(square, (30, 20)) == "wrong-shape"
    assert hostile(square, (1 << 40,)) == "wrong-shape"
    assert hostile(square, (600,)) in ("wrong-shape", "malformed")


def test_attack_parts_of_another_type() -> None:
    codec = BY_ARRAY["topk10"]
    assert refused(lambda: codec.decode({"packed": GOOD.reshape(1, -1)}, SHAPE)) == "wrong-shape"
    assert refused(lambda: codec.decode({"packed": GOOD.view(np.int8)}, SHAPE)) == "malformed"


@pytest.mark.parametrize(
    ("patterns", "reason"),
    [
        ([0x3F80, 0x7F80], "non-finite"),
        ([0x7FC0, 0x7FC0], "non-finite"),
        ([0x8000, 0x3F80], "malformed"),
        ([0xBF80, 0x3F80], "malformed"),
        ([0x4000, 0x3F80], "malformed"),
    ],
)
def test_attack_levels(patterns: list[int], reason: str) -> None:
    copy = GOOD.copy()
    copy[LEVELS : LEVELS + 4] = np.array(patterns, "<u2").view(np.uint8)
    assert hostile(copy) == reason


def test_attack_too_many_or_too_few_values() -> None:
    assert hostile(changed(UNARY, GOOD[UNARY] ^ 0x80)) == "malformed"
    assert hostile(np.concatenate([GOOD, np.zeros(1, np.uint8)])) == "malformed"


def written(positions: list[int]) -> np.ndarray:
    """`GOOD` with other positions: the code of its gaps, bit by bit as the format is described."""
    gaps = [after - before - 1 for before, after in pairwise([-1, *positions])]
    planes = [np.packbits([gap >> bit & 1 for gap in gaps]) for bit in range(3)]
    unary = np.packbits([bit for gap in gaps for bit in [0] * (gap >> 3) + [1]])
    return np.concatenate([GOOD[:PLANES], *planes, unary]).astype(np.uint8)


def test_positions_are_written_as_described() -> None:
    chosen = sorted(np.random.default_rng(2).permutation(CHUNK)[:410].tolist()) + list(range(4100, 4190, 9))
    assert np.flatnonzero(decode(written(chosen), SHAPE, TEN)).tolist() == chosen
    here = np.flatnonzero(decode(GOOD, SHAPE, TEN)).tolist()
    assert written(here).tobytes() == GOOD.tobytes()


@pytest.mark.parametrize("first", [409, 411])
def test_attack_a_chunk_with_a_value_too_many_or_too_few(first: int) -> None:
    decode(written([*range(410), *range(4096, 4106)]), SHAPE, TEN)
    assert hostile(written([*range(first), *range(4096, 4096 + KEPT - first)])) == "malformed"


def test_attack_a_value_beyond_the_end() -> None:
    decode(written([*range(410), *range(4186, 4196)]), SHAPE, TEN)
    assert hostile(written([*range(410), *range(4187, 4197)])) == "malformed"


def test_attack_gaps_that_shift_everything() -> None:
    copy = GOOD.copy()
    # A larger gap at the very start shifts all positions: the last of the first chunk leaves it.
    copy[PLANES : PLANES + 3 * -(-KEPT // 8)] |= 0xF0
    assert hostile(copy) == "malformed"
    alone = encode(normal(100), TEN)
    tail = alone.copy()
    tail[4 + 4 + 3 : 4 + 4 + 3 + 6] = np.tile(np.array([0xFF, 0xC0], np.uint8), 3)
    assert refused(lambda: decode(tail, (100,), TEN)) == "malformed"


def test_attack_unused_bits() -> None:
    odd = (30,)  # three values: six bits of codes, three bits a plane
    good = encode(normal(*odd), TEN)
    decode(good, odd, TEN)
    for place, bit in ((8, 0x40), (8, 0x80), (9, 0x10), (10, 0x01), (11, 0x01)):
        copy = good.copy()
        copy[place] |= bit
        assert refused(lambda copy=copy: decode(copy, odd, TEN)) == "malformed"


# ------------------------------------------------------------------ the same bytes everywhere


def pinned() -> list[np.ndarray]:
    """Values that integer arithmetic alone decides, with ties, zeros and a wide range."""
    draw = np.random.Generator(np.random.PCG64(7))
    arrays = []
    for _ in range(5):
        steps = draw.integers(-2000, 2001, 3 * CHUNK + 100).astype(np.float32)
        arrays.append(np.ldexp(steps, draw.integers(-30, 3, steps.size)).astype(np.float32))
    return arrays


def fingerprint(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]


CODED = {
    "fp32": "b4903e261fa85285",
    "bf16": "d9e52769fb853221",
    "int8": "79849c64488ac5a8",
    "int6": "d6a4fbb540aa4803",
    "topk10": "2a4a6eb9ec5dd83e",
    "topk3": "050660de82d48f88",
    "topk1": "f3b60b791bcb0a10",
}
MERGED = {
    "mean": "8c2b8d27866396bc",
    "median": "ca27a7464297d74b",
    "trimmed": "420144bcf4568381",
    "krum": "44d940c7b6603b2d",
    "multi-krum": "9788bd34e1ddb10b",
    "geometric-median": "88fb57af665c4572",
    "ties": "00d8a8d288966dfe",
}
"""The same with numpy dispatched to AVX-512 and restricted to its SSE baseline."""


@pytest.mark.parametrize("name", BY_ARRAY)
def test_codecs_write_the_same_bytes_on_every_cpu(name: str) -> None:
    array = pinned()[0]
    parts = BY_ARRAY[name].encode(array)
    back = BY_ARRAY[name].decode(parts, array.shape)
    data = b"".join(parts[part].tobytes() for part in BY_ARRAY[name].parts) + back.tobytes()
    assert fingerprint(data) == CODED[name]


@pytest.mark.parametrize("name", RULES)
def test_rules_merge_to_the_same_bytes_on_every_cpu(name: str) -> None:
    merged = RULES[name]([{"w": array} for array in pinned()])["w"]
    assert fingerprint(merged.tobytes()) == MERGED[name]
