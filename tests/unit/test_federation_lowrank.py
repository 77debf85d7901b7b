"""Low rank: what components hold, what files they make on every CPU, and parts that no encoder writes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.federation.deltas.bfloat import to_bfloat
from jepanet.federation.deltas.codecs import JOINT
from jepanet.federation.deltas.components import TILE, Remainder, joined
from jepanet.federation.deltas.delta import DeltaHeader, encode_delta
from jepanet.federation.deltas.lowrank import decode, encode, most_bytes
from jepanet.tensors import Arrays
from jepanet.types import ZERO_DIGEST

pytestmark = pytest.mark.unit

HEADER = DeltaHeader(ZERO_DIGEST, ZERO_DIGEST)
SHAPES: dict[str, tuple[int, ...]] = {
    "bias": (48,), "conv": (48, 24, 3, 3), "empty": (0, 3), "long": (1, 700), "matrix": (600, 530),
    "number": (), "thin": (300, 1),
}  # fmt: skip


def normal(seed: int = 0, scale: float = 1e-3) -> Arrays:
    draw = np.random.default_rng(seed)
    return {name: np.asarray(draw.normal(0, scale, shape), np.float32) for name, shape in SHAPES.items()}


def low_rank(rank: int, seed: int = 0, shape: tuple[int, int] = (256, 256)) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.asarray(draw.normal(size=(shape[0], rank)) @ draw.normal(size=(rank, shape[1])), np.float32)


def error(back: np.ndarray, array: np.ndarray) -> float:
    return float(np.linalg.norm(back - array) / np.linalg.norm(array))


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value.reason


# ------------------------------------------------------------------ what it keeps


@pytest.mark.parametrize(("ratio", "limit"), [(50, 0.08), (100, 0.2), (200, 0.65)])
def test_a_change_of_low_rank_survives(ratio: int, limit: float) -> None:
    delta = {"w": low_rank(6)}
    assert error(decode(encode(delta, ratio), {"w": (256, 256)}, ratio)["w"], delta["w"]) < limit


def test_it_holds_far_more_of_such_a_change_than_the_largest_values_do() -> None:
    noise = np.random.default_rng(1).normal(0, 2.0, (256, 256)).astype(np.float32)
    delta = {"w": low_rank(12) + noise}
    held = error(decode(encode(delta, 100), {"w": (256, 256)}, 100)["w"], delta["w"])
    largest = np.where(np.abs(delta["w"]) >= np.quantile(np.abs(delta["w"]), 0.97), delta["w"], 0)
    assert held < 0.75 < 0.85 < error(largest, delta["w"])


def test_arrays_that_move_much_get_more_of_the_bytes() -> None:
    loud, quiet = low_rank(40, 1), low_rank(40, 2)
    schema = {"loud": loud.shape, "quiet": quiet.shape}
    back = decode(encode({"loud": 10 * loud, "quiet": quiet}, 100), schema, 100)
    even = decode(encode({"loud": loud, "quiet": quiet}, 100), schema, 100)
    assert error(back["loud"], 10 * loud) < error(even["loud"], loud)
    assert error(back["quiet"], quiet) > error(even["quiet"], quiet)


@pytest.mark.parametrize("name", JOINT)
def test_a_file_is_as_many_times_smaller_as_its_name_says(name: str) -> None:
    delta = {f"layer.{index}.weight": low_rank(200, index) for index in range(5)}
    raw = 4 * sum(array.size for array in delta.values())
    ratio = raw / len(encode_delta(delta, HEADER, name))
    assert int(name.removeprefix("rank")) <= ratio < 1.04 * int(name.removeprefix("rank"))


@pytest.mark.parametrize("ratio", [50, 100, 200])
def test_no_delta_takes_more_bytes_than_its_schema_says(ratio: int) -> None:
    one = {"w": np.where(np.arange(TILE * TILE) == 7, 1, 0).astype(np.float32).reshape(TILE, TILE)}
    for delta in (normal(), {"w": np.ones((TILE, TILE), np.float32)}, one, {"b": np.ones(5, np.float32)}, {}):
        packed = encode(delta, ratio)
        schema = {name: array.shape for name, array in delta.items()}
        assert packed.size <= most_bytes(schema, ratio)
        decode(packed, schema, ratio)


def test_nothing_is_nothing_and_a_number_is_itself() -> None:
    zeros = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    back = decode(encode(zeros, 100), SHAPES, 100)
    assert list(back) == sorted(SHAPES)
    assert not any(array.any() for array in back.values())
    assert all(back[name].shape == shape and back[name].flags.writeable for name, shape in SHAPES.items())
    assert decode(encode({"n": np.float32(-0.375).reshape(())}, 100), {"n": ()}, 100)["n"] == -0.375


@pytest.mark.parametrize("scale", [1e-44, 1e-38, 1.0, 3e38])
def test_values_at_the_ends_of_float32_stay_finite(scale: float) -> None:
    delta = {name: np.clip(array * 1e3, -1, 1) * np.float32(scale) for name, array in normal().items()}
    back = decode(encode(delta, 100), SHAPES, 100)
    assert all(np.isfinite(array).all() for array in back.values())


def test_each_component_takes_what_it_says() -> None:
    matrix = normal()["matrix"][:TILE, :TILE]
    remainder, left = Remainder(matrix), float((matrix.astype(np.float64) ** 2).sum())
    taken = []
    for _ in range(4):
        found = remainder.best()
        assert found is not None and found.gain > 0
        remainder.take(found)
        taken.append(found)
        scales = np.array([one.scale for one in taken])
        back = joined(scales, np.array([one.u for one in taken]), np.array([one.v for one in taken]))
        now = float(((matrix - back.astype(np.float64)) ** 2).sum())
        assert left - now == pytest.approx(found.gain, rel=1e-3)
        left = now


# ------------------------------------------------------------------ the same bytes everywhere


def pinned() -> Arrays:
    """Values that integer arithmetic alone decides, with ties and a wide range."""
    draw = np.random.Generator(np.random.PCG64(7))
    made: Arrays = {}
    for name, shape in SHAPES.items():
        steps = draw.integers(-2000, 2001, shape).astype(np.float32)
        made[name] = np.asarray(np.ldexp(steps, draw.integers(-30, 3, shape)), dtype=np.float32)
    return made


@pytest.mark.parametrize(
    ("ratio", "wanted"), [(50, "c09222ad9d6c1183"), (100, "d7d1cdfae953baf5"), (200, "6d44b7b61f66fb7b")]
)
def test_the_same_bytes_on_every_cpu(ratio: int, wanted: str) -> None:
    """Also with other kernels of the library that multiplies, and with numpy restricted to its baseline."""
    packed = encode(pinned(), ratio)
    back = decode(packed, SHAPES, ratio)
    data = packed.tobytes() + b"".join(array.tobytes() for array in back.values())
    assert sha256(data).hexdigest()[:16] == wanted


def test_the_order_in_which_a_library_adds_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same matrices with rows and columns in another order are other sums to a library."""
    matrix = normal()["matrix"][:300, :200]
    rows, columns = (np.random.default_rng(2).permutation(size) for size in matrix.shape)
    # The first row decides about signs, so it stays where it is.
    rows = np.concatenate([[0], rows[rows != 0]])
    plain, mixed = Remainder(matrix), Remainder(matrix[rows][:, columns])
    for _ in range(12):
        one, two = plain.best(), mixed.best()
        assert one is not None and two is not None
        assert (one.scale, one.gain, one.bits) == (two.scale, two.gain, two.bits)
        np.testing.assert_array_equal(one.u[rows], two.u)
        np.testing.assert_array_equal(one.v[columns], two.v)
        plain.take(one)
        mixed.take(two)


