"""Error feedback: nothing is lost for good, and residuals are files that a digest names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import (
    DeltaHeader,
    decode_delta,
    decode_parts,
    delta_bytes,
    encode_delta,
    schema_of,
)
from jepanet.federation.deltas.feedback import (
    Residual,
    decode_residual,
    encode_residual,
    residual_digest,
    with_feedback,
)
from jepanet.tensors import Arrays, encode_tensors
from jepanet.types import Digest

pytestmark = pytest.mark.unit

BASE, RECIPE, OTHER = (Digest(bytes([i]) * 32) for i in (1, 2, 3))
SHAPES: dict[str, tuple[int, ...]] = {"a": (90, 70), "b": (), "c": (0, 2), "d": (50,)}


def draw(seed: int, scale: float = 1.0) -> Arrays:
    generator = np.random.default_rng(seed)
    return {name: np.asarray(generator.normal(0, scale, shape), np.float32) for name, shape in SHAPES.items()}


def sent(parts: Arrays, codec: str) -> Arrays:
    return decode_parts(parts, SHAPES, codec)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_sent_and_what_stays_behind_make_up_the_whole(codec: str) -> None:
    delta, before = draw(1), draw(2, 0.3)
    parts, after = with_feedback(delta, before, codec)
    assert list(after) == sorted(SHAPES)
    for name, array in sent(parts, codec).items():
        corrected = np.asarray(delta[name] + before[name])
        np.testing.assert_array_equal(after[name], corrected - array)
        assert after[name].dtype == np.float32
        assert after[name].shape == SHAPES[name]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_share_of_the_residual_is_added(share: float) -> None:
    """To the bit what adding a residual that much smaller gives."""
    delta, before = draw(1), draw(2, 0.3)
    faded = {name: np.asarray(array * np.float32(share)) for name, array in before.items()}
    for one, two in zip(
        with_feedback(delta, before, "topk3", share), with_feedback(delta, faded, "topk3"), strict=True
    ):
        assert {name: array.tobytes() for name, array in one.items()} == {
            name: array.tobytes() for name, array in two.items()
        }


@pytest.mark.parametrize("share", [-0.1, 1.001, float("nan")])
def test_a_share_outside_its_bounds_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        with_feedback(draw(1), None, "topk3", share)


def test_a_first_round_starts_from_nothing() -> None:
    zeros = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    for one, two in zip(
        with_feedback(draw(1), None, "topk3"), with_feedback(draw(1), zeros, "topk3"), strict=True
    ):
        assert {name: array.tobytes() for name, array in one.items()} == {
            name: array.tobytes() for name, array in two.items()
        }


def test_fp32_leaves_nothing_behind() -> None:
    _, after = with_feedback(draw(1), None, "fp32")
    assert not any(array.any() for array in after.values())


def test_with_feedback_every_change_is_sent_in_the_end() -> None:
    """The same small delta again and again: without feedback its small values never arrive."""
    delta, rounds = draw(1), 80
    with_it = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    without = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    residual = None
    for _ in range(rounds):
        parts, residual = with_feedback(delta, residual, "topk3")
        for name, array in sent(parts, "topk3").items():
            with_it[name] += array
        for name, array in sent(with_feedback(delta, None, "topk3")[0], "topk3").items():
            without[name] += array

    def error(total: dict[str, np.ndarray]) -> float:
        wanted = rounds * delta["a"].astype(np.float64)
        return float(np.linalg.norm(total["a"] - wanted) / np.linalg.norm(wanted))

    assert error(with_it) < 0.35
    assert error(without) > 0.85


def test_the_parts_are_those_of_a_delta_file() -> None:
    header = DeltaHeader(BASE, RECIPE)
    parts, _ = with_feedback(draw(1), None, "topk10")
    data = delta_bytes(parts, header, "topk10")
    assert data == encode_delta(draw(1), header, "topk10")
    back = decode_delta(data, schema=SHAPES, max_bytes=1 << 20, base=BASE, recipe=RECIPE, codec="topk10")
    assert schema_of(back) == schema_of(draw(1))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown codec"):
        with_feedback(draw(1), None, "topk99")
    with pytest.raises(ValueError, match="differ"):
        with_feedback(draw(1), {"a": np.zeros(1, np.float32)}, "topk3")
    huge = {name: np.full(shape, 3e38, np.float32) for name, shape in SHAPES.items()}
    with pytest.raises(ValueError, match="diverged"):
        with_feedback(huge, huge, "topk3")


# ------------------------------------------------------------------ residual files

RESIDUAL = Residual(draw(4), BASE, OTHER, "topk3")


def opened(data: bytes, **changes: Any) -> Residual:
    return decode_residual(data, **{"schema": SHAPES, "max_bytes": 1 << 20, "codec": "topk3", **changes})


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as error:
        call()
    return error.value.reason


@pytest.mark.parametrize("before", [None, OTHER])
def test_a_residual_survives_its_file(before: Digest | None) -> None:
    residual = replace(RESIDUAL, before=before)
    data = encode_residual(residual)
    back = opened(data)
    assert (back.delta, back.before, back.codec) == (BASE, before, "topk3")
    for name, array in back.values.items():
        np.testing.assert_array_equal(array, residual.values[name])
        assert array.flags.writeable
    assert encode_residual(back) == data
    assert residual_digest(residual) == sha256(data).digest()


def test_every_field_is_part_of_the_digest() -> None:
    changed = draw(4)
    changed["d"][7] += 1
    variants = [
        RESIDUAL,
        replace(RESIDUAL, values=changed),
        replace(RESIDUAL, delta=OTHER),
        replace(RESIDUAL, before=None),
        replace(RESIDUAL, codec="topk1"),
    ]
    assert len({residual_digest(item) for item in variants}) == len(variants)


def with_header(**changes: Any) -> bytes:
    header = {"kind": "residual", "schema": 1, "codec": "topk3", "delta": BASE.hex(), "before": "", **changes}
    return encode_tensors(draw(4), {name: value for name, value in header.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "delta"}, "malformed"),
        ({"schema": 2}, "malformed"),
        ({"schema": True}, "malformed"),
        ({"extra": 1}, "malformed"),
        ({"before": None}, "malformed"),
        ({"codec": "topk10"}, "bad-codec"),
        ({"delta": ""}, "malformed"),
        ({"delta": "0x" + "1" * 62}, "malformed"),
        ({"delta": "A" * 64}, "malformed"),
        ({"delta": 5}, "malformed"),
        ({"before": "1" * 63}, "malformed"),
    ],
)
def test_attack_residual_headers(changes: dict[str, Any], reason: str) -> None:
    opened(with_header())
    assert refused(lambda: opened(with_header(**changes))) == reason


def test_attack_residual_files() -> None:
    good = encode_residual(RESIDUAL)
    assert refused(lambda: opened(good, max_bytes=len(good) - 1)) == "too-large"
    assert refused(lambda: opened(good, schema={"a": (1,)})) == "wrong-shape"
    assert refused(lambda: opened(good[:-1])) in ("truncated", "malformed")
    assert refused(lambda: opened(good[:9])) == "truncated"
    header = {"kind": "residual", "schema": 1, "codec": "topk3", "delta": BASE.hex(), "before": ""}
    double = encode_tensors({name: array.astype(np.float64) for name, array in draw(4).items()}, header)
    assert refused(lambda: opened(double)) == "malformed"
    broken = draw(4)
    broken["d"][0] = np.nan
    assert refused(lambda: opened(encode_tensors(broken, header))) == "non-finite"
    with pytest.raises(ValueError, match="finite"):
        encode_residual(replace(RESIDUAL, values=broken))
