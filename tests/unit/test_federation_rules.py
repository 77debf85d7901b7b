"""Merge rules against answers worked out by hand or by plain Python, and the names a round's spec may use."""

from __future__ import annotations

import statistics
from itertools import pairwise
from math import fsum, sqrt

import numpy as np
import pytest

from jepanet.federation.judging.judge import merge
from jepanet.federation.judging.similarity import norm, upper_median
from jepanet.federation.merging.lengths import shortened
from jepanet.federation.merging.mean import sample_weighted_mean
from jepanet.federation.merging.robust import (
    coordinate_median,
    folded,
    geometric_median,
    krum,
    multi_krum,
    trimmed_mean,
)
from jepanet.federation.merging.rules import RULES, combined
from jepanet.federation.merging.ties import ties
from jepanet.tensors import Arrays
from jepanet.types import Digest

pytestmark = pytest.mark.unit


def vector(*values: float) -> Arrays:
    return {"w": np.array(values, dtype=np.float32)}


def delta(seed: int, scale: float = 1.0) -> Arrays:
    draw = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"a": (33, 7), "b": (), "c": (0, 3), "d": (5,)}
    return {name: np.asarray(draw.normal(0, scale, shape), np.float32) for name, shape in shapes.items()}


DELTAS = [delta(seed) for seed in range(7)]


def flat(weights: Arrays) -> list[float]:
    return [float(x) for name in sorted(weights) for x in weights[name].reshape(-1)]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_keeps_the_layout_and_its_arguments(rule: str) -> None:
    copies = [{name: array.copy() for name, array in item.items()} for item in DELTAS]
    merged = RULES[rule](DELTAS)
    assert list(merged) == sorted(DELTAS[0])
    for name, array in merged.items():
        assert array.dtype == np.float32
        assert array.shape == DELTAS[0][name].shape
        assert isinstance(array, np.ndarray)
    for item, copy in zip(DELTAS, copies, strict=True):
        assert all((item[name] == copy[name]).all() for name in item)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_refuses_nonsense(rule: str) -> None:
    with pytest.raises(ValueError, match="nothing"):
        RULES[rule]([])
    with pytest.raises(ValueError, match="differ"):
        RULES[rule]([vector(1), vector(1, 2)])
    with pytest.raises(ValueError, match="float32"):
        RULES[rule]([vector(1), {"w": np.array([1.0])}])


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"ties"}))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_identical_deltas_give_the_delta(rule: str, count: int) -> None:
    merged = RULES[rule]([DELTAS[0]] * count)
    for name, array in merged.items():
        # The plain mean adds in float32; all others round once.
        np.testing.assert_allclose(array, DELTAS[0][name], rtol=3e-7 if rule == "mean" else 0)


@pytest.mark.parametrize("rule", RULES)
def test_a_round_is_merged_by_the_rule_of_its_spec(rule: str) -> None:
    base = {name: np.zeros_like(array) for name, array in DELTAS[0].items()}
    named = [(Digest(bytes([i]) * 32), item) for i, item in enumerate(DELTAS)]
    merged, _ = merge(base, None, named[::-1], rule=rule, lr_milli=1000, momentum_milli=0)
    expected = RULES[rule](DELTAS)
    for name, array in merged.items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("rule", RULES)
def test_no_delta_is_merged_longer_than_is_usual_where_the_spec_says_so(rule: str) -> None:
    long = {name: array * np.float32(40) for name, array in DELTAS[0].items()}
    usual = upper_median([norm(item) for item in (long, *DELTAS[1:])])
    factor = np.float32(usual / norm(long))
    same = [{name: np.asarray(array * factor) for name, array in long.items()}, *DELTAS[1:]]
    assert sorted(norm(item) > usual for item in same) == [False] * 4 + [True] * 3
    named = [(Digest(bytes([i]) * 32), item) for i, item in enumerate([long, *DELTAS[1:]])]
    renamed = [(digest, item) for (digest, _), item in zip(named, same, strict=True)]
    got, wanted = combined(named, rule, 1000), combined(renamed, rule, 1000)
    for name, array in got.items():
        assert array.tobytes() == wanted[name].tobytes()
    if rule == "mean":
        assert flat(got) != flat(combined(named, rule))