def test_sums_are_exact_at_the_bounds_of_what_a_decoder_takes() -> None:
    """Largest codes, most components, scales as far apart as they may be."""
    draw = np.random.default_rng(3)
    u, v = (draw.choice([-63, -61, 63], size=(255, 40)).astype(np.float64) for _ in "uv")
    scales = np.sort(np.concatenate([[255 * 2.0**19], draw.integers(128, 256, 254) * 1.0]))[::-1] / 128
    exact = [
        [sum(int(s * 128) * int(a) * int(b) for s, a, b in zip(scales, u[:, i], v[:, j], strict=True))
         for j in range(40)] for i in range(40)
    ]  # fmt: skip
    wanted = np.array([[float(np.float32(value / 128)) for value in row] for row in exact])
    np.testing.assert_array_equal(joined(scales, u, v), wanted)


# ------------------------------------------------------------------ hostile parts

SMALL: dict[str, tuple[int, ...]] = {"a": (6, 5), "b": (3,)}
A, B = [1, -3, 1, 1, 5, 1], [1, 1, -1, 3, 1]


def written(components: list[tuple[float, list[int]]], ranks: tuple[int, int]) -> np.ndarray:
    """A part as the format is described: (scale, codes of u and v) of every component."""
    empty = encode({name: np.zeros(shape, np.float32) for name, shape in SMALL.items()}, 1)[:4]
    codes = [code for _, each in components for code in each]
    steps = "".join("0" * (abs(code) >> 1) + "1" for code in codes)
    return np.concatenate(
        [
            empty,
            np.array(ranks, np.uint8),
            to_bfloat(np.array([scale for scale, _ in components], np.float32)).astype("<u2").view(np.uint8),
            np.packbits([code < 0 for code in codes]),
            np.packbits([bit == "1" for bit in steps]),
        ]
    ).astype(np.uint8)


