"""What one attacker among eight can do to each merge rule, and that the order of arrival changes nothing."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jepanet.federation.merging.rules import RULES, in_digest_order
from jepanet.tensors import Arrays
from jepanet.types import Digest

pytestmark = pytest.mark.property

FEW = settings(max_examples=60, deadline=None)
SIZE = 6
FLOATS = st.floats(-1, 1, width=32)
HONEST = arrays(np.float32, (7, SIZE), elements=FLOATS)
LOUD = st.lists(st.sampled_from([-1000.0, 1000.0]), min_size=SIZE, max_size=SIZE)
ANY = arrays(np.float32, (5, SIZE), elements=st.floats(-(2.0**60), 2.0**60, width=32))


def merged(rule: str, rows: np.ndarray) -> np.ndarray:
    result: np.ndarray = RULES[rule]([{"w": row.copy()} for row in rows])["w"]
    return result.astype(np.float64)


def with_attacker(honest: np.ndarray, attacker: list[float], place: int) -> np.ndarray:
    return np.insert(honest, place, np.float32(attacker), axis=0)


@FEW
@given(rows=ANY, rule=st.sampled_from(sorted(RULES)), data=st.data())
def test_deltas_in_any_order_of_arrival_merge_to_the_same_bytes(
    rows: np.ndarray, rule: str, data: st.DataObject
) -> None:
    named: list[tuple[Digest, Arrays]] = [
        (Digest(sha256(bytes([i])).digest()), {"w": row.copy()}) for i, row in enumerate(rows)
    ]
    shuffled = data.draw(st.permutations(named))
    one, two = (RULES[rule](in_digest_order(order)) for order in (named, shuffled))
    assert one["w"].tobytes() == two["w"].tobytes()
    assert np.isfinite(one["w"]).all()


@FEW
@given(
    honest=HONEST,
    attacker=LOUD,
    place=st.integers(0, 7),
    rule=st.sampled_from(["median", "trimmed", "krum", "multi-krum"]),
)
def test_attack_a_loud_delta_leaves_these_rules_among_the_honest(
    honest: np.ndarray, attacker: list[float], place: int, rule: str
) -> None:
    """In every coordinate the result stays between the least and the largest honest value."""
    result = merged(rule, with_attacker(honest, attacker, place))
    assert (result >= honest.min(axis=0) - 1e-6).all()
    assert (result <= honest.max(axis=0) + 1e-6).all()


@FEW
@given(honest=HONEST, attacker=LOUD, place=st.integers(0, 7))
def test_attack_a_loud_delta_moves_the_geometric_median_by_a_bounded_way(
    honest: np.ndarray, attacker: list[float], place: int
) -> None:
    """The bound holds for any attacker: it follows from the triangle inequality and a cost that never rises.

    With c any point, R the largest distance of an honest delta to it and r that of the starting point (the
    coordinate median, which lies in the honest box): 6 |v - c| <= 14 R + 8 r.
    """
    centre = honest.astype(np.float64).mean(axis=0)
    radius = float(np.linalg.norm(honest - centre, axis=1).max())
    corner = float(np.linalg.norm(np.maximum(honest.max(axis=0) - centre, centre - honest.min(axis=0))))
    result = merged("geometric-median", with_attacker(honest, attacker, place))
    assert np.linalg.norm(result - centre) <= (14 * radius + 8 * corner) / 6 + 1e-4


@FEW
@given(honest=HONEST, attacker=LOUD, place=st.integers(0, 7))
def test_a_loud_delta_moves_the_mean_as_far_as_it_likes(
    honest: np.ndarray, attacker: list[float], place: int
) -> None:
    result = merged("mean", with_attacker(honest, attacker, place))
    assert (np.abs(result) > 100).all()


@FEW
@given(
    row=arrays(np.float32, SIZE, elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    count=st.integers(1, 9),
    rule=st.sampled_from(sorted(set(RULES) - {"mean", "ties"})),
)
def test_clones_merge_to_themselves(row: np.ndarray, count: int, rule: str) -> None:
    np.testing.assert_array_equal(merged(rule, np.tile(row, (count, 1))), row)