def test_a_shortened_delta_is_one_float32_product_a_value() -> None:
    long = {name: array * np.float32(7) for name, array in DELTAS[0].items()}
    others = DELTAS[1:3]
    first, *rest = shortened([long, *others], 1000)
    factor = np.float32(upper_median([norm(item) for item in (long, *others)]) / norm(long))
    assert rest[1] is others[1] or norm(others[1]) > norm(others[0])
    for name, array in long.items():
        assert first[name].tobytes() == np.multiply(array, factor).tobytes()
        assert first[name].shape == array.shape
    assert shortened([long, *others], 0)[0] is long


def test_the_weighted_mean_weighs_by_samples() -> None:
    assert flat(sample_weighted_mean([vector(1, 4), vector(5, -4)], [3, 1])) == [2, 2]
    single = sample_weighted_mean([DELTAS[0]] * 3, [7, 11, 100_000_001])
    assert flat(single) == flat(DELTAS[0])
    merged = flat(sample_weighted_mean(DELTAS, list(range(1, 8))))
    rows = [flat(item) for item in DELTAS]
    for i, value in enumerate(merged):
        total = 0.0
        for row, count in zip(rows, range(1, 8), strict=True):
            total += row[i] * count
        assert value == np.float32(total / 28)


@pytest.mark.parametrize("samples", [[1], [1, 0], [1, -1], [1, 2.0], [1, True], [1 << 29, 1]])
def test_attack_numbers_of_samples(samples: list[int]) -> None:
    with pytest.raises(ValueError, match="samples"):
        sample_weighted_mean([vector(1), vector(2)], samples)


@pytest.mark.parametrize("count", [3, 4, 6, 7])
def test_the_median_is_that_of_statistics(count: int) -> None:
    merged = flat(coordinate_median(DELTAS[:count]))
    rows = [flat(item) for item in DELTAS[:count]]
    for value, column in zip(merged, zip(*rows, strict=True), strict=True):
        assert value == np.float32(statistics.median(column))


def test_the_trimmed_mean_drops_the_ends() -> None:
    deltas = [vector(value) for value in (3, -100, 1, 2, 1e30, 4, -5, 6)]
    assert flat(trimmed_mean(deltas)) == [2.5]
    assert flat(trimmed_mean(deltas, 3)) == [2.5]
    assert flat(trimmed_mean(deltas[:4], 0)) == [-23.5]
    assert flat(trimmed_mean([vector(1), vector(2), vector(1e9)])) == [2]
    for trim in (4, -1):
        with pytest.raises(ValueError, match="trimmed"):
            trimmed_mean(deltas, trim)


def test_a_sort_of_zeros_has_one_result() -> None:
    for signs in ([0.0, -0.0, -0.0], [-0.0, 0.0, -0.0], [-0.0, -0.0, 0.0], [-0.0] * 3):
        merged = coordinate_median([vector(value) for value in signs])["w"]
        assert merged.tobytes() == bytes(4)


def test_halves_of_huge_values_do_not_overflow() -> None:
    big = float(np.finfo(np.float32).max)
    assert flat(coordinate_median([vector(big), vector(big)])) == [big]
    assert flat(trimmed_mean([vector(big)] * 8)) == [big]
    assert flat(geometric_median([vector(big), vector(big), vector(-big)])) == [big]


def test_krum_takes_the_delta_in_the_densest_company() -> None:
    points = [vector(0, 0), vector(1, 0), vector(0.4, 0.1), vector(0, 1), vector(90, 0), vector(-80, 9)]
    points.append(vector(0.3, 0.9))
    assert flat(krum(points, 2)) == flat(points[2])
    assert flat(krum(points)) == flat(points[2])
    near = [points[i] for i in (0, 1, 2, 3, 6)]
    np.testing.assert_allclose(flat(multi_krum(points)), np.mean([flat(item) for item in near], axis=0))


