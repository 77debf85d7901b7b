"""Coded updates: whoever follows ends where whoever merged does, to the last bit, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import DeltaHeader, decode_parts, encode_delta, most_file_bytes
from jepanet.federation.merging.coded import CodedStep, apply_update, coded_step
from jepanet.federation.merging.outer import outer_step
from jepanet.federation.merging.update_files import (
    Update,
    decode_remainder,
    decode_update,
    remainder_bytes,
    update_bytes,
)
from jepanet.tensors import Arrays, encode_tensors
from jepanet.types import Digest

pytestmark = pytest.mark.unit

BASE, RECIPE, LEFT = (Digest(bytes([i]) * 32) for i in (0xA1, 0xA2, 0xA3))
HEADER = DeltaHeader(BASE, RECIPE)
SHAPES: dict[str, tuple[int, ...]] = {"a": (90, 70), "b": (), "c": (0, 2), "d": (50,)}
RATES = {"lr_milli": 700, "momentum_milli": 600}


def draw(label: str, scale: float = 1.0) -> Arrays:
    """Values that no library draws: multiples of 2^-15 in [-1, 1), some of them far smaller than others."""
    drawn: Arrays = {}
    for name, shape in SHAPES.items():
        count = int(np.prod(shape))
        stream = b"".join(sha256(f"{label} {name} {i}".encode()).digest() for i in range(1 + count // 16))
        values = np.frombuffer(stream[: 2 * count], dtype="<i2").astype(np.float32) / np.float32(32768)
        small = np.where(np.arange(count) % 7 == 0, values, values * values * values)
        drawn[name] = np.asarray(small * np.float32(scale), np.float32).reshape(shape)
    return drawn


def stepped(
    codec: str, base: Arrays, delta: Arrays, velocity: Any, remainder: Any, **changes: Any
) -> CodedStep:
    rates = {**RATES, "carry_milli": 1000, **changes}
    return coded_step(base, delta, velocity, remainder, codec=codec, **rates)


def name_of(arrays: Arrays | None) -> str:
    return "none" if arrays is None else digest_of(encode_tensors(arrays, {})).hex()[:16]


def same(one: Arrays | None, two: Arrays | None) -> bool:
    return name_of(one) == name_of(two)


# ------------------------------------------------------------------ the step


@pytest.mark.parametrize("momentum", [0, 600])
@pytest.mark.parametrize("codec", CODECS)
def test_who_follows_by_updates_ends_where_who_merges_does(codec: str, momentum: int) -> None:
    rates = {"lr_milli": 700, "momentum_milli": momentum}
    base = theirs = draw("base")
    velocity = other_velocity = remainder = None
    for number in range(5):
        made = stepped(codec, base, draw(f"delta {number}", 0.1), velocity, remainder, **rates)
        base, velocity, remainder = made.weights, made.velocity, made.remainder
        update = decode_parts(made.parts, SHAPES, codec)
        theirs, other_velocity = apply_update(theirs, update, other_velocity, **rates)
        assert same(theirs, base) and same(other_velocity, velocity)
        assert (velocity is None) == (momentum == 0)
        assert list(base) == sorted(SHAPES)


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_added_and_what_stays_behind_make_up_the_whole(codec: str) -> None:
    base, delta, before = draw("base"), draw("delta", 0.1), draw("before", 0.01)
    made = stepped(codec, base, delta, None, before, lr_milli=1000, momentum_milli=0)
    update = decode_parts(made.parts, SHAPES, codec)
    assert made.remainder is not None
    for name in SHAPES:
        corrected = np.asarray(delta[name] + before[name])
        np.testing.assert_array_equal(made.remainder[name], np.asarray(corrected - update[name]))
        np.testing.assert_array_equal(made.weights[name], np.asarray(base[name] + update[name]))
        assert made.weights[name].shape == made.remainder[name].shape == SHAPES[name]


def test_without_loss_it_is_the_outer_step_and_its_velocity_up_to_rounding() -> None:
    base = exact = draw("base")
    velocity = plain = None
    for number in range(6):
        delta = draw(f"delta {number}", 0.1)
        made = stepped("fp32", base, delta, velocity, None)
        exact, plain = outer_step(exact, delta, plain, lr=0.7, momentum=0.6)
        base, velocity = made.weights, made.velocity
        assert made.remainder is not None and velocity is not None
        assert not any(array.any() for array in made.remainder.values())
        for name in SHAPES:
            np.testing.assert_allclose(velocity[name], plain[name], rtol=2e-5, atol=1e-7)
            np.testing.assert_allclose(base[name], exact[name], rtol=2e-6, atol=1e-6)


def test_one_step_without_loss_gives_the_weights_of_the_outer_step_to_the_bit() -> None:
    base, delta, velocity = draw("base"), draw("delta"), draw("velocity")
    made = stepped("fp32", base, delta, velocity, None)
    assert same(made.weights, outer_step(base, delta, velocity, lr=0.7, momentum=0.6)[0])


def test_every_operation_is_rounded_to_float32() -> None:
    """Number by number in Python: nothing was fused or done in double precision."""
    base, delta, velocity, before = (draw(word) for word in ("base", "delta", "velocity", "before"))
    made = stepped("int8", base, delta, velocity, before, carry_milli=950)
    update = decode_parts(made.parts, SHAPES, "int8")
    lr, mu, carry = (float(np.float32(n)) for n in (0.7, 0.6, 0.95))
    assert made.remainder is not None and made.velocity is not None

    def f32(value: float) -> float:
        return float(np.float32(value))

    for i in range(300):
        g, d, v, r, u = (float(x["a"].flat[i]) for x in (base, delta, velocity, before, update))
        after = f32(f32(v * mu) + d)
        corrected = f32(f32(f32(f32(after * mu) + d) * lr) + f32(r * carry))
        assert float(made.remainder["a"].flat[i]) == f32(corrected - u)
        assert float(made.weights["a"].flat[i]) == f32(g + u)
        assert float(made.velocity["a"].flat[i]) == f32(f32(f32(v * mu) + f32(u / lr)) / f32(1 + mu))


GOLDEN: dict[str, tuple[str, ...]] = {
    "fp32": (
        "0032fe838bc4c1d9",
        "520ff81f3bd49ed5",
        "f76fa5f246d7b360",
        "3954be7ee4577244",
    ),
    "bf16": (
        "75543c652fee1527",
        "d5a36230115c4342",
        "97fca1976fa00c40",
        "2f84b95bdb56d4ad",
    ),
    "int8": (
        "108b6f50db101ad4",
        "ce72fe961ac8de75",
        "1ff177e81929c7d1",
        "6cc65d1cfb64966b",
    ),
    "int6": (
        "1e9d810ce2932a45",
        "6b1e62089794aee2",
        "18e3938776282c77",
        "59e49393819a6033",
    ),
    "topk10": (
        "a3bfaac897c3088c",
        "e518105b26df87c4",
        "6a827718cce88f3c",
        "784550032fe29417",
    ),
    "topk3": (
        "a6968a1d3ae41d51",
        "bccfce8555ba14c9",
        "2c32782dc2c3e6de",
        "9cc826485ca3fd1c",
    ),
    "topk1": (
        "9ddba2f2d3fd7f51",
        "3f15d45c43ee82b9",
        "afec87ae1dc4f1ce",
        "a53dbfe0332d7780",
    ),
    "rank50": (
        "34c8085856812225",
        "6d783e41feddb6e6",
        "9ee64be37c8c732d",
        "dfed72efd56f7c43",
    ),
    "rank100": (
        "bd2f6ad38f1821a5",
        "2eba90af92415c46",
        "0b85f034290f96bb",
        "1ee1f55737aae8c7",
    ),
    "rank200": (
        "a4d4f39c07c0fbf0",
        "3ff44055eba912b2",
        "6c624f27d5442e29",
        "698b312e560d2724",
    ),
}
"""Of update, remainder, weights and velocity after two steps: the first eight bytes of a SHA-256 each."""


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_inputs_give_these_bytes_everywhere(codec: str) -> None:
    first = stepped(codec, draw("base"), draw("one", 0.1), None, None, carry_milli=950)
    second = stepped(codec, first.weights, draw("two", 0.1), first.velocity, first.remainder, carry_milli=950)
    found = tuple(map(name_of, (second.parts, second.remainder, second.weights, second.velocity)))
    assert found == GOLDEN[codec]


def test_a_rule_that_carries_nothing_neither_reads_nor_leaves_a_remainder() -> None:
    base, delta = draw("base"), draw("delta")
    with_it = stepped("topk3", base, delta, None, draw("before"), carry_milli=0)
    without = stepped("topk3", base, delta, None, None, carry_milli=0)
    assert same(with_it.parts, without.parts) and with_it.remainder is without.remainder is None


def test_no_remainder_stands_for_zeros() -> None:
    zeros = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    one, two = (stepped("topk10", draw("base"), draw("delta"), None, before) for before in (None, zeros))
    assert same(one.parts, two.parts) and same(one.remainder, two.remainder)


def test_with_a_remainder_every_change_arrives_in_the_end() -> None:
    """The same small step again and again, at 3 per cent: without one its small values never arrive."""
    zero = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    delta, rounds, errors = draw("delta"), 80, {}
    for carry in (1000, 0):
        weights, left = zero, None
        for _ in range(rounds):
            made = stepped(
                "topk3", weights, delta, None, left, carry_milli=carry, lr_milli=1000, momentum_milli=0
            )
            weights, left = made.weights, made.remainder
        wanted = rounds * delta["a"].astype(np.float64)
        errors[carry] = float(np.linalg.norm(weights["a"] - wanted) / np.linalg.norm(wanted))
    assert errors[1000] < 0.35 and errors[0] > 0.7, errors


def test_a_step_leaves_its_arguments_alone() -> None:
    given = [draw(word) for word in ("base", "delta", "velocity", "before")]
    names = [name_of(item) for item in given]
    stepped("int6", *given)  # type: ignore[arg-type]
    apply_update(given[0], given[1], given[2], **RATES)
    assert [name_of(item) for item in given] == names


def test_what_a_code_leaves_out_is_refused_where_no_file_could_hold_it() -> None:
    """A recorded model whose remainder nobody can read would end every later merge of its project."""
    rng = np.random.default_rng(1)
    signs = {name: np.asarray(rng.choice([-1, 1], shape), np.float32) for name, shape in SHAPES.items()}
    largest = {name: np.asarray(array * np.float32(3e38)) for name, array in signs.items()}
    zero = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    with pytest.raises(Rejected, match="what its code leaves out is not finite") as caught:
        coded_step(
            zero, largest, None, None, codec="rank50", carry_milli=1000, lr_milli=1000, momentum_milli=0
        )
    assert caught.value.reason == "non-finite"


def test_a_step_out_of_range_is_refused_and_no_warning_is_given() -> None:
    huge = {name: np.full(shape, 3e38, np.float32) for name, shape in SHAPES.items()}
    with pytest.raises(Rejected) as caught:
        stepped("int8", draw("base"), huge, None, huge)
    assert caught.value.reason == "non-finite"
    odd = {"a": np.zeros(1, np.float32)}
    for wrong in ((odd, None, None), (draw("delta"), odd, None), (draw("delta"), None, odd)):
        with pytest.raises(ValueError, match="differ"):
            stepped("int8", draw("base"), *wrong)


# ------------------------------------------------------------------ files

UPDATE = update_bytes(stepped("int8", draw("base"), draw("delta"), None, None).parts, HEADER, "int8", LEFT)
REMAINDER = remainder_bytes(draw("left"), HEADER)


def opened(data: bytes, **changes: Any) -> Update:
    given = {
        "schema": SHAPES, "max_bytes": most_file_bytes(SHAPES, "int8"), "base": BASE, "recipe": RECIPE,
        "codec": "int8", "carries": True,
    }  # fmt: skip
    return decode_update(data, **{**given, **changes})


def opened_remainder(data: bytes, **changes: Any) -> Arrays:
    return decode_remainder(data, **{"schema": SHAPES, "base": BASE, "recipe": RECIPE, **changes})


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as error:
        call()
    return error.value.reason


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("remainder", [None, LEFT])
def test_an_update_survives_its_file(codec: str, remainder: Digest | None) -> None:
    parts = stepped(codec, draw("base"), draw("delta"), None, None).parts
    data = update_bytes(parts, HEADER, codec, remainder)
    assert len(data) <= most_file_bytes(SHAPES, codec)
    back = opened(data, codec=codec, carries=remainder is not None, max_bytes=most_file_bytes(SHAPES, codec))
    assert back.remainder == remainder
    assert same(back.values, decode_parts(parts, SHAPES, codec))


def test_a_remainder_survives_its_file() -> None:
    assert same(opened_remainder(REMAINDER), draw("left"))
    assert remainder_bytes(opened_remainder(REMAINDER), HEADER) == REMAINDER


def test_attack_an_update_that_lies_about_what_it_is() -> None:
    assert refused(lambda: opened(UPDATE, base=RECIPE)) == "wrong-base"
    assert refused(lambda: opened(UPDATE, recipe=BASE)) == "wrong-recipe"
    assert refused(lambda: opened(UPDATE, codec="int6")) == "bad-codec"
    assert refused(lambda: opened(UPDATE, max_bytes=len(UPDATE) - 1)) == "too-large"
    assert refused(lambda: opened(UPDATE, carries=False)) == "malformed"
    assert refused(lambda: opened(UPDATE, schema={**SHAPES, "a": (70, 90)})) == "wrong-shape"
    assert refused(lambda: opened(UPDATE, schema={**SHAPES, "e": (1,)})) == "wrong-shape"
    parts = stepped("int8", draw("base"), draw("delta"), None, None).parts
    assert refused(lambda: opened(encode_delta(draw("delta"), HEADER, "int8"))) == "malformed"
    assert refused(lambda: opened(update_bytes(parts, HEADER, "int8", None))) == "malformed"
    assert refused(lambda: opened(REMAINDER, max_bytes=1 << 20)) == "malformed"


def test_attack_a_remainder_that_lies_about_what_it_is() -> None:
    assert refused(lambda: opened_remainder(REMAINDER, base=RECIPE)) == "wrong-base"
    assert refused(lambda: opened_remainder(REMAINDER, recipe=BASE)) == "wrong-recipe"
    assert refused(lambda: opened_remainder(REMAINDER, schema={"a": (90, 70)})) == "wrong-shape"
    assert refused(lambda: opened_remainder(UPDATE)) == "malformed"
    assert refused(lambda: opened_remainder(REMAINDER + bytes(2 << 20))) == "too-large"
    for value, kind, reason in (
        (np.nan, np.float32, "non-finite"),
        (np.inf, np.float32, "non-finite"),
        (0, np.float64, "malformed"),
    ):
        wrong = {**draw("left"), "d": np.full(50, value, kind)}
        assert refused(lambda wrong=wrong: opened_remainder(remainder_bytes(wrong, HEADER))) == reason


def edited(data: bytes, arrays: Arrays, **changes: Any) -> bytes:
    kind = "update" if data is UPDATE else "remainder"
    header = {"kind": kind, "schema": 1, "base": BASE.hex(), "recipe": RECIPE.hex()}
    if data is UPDATE:
        header |= {"codec": "int8", "remainder": LEFT.hex()}
    header |= changes
    return encode_tensors(arrays, {key: value for key, value in header.items() if value is not ...})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"schema": True}, {"schema": "1"}, {"kind": "delta"}, {"kind": None}, {"more": 1},
        {"base": None}, {"base": BASE.hex().upper()}, {"base": ...}, {"recipe": 7},
    ],
)  # fmt: skip
def test_attack_headers(change: dict[str, Any]) -> None:
    parts = stepped("int8", draw("base"), draw("delta"), None, None).parts
    assert edited(UPDATE, parts) == UPDATE and edited(REMAINDER, draw("left")) == REMAINDER
    for data in (edited(UPDATE, parts, **change), edited(REMAINDER, draw("left"), **change)):
        call = opened if b"scales" in data else opened_remainder
        assert refused(lambda call=call, data=data: call(data)) in (
            "malformed", "wrong-base", "wrong-recipe",
        )  # fmt: skip


@pytest.mark.parametrize(
    "named", ["", "00", LEFT.hex().upper(), LEFT.hex() + "00", " " + LEFT.hex()[1:], None, 7, ["a"] * 64, ...]
)
def test_attack_remainders_that_are_no_digest(named: Any) -> None:
    parts = stepped("int8", draw("base"), draw("delta"), None, None).parts
    assert refused(lambda: opened(edited(UPDATE, parts, remainder=named))) == "malformed"
    if named != "":
        assert refused(lambda: opened(edited(UPDATE, parts, remainder=named), carries=False)) == "malformed"


@pytest.mark.parametrize("size", [0, 7, 8, 100, 500])
def test_attack_files_that_are_cut_short(size: int) -> None:
    for data, call in ((UPDATE, opened), (REMAINDER, opened_remainder)):
        for cut in (data[:size], data[:-1], data[:-size] if size else data + b"\0"):
            assert refused(lambda call=call, cut=cut: call(cut)) in ("truncated", "malformed")
