"""Delta files, codecs, the mean and the outer step."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import BY_ARRAY, CODECS
from jepanet.federation.deltas.delta import DeltaHeader, decode_delta, delta_of, encode_delta, schema_of
from jepanet.federation.deltas.quantised import CHUNK
from jepanet.federation.judging import similarity
from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import near_copies, norm, upper_median
from jepanet.federation.merging.mean import mean
from jepanet.federation.merging.outer import outer_step
from jepanet.federation.merging.rules import in_digest_order
from jepanet.tensors import Arrays, encode_tensors
from jepanet.types import Digest

pytestmark = pytest.mark.unit

BASE = Digest(b"\1" * 32)
RECIPE = Digest(b"\2" * 32)
HEADER = DeltaHeader(BASE, RECIPE)


def weights(seed: int = 0, scale: float = 1.0) -> Arrays:
    draw = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "a.weight": (70, 80),
        "b.bias": (5,),
        "c.scale": (),
        "d.empty": (0, 3),
    }
    return {
        name: np.asarray(draw.normal(0, scale, shape), dtype=np.float32) for name, shape in shapes.items()
    }


def decode(data: bytes, schema: Any = None, codec: str = "int8", **changes: Any) -> Arrays:
    options = {"max_bytes": 1 << 20, "base": BASE, "recipe": RECIPE, **changes}
    return decode_delta(data, schema=schema or schema_of(weights()), codec=codec, **options)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as error:
        call()
    return error.value.reason


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_keeps_its_promise(codec: str) -> None:
    delta = weights(3)
    data = encode_delta(delta, HEADER, codec)
    assert data == encode_delta(dict(reversed(delta.items())), HEADER, codec)
    back = decode(data, codec=codec)
    assert list(back) == sorted(delta)
    for name, array in back.items():
        assert array.dtype == np.float32
        assert array.shape == delta[name].shape
        assert array.flags.writeable
        largest = np.abs(delta[name]).max(initial=0)
        # bfloat16 keeps 8 bits of each value; the others drop most of what there is, but invent little.
        step = {
            "fp32": 0.0, "bf16": np.abs(delta[name]) / 128, "int8": largest / 127, "int6": largest / 31,
        }.get(codec, 2 * largest)  # fmt: skip
        assert (np.abs(array - delta[name]) <= step * 0.5001).all()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_codec_encodes_what_is_not_finite(codec: str, bad: float) -> None:
    with pytest.raises(ValueError, match="diverged"):
        encode_delta({"w": np.array([1.0, bad], dtype=np.float32)}, HEADER, codec)
    with pytest.raises(ValueError, match="float32"):
        encode_delta({"w": np.array([1.0])}, HEADER, codec)


@pytest.mark.parametrize("codec", CODECS)
def test_what_no_training_changed_arrives_unchanged(codec: str) -> None:
    """Else an honest delta of a family with frozen weights would be a fault."""
    delta = weights(3)
    frozen = max(delta, key=lambda name: delta[name].size)
    delta[frozen] = np.zeros_like(delta[frozen])
    data = encode_delta(delta, HEADER, codec)
    assert not decode(data, schema_of(delta), codec, frozen=(frozen,))[frozen].any()


def test_int8_is_a_quarter_of_fp32_and_int6_less_than_a_fifth() -> None:
    delta = {"w": np.random.default_rng(0).normal(size=100 * CHUNK).astype(np.float32)}
    full, eight, six = (len(encode_delta(delta, HEADER, codec)) for codec in ("fp32", "int8", "int6"))
    assert 3.9 < full / eight < 4
    assert 5.3 < full / six < 32 / 6


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63])
def test_int6_packs_every_step_at_every_place(count: int) -> None:
    for offset in range(63):
        array = ((np.arange(count) + offset) % 63 - 31).astype(np.float32)
        array[0] = 31  # so that the scale is 1
        parts = BY_ARRAY["int6"].encode(array)
        assert parts["packed"].size == 4 + 3 * -(-count // 4)
        assert (BY_ARRAY["int6"].decode(parts, (count,)) == array).all()


def test_int8_rounds_to_nearest_with_ties_to_even() -> None:
    array = np.array([127, 0.5, 1.5, 2.5, -0.5, -1.5, 0, -127], dtype=np.float32)
    steps = BY_ARRAY["int8"].encode(array)["steps"]
    assert steps.tolist() == [127, 0, 2, 2, 0, -2, 0, -127]


def test_int8_of_numbers_too_small_for_a_scale_is_zero() -> None:
    array = np.array([1e-45, -1e-45, 0], dtype=np.float32)
    parts = BY_ARRAY["int8"].encode(array)
    assert (BY_ARRAY["int8"].decode(parts, (3,)) == 0).all()


def test_delta_is_local_minus_base() -> None:
    base, local = weights(1), weights(2)
    delta = delta_of(local, base)
    assert all((delta[name] == local[name] - base[name]).all() for name in base)
    with pytest.raises(ValueError, match="differ"):
        delta_of({"a": base["a.weight"]}, base)
    with pytest.raises(ValueError, match="float32"):
        delta_of({name: array.astype(np.float64) for name, array in local.items()}, base)


# ------------------------------------------------------------------ hostile files


def test_attack_files_that_lie_about_what_they_are() -> None:
    good = encode_delta(weights(), HEADER, "int8")
    assert refused(lambda: decode(good, base=RECIPE)) == "wrong-base"
    assert refused(lambda: decode(good, recipe=BASE)) == "wrong-recipe"
    assert refused(lambda: decode(good, codec="fp32")) == "bad-codec"
    assert refused(lambda: decode(good, max_bytes=len(good) - 1)) == "too-large"
    for cut in (0, 7, 8, 100, len(good) - 1):
        assert refused(lambda cut=cut: decode(good[:cut])) in ("truncated", "malformed")
    assert refused(lambda: decode(good + b"\0")) in ("truncated", "malformed")


def test_attack_wrong_shapes() -> None:
    schema = schema_of(weights())
    for codec in CODECS:
        delta = weights()
        for lie in (
            {**delta, "b.bias": np.zeros(6, np.float32)},
            {**delta, "a.weight": delta["a.weight"].T.copy()},
            {name: array for name, array in delta.items() if name != "b.bias"},
            {**delta, "extra": np.zeros(1, np.float32)},
        ):
            data = encode_delta(lie, HEADER, codec)
            assert refused(lambda data=data, codec=codec: decode(data, schema, codec)) == "wrong-shape"


def fp32_file(**tensors: np.ndarray) -> bytes:
    parts = {f"{name}/values": array for name, array in tensors.items()}
    header = {"kind": "delta", "schema": 1, "base": BASE.hex(), "recipe": RECIPE.hex(), "codec": "fp32"}
    return encode_tensors(parts, header)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_attack_not_finite(bad: float) -> None:
    data = fp32_file(w=np.array([0, bad], dtype=np.float32))
    assert refused(lambda: decode(data, {"w": (2,)}, "fp32")) == "non-finite"


def test_attack_wrong_dtype() -> None:
    data = fp32_file(w=np.zeros(2, dtype=np.float64))
    assert refused(lambda: decode(data, {"w": (2,)}, "fp32")) == "malformed"


def int8_file(steps: Any, scales: Any) -> bytes:
    header = {"kind": "delta", "schema": 1, "base": BASE.hex(), "recipe": RECIPE.hex(), "codec": "int8"}
    parts = {"w/steps": np.array(steps, np.int8), "w/scales": np.array(scales, np.float32)}
    return encode_tensors(parts, header)


@pytest.mark.parametrize(
    ("steps", "scales", "reason"),
    [
        ([1, 2], [np.nan], "non-finite"),
        ([1, 2], [np.inf], "non-finite"),
        ([127, 2], [3e38], "non-finite"),
        ([1, 2], [-1.0], "malformed"),
        ([1, 2], [-0.0], "malformed"),
        ([-128, 2], [1.0], "malformed"),
        ([1, 2], [1.0, 1.0], "wrong-shape"),
        ([1, 2], [], "wrong-shape"),
    ],
)
def test_attack_int8_parts(steps: Any, scales: Any, reason: str) -> None:
    assert refused(lambda: decode(int8_file(steps, scales), {"w": (2,)})) == reason


@pytest.mark.parametrize(
    ("packed", "scales", "reason"),
    [
        ([65, 0, 0], [np.nan], "non-finite"),
        ([31, 0, 0], [3e38], "non-finite"),
        ([65, 0, 0], [-1.0], "malformed"),
        ([32, 0, 0], [1.0], "malformed"),  # step -32
        ([0, 16, 0], [1.0], "malformed"),  # a third value, of two
        ([0, 0, 128], [1.0], "malformed"),  # a fourth
        ([65, 0, 0], [1.0, 1.0], "wrong-shape"),
        ([65, 0], [1.0], "wrong-shape"),
        ([65, 0, 0, 0, 0, 0], [1.0], "wrong-shape"),
    ],
)
def test_attack_int6_parts(packed: list[int], scales: list[float], reason: str) -> None:
    parts = {"packed": np.array([2, 0, 0, 0, *packed], np.uint8), "scales": np.array(scales, np.float32)}
    assert refused(lambda: BY_ARRAY["int6"].decode(parts, (2,))) == reason


def with_table(change: Callable[[dict[str, Any]], None]) -> bytes:
    data = encode_delta({"w": np.zeros(4, np.float32)}, HEADER, "fp32")
    (length,) = struct.unpack("<Q", data[:8])
    table = json.loads(data[8 : 8 + length])
    change(table)
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["w/values"].update(shape=[0, 1 << 70], data_offsets=[0, 0]),
        lambda table: table["w/values"].update(shape=[-4]),
        lambda table: table["w/values"].update(shape=[4.0]),
        lambda table: table["w/values"].update(shape=[1] * 9 + [4]),
        lambda table: table["w/values"].update(data_offsets=[0, 1 << 80]),
        lambda table: table["w/values"].update(data_offsets=[16, 0]),
        lambda table: table["w/values"].update(dtype="F99"),
        lambda table: table["w/values"].update(dtype=[]),
        lambda table: table.update({"w/values": 7}),
        lambda table: table.update({"\ud800": table.pop("w/values")}),
        lambda table: table.update(__metadata__={"jepanet": "\ud800"}),
        lambda table: table.update(__metadata__={"jepanet": "[" * 100_000}),
        lambda table: table.update(__metadata__={"jepanet": "[]"}),
        lambda table: table.update(__metadata__={"jepanet": '{"kind":"delta"}'}),
        lambda table: table.update(__metadata__={"jepanet": {}}),
        lambda table: table.pop("__metadata__"),
    ],
)
def test_attack_tables(change: Callable[[dict[str, Any]], None]) -> None:
    reason = refused(lambda: decode(with_table(change), {"w": (4,)}, "fp32"))
    assert reason in ("malformed", "truncated", "wrong-shape")


# ------------------------------------------------------------------ mean and outer step


def test_mean_is_the_stated_sum_in_the_stated_order() -> None:
    deltas = [weights(seed) for seed in range(5)]
    result = mean(deltas)
    for name, array in result.items():
        flat = [delta[name].reshape(-1) for delta in deltas]
        for i, value in enumerate(array.reshape(-1)):
            total = np.float32(flat[0][i])
            for other in flat[1:]:
                total = np.float32(float(total) + float(other[i]))
            assert value == np.float32(float(total) / 5)


def test_mean_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="nothing"):
        mean([])
    with pytest.raises(ValueError, match="differ"):
        mean([weights(), {"a": np.zeros(1, np.float32)}])
    with pytest.raises(ValueError, match="once"):
        in_digest_order([(BASE, weights()), (BASE, weights())])


def test_identical_silos_give_the_local_result() -> None:
    """Outer lr 1, momentum 0: a federation of clones is one local training. A wrong sign fails here."""
    base, local = weights(1), weights(2)
    grid = {name: np.round(array * 256) / np.float32(256) for name, array in base.items()}
    moved = {name: grid[name] + np.round(array * 256) / np.float32(256) for name, array in local.items()}
    for silos in (1, 2, 3, 4, 7):
        delta = delta_of(moved, grid)
        deltas = [(Digest(bytes([i]) * 32), delta) for i in range(silos)]
        after, velocity = merge(grid, None, deltas, lr_milli=1000, momentum_milli=0)
        for name in grid:
            np.testing.assert_array_equal(after[name], moved[name])
            np.testing.assert_array_equal(velocity[name], delta[name])


def test_outer_step_is_nesterov_as_in_torch_sgd() -> None:
    import torch

    base, lr, mu = weights(1), 0.7, 0.6
    parameters = [torch.nn.Parameter(torch.tensor(array)) for array in base.values()]
    optimiser = torch.optim.SGD(parameters, lr=lr, momentum=mu, nesterov=True)
    ours, velocity = base, None
    for seed in range(4):
        delta = weights(10 + seed, 0.1)
        ours, velocity = outer_step(ours, delta, velocity, lr=lr, momentum=mu)
        for parameter, name in zip(parameters, base, strict=True):
            parameter.grad = torch.tensor(-delta[name])  # torch subtracts gradients, a delta is added
        optimiser.step()
    for parameter, name in zip(parameters, base, strict=True):
        np.testing.assert_allclose(ours[name], parameter.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_outer_step_rounds_after_every_operation() -> None:
    base, delta, before = (weights(seed) for seed in (1, 2, 3))
    after, velocity = outer_step(base, delta, before, lr=0.7, momentum=0.6)
    lr, mu = float(np.float32(0.7)), float(np.float32(0.6))

    def f32(value: float) -> float:
        return float(np.float32(value))

    for i in range(200):
        g, d, v = (float(arrays["a.weight"].flat[i]) for arrays in (base, delta, before))
        v_after = f32(f32(v * mu) + d)
        step = f32(lr * f32(f32(v_after * mu) + d))
        assert float(velocity["a.weight"].flat[i]) == v_after
        assert float(after["a.weight"].flat[i]) == f32(g + step)


def test_outer_step_leaves_its_arguments_alone_and_checks_them() -> None:
    base, delta, velocity = weights(1), weights(2), weights(3)
    copies = [{name: array.copy() for name, array in item.items()} for item in (base, delta, velocity)]
    outer_step(base, delta, velocity, lr=1.0, momentum=0.5)
    for item, copy in zip((base, delta, velocity), copies, strict=True):
        assert all((item[name] == copy[name]).all() for name in item)
    for lr, mu in ((0.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (1.0, -0.1), (float("nan"), 0.0)):
        with pytest.raises(ValueError, match="outer step"):
            outer_step(base, delta, None, lr=lr, momentum=mu)


# ------------------------------------------------------------------ norms and angles


def test_norm_is_the_sequential_sum() -> None:
    arrays = weights(4)
    total = 0.0
    for name in sorted(arrays):
        for value in arrays[name].reshape(-1).tolist():
            total += value * value
    assert norm(arrays) == total**0.5
    long = {"w": np.random.default_rng(0).normal(size=600_000).astype(np.float32)}
    assert norm(long) == sum((float(x) ** 2 for x in long["w"]), 0.0) ** 0.5


def test_upper_median() -> None:
    assert upper_median([1.0, 9.0]) == 9.0
    assert upper_median([9.0, 1.0, 2.0]) == 2.0
    with pytest.raises(ValueError, match="nothing"):
        upper_median([])


def test_near_copies_keep_the_earliest() -> None:
    one, two = weights(1), weights(2)
    copy = {name: array * np.float32(0.5) for name, array in one.items()}
    flipped = {name: -array for name, array in two.items()}
    named = [(Digest(bytes([i]) * 32), delta) for i, delta in enumerate((one, two, copy, flipped))]
    copies = near_copies(named, 0.9)
    assert {key[0]: twin[0] for key, (twin, _) in copies.items()} == {2: 0, 3: 1}
    assert copies[named[3][0]][1] == pytest.approx(-1)
    assert near_copies(named[:1], 0.9) == {}


def test_attack_a_copy_on_the_threshold_is_judged_alike_on_every_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a matrix product adds in another order decides about nobody's bond."""
    rng = np.random.default_rng(7)
    one = {"a": rng.normal(size=(64, 96)).astype(np.float32), "b": rng.normal(size=333).astype(np.float32)}
    other = {
        name: (array + rng.normal(size=array.shape) * 0.5).astype(np.float32) for name, array in one.items()
    }
    named = [(Digest(b"\x01" * 32), one), (Digest(b"\x02" * 32), other)]
    product = similarity._cosines
    lengths = similarity._product(one, one) * similarity._product(other, other)
    threshold = abs(similarity._product(one, other) / math.sqrt(lengths))
    for error in (-1e-9, 0.0, 1e-9):
        monkeypatch.setattr(similarity, "_cosines", lambda deltas, error=error: product(deltas) + error)
        assert near_copies(named, threshold) != {}
        assert near_copies(named, math.nextafter(threshold, 1)) == {}
    exact = sum(math.fsum(np.float64(one[name]).ravel() * np.float64(other[name]).ravel()) for name in one)
    assert similarity._product(one, other) == pytest.approx(exact, rel=1e-12)