@pytest.mark.parametrize("byzantine", [0, 1, 2, 3])
def test_krum_scores_by_the_n_minus_f_minus_2_nearest(byzantine: int) -> None:
    for seed in range(20):
        points = np.random.default_rng(seed).normal(size=(9, 3)).astype(np.float32)
        squares = np.square(points[:, None].astype(float) - points).sum(axis=2)
        # The nearest of all is the point itself, at distance 0.
        scores = np.sort(squares, axis=1)[:, : 9 - byzantine - 2 + 1].sum(axis=1)
        found = krum([{"w": point} for point in points], byzantine)
        assert found["w"].tolist() == points[scores.argmin()].tolist()


def test_krum_of_equals_is_the_first_and_of_two_their_mean() -> None:
    square = [vector(1, 0), vector(0, 1), vector(-1, 0), vector(0, -1)]
    assert flat(krum(square, 0)) == [1, 0]
    for rule in (krum, multi_krum):
        assert flat(rule([vector(1), vector(2)])) == [1.5]
        assert flat(rule([vector(1)])) == [1]


def test_krum_withstands_what_it_was_proved_for() -> None:
    for rule in (krum, multi_krum):
        rule(DELTAS, 2)
        for byzantine in (3, -1):
            with pytest.raises(ValueError, match="withstands"):
                rule(DELTAS, byzantine)


def test_the_geometric_median_of_known_points() -> None:
    # The Fermat point of a triangle with an angle of 120 degrees or more is that vertex.
    points = [vector(0, 0), vector(10, 1), vector(-10, 1)]
    np.testing.assert_allclose(flat(geometric_median(points, 60)), [0, 0], atol=1e-4)
    square = [vector(1, 1), vector(-1, 1), vector(1, -1), vector(-1, -1)]
    np.testing.assert_allclose(flat(geometric_median(square)), [0, 0], atol=1e-6)
    height = sqrt(3)
    triangle = [vector(-1, 0), vector(1, 0), vector(0, height)]
    np.testing.assert_allclose(flat(geometric_median(triangle, 40)), [0, height / 3], atol=1e-5)


def test_no_weiszfeld_step_increases_the_sum_of_distances() -> None:
    rows = np.array([flat(item) for item in DELTAS])

    def cost(steps: int) -> float:
        return float(np.linalg.norm(rows - flat(geometric_median(DELTAS, steps)), axis=1).sum())

    costs = [cost(steps) for steps in range(8)]
    assert all(after <= before + 1e-6 for before, after in pairwise(costs))
    assert costs[7] < 0.99 * costs[0]
    with pytest.raises(ValueError, match="steps"):
        geometric_median(DELTAS, -1)


def test_a_majority_of_one_delta_is_that_delta() -> None:
    assert flat(geometric_median([DELTAS[0], DELTAS[1], DELTAS[0]])) == flat(DELTAS[0])


def test_ties_trims_elects_and_averages_those_who_agree() -> None:
    deltas = [vector(5, -1, 0.1, 2, 0), vector(3, -4, 0.2, -3, 0), vector(-2, 0.1, 0.3, -5, 0)]
    # Of five values each keeps the largest two (density 0.4): (5, 2), (-4, and of 3 and -3 both), (-2, -5).
    assert flat(ties(deltas, 0.4)) == [4, -4, 0, -4, 0]
    assert flat(ties(deltas[:1], 0.4)) == [5, 0, 0, 2, 0]
    assert flat(ties([vector(2, 1), vector(-2, 1)], 1.0)) == [0, 1]
    for density in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="density"):
            ties(deltas, density)


def test_ties_trims_over_the_whole_delta_and_not_tensor_by_tensor() -> None:
    one = {"a": np.array([9, 8], np.float32), "b": np.arange(8, dtype=np.float32) / 100}
    merged = ties([one])
    assert merged["a"].tolist() == [9, 8]
    assert not merged["b"].any()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 64, 1000])
def test_a_folded_sum_is_the_sum(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    exact = fsum(values)
    assert folded(values.copy()) == pytest.approx(exact, rel=1e-12, abs=1e-12)


def test_a_folded_sum_adds_in_halves() -> None:
    a, b, c, d, e = (float(x) for x in np.random.default_rng(1).normal(size=5) * 10.0 ** np.arange(5))
    assert folded(np.array([a, b, c, d, e])) == ((a + c) + e) + (b + d)