def hostile(packed: np.ndarray) -> str:
    return refused(lambda: decode(packed, SMALL, 1))


def test_parts_are_written_as_described() -> None:
    back = decode(written([(2.0, A + B), (0.5, [-3, 1, 1])], (1, 1)), SMALL, 1)
    np.testing.assert_array_equal(back["a"], 2.0 * np.outer(A, B))
    np.testing.assert_array_equal(back["b"], [-1.5, 0.5, 0.5])
    delta = {"a": np.outer(A, B).astype(np.float32), "b": np.zeros(3, np.float32)}
    assert error(decode(encode(delta, 1), SMALL, 1)["a"], delta["a"]) < 0.01


@pytest.mark.parametrize(
    ("components", "ranks"),
    [
        ([(1.0, [-1, *A[1:], *B])], (1, 0)),  # u begins below zero
        ([(1.0, [3 * code for code in A] + B)], (1, 0)),  # a common factor that belongs to the scale
        ([(1.0, [*A, 3, 3, 3, 9, 3])], (1, 0)),
        ([(1.0, [3, 3, -3])], (0, 1)),
        ([(1.0, A + B), (2.0, A + B)], (2, 0)),  # scales rise
        ([(1.0, A + B), (1.0, A + B)], (2, 0)),  # the same twice
        ([(1.0, [*A, 3, *B[1:]]), (1.0, A + B)], (2, 0)),  # of equal scales the later code first
        ([(2.0**20, A + B), (1.0, A + B)], (2, 0)),  # too far apart to be added exactly
        ([(0.0, A + B)], (1, 0)),
        ([(-1.0, A + B)], (1, 0)),
        ([(2.0**-127, A + B)], (1, 0)),  # subnormal
        ([(1.0, [1, *A[1:], *B[:-1], 65])], (1, 0)),  # a code too large
        ([(1.0, A + B)], (2, 0)),  # more promised than there is
        ([(1.0, A + B)], (255, 255)),
        ([(1.0, A + B)], (0, 0)),
        ([(1.0, A + B)], (0, 3)),
    ],
)
def test_attack_components_that_no_encoder_writes(
    components: list[tuple[float, list[int]]], ranks: tuple[int, int]
) -> None:
    assert hostile(written(components, ranks)) == "malformed"


@pytest.mark.parametrize("pattern", [0x7F80, 0x7FC0, 0xFF80])
def test_attack_scales_that_are_not_finite(pattern: int) -> None:
    packed = written([(1.0, A + B)], (1, 0))
    packed[6:8] = np.array([pattern], "<u2").view(np.uint8)
    assert hostile(packed) == "non-finite"


def test_attack_lengths_bits_and_other_weights() -> None:
    good = written([(1.0, A + B)], (1, 0))
    decode(good, SMALL, 1)
    for size in range(len(good)):
        assert hostile(good[:size]) in ("wrong-shape", "malformed")
    assert hostile(np.concatenate([good, np.zeros(1, np.uint8)])) == "malformed"
    assert hostile(np.concatenate([good, np.ones(1, np.uint8)])) == "malformed"
    assert hostile(np.concatenate([good, np.ones(5000, np.uint8)])) == "wrong-shape"
    unused = good.copy()
    unused[9] |= 1  # 11 signs take two bytes
    assert hostile(unused) == "malformed"
    for schema in ({"a": (5, 6), "b": (3,)}, {"a": (6, 5), "c": (3,)}, {"a": (6, 5)}, {}):
        assert refused(lambda schema=schema: decode(good, schema, 1)) == "wrong-shape"


def test_attack_parts_of_another_type() -> None:
    codec, good = JOINT["rank50"], written([(1.0, A + B)], (1, 0))
    assert refused(lambda: codec.decode({"packed": good.reshape(1, -1)}, SMALL)) == "wrong-shape"
    assert refused(lambda: codec.decode({"packed": good.view(np.int8)}, SMALL)) == "malformed"
