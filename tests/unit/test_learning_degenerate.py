"""Every statistic on the latents of a broken model: all zero, one for every input, of rank three."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from jepanet.learning.evaluation.statistics import (
    FLOOR,
    effective_rank,
    floored_ratio,
    predictive_information,
    probe_r2,
    ridge_map,
    sigreg_value,
    stratified,
    total_variance,
    within_episode,
)

pytestmark = pytest.mark.unit

E, T, D = 40, 30, 16
ZERO = np.zeros((E, T, D))
CONSTANT = np.broadcast_to(np.linspace(-3.0, 3.0, D), (E, T, D)).copy()
DRAWS = np.random.default_rng(0).standard_normal((E, T, 3))
FRAME = np.linalg.qr(np.random.default_rng(1).standard_normal((D, 3)))[0]
RANK_THREE = DRAWS @ FRAME.T
SITE = (0,) * E
DEAD = pytest.mark.parametrize("dead", [ZERO, CONSTANT], ids=["zero", "constant"])


@DEAD
def test_dead_latents_have_neither_rank_nor_variance(dead: np.ndarray) -> None:
    assert effective_rank(dead) == 0.0
    assert total_variance(dead) == pytest.approx(0.0, abs=1e-24)


def test_three_directions_have_rank_three_and_a_share_of_the_variance() -> None:
    assert effective_rank(RANK_THREE) == pytest.approx(3.0, abs=0.02)
    assert total_variance(RANK_THREE) == pytest.approx(3.0 / D, rel=0.05)


@DEAD
def test_nothing_is_left_of_dead_latents_within_an_episode(dead: np.ndarray) -> None:
    np.testing.assert_allclose(within_episode(dead), 0.0, atol=1e-12)


def test_only_what_moves_within_an_episode_is_left() -> None:
    offset = 9 * np.random.default_rng(2).standard_normal((E, 1, D))
    left = within_episode(RANK_THREE + offset)
    np.testing.assert_allclose(left, within_episode(RANK_THREE), atol=1e-12)
    np.testing.assert_allclose(left.mean(axis=1), 0.0, atol=1e-12)


@DEAD
def test_dead_latents_inform_of_nothing(dead: np.ndarray) -> None:
    assert predictive_information(dead, dead) == pytest.approx(0.0, abs=1e-12)


def test_a_perfect_guess_of_three_directions_informs_of_three_alone() -> None:
    spread = np.linalg.eigvalsh(np.cov(within_episode(RANK_THREE).reshape(-1, D), rowvar=False, bias=True))[
        -3:
    ]
    ridge = 0.02 * spread.sum() / D + FLOOR
    expected = sum(log(1 + value / ridge) for value in spread) / (2 * D)
    assert predictive_information(RANK_THREE, RANK_THREE) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("ratio", [(0.0, 0.0), (1e-9, 1e-9), (1e-6, 0.0)])
def test_a_ratio_of_dead_latents_floors_to_one(ratio: tuple[float, float]) -> None:
    assert floored_ratio(*ratio) == pytest.approx(1.0, rel=0.02)


def test_the_normality_of_a_point_is_known() -> None:
    # Zero latents have the characteristic function 1: the integral is that of phi (1 - phi) ** 2.
    points = np.linspace(0.0, 3.0, 17)
    inside = [exp(-0.5 * t * t) * (1 - exp(-0.5 * t * t)) ** 2 for t in points]
    expected = 2 * np.trapezoid(inside, points)
    assert sigreg_value(ZERO, 17, 1) == pytest.approx(expected, rel=1e-9)


def test_latents_of_few_directions_are_less_normal_than_isotropic_ones_and_more_than_dead_ones() -> None:
    isotropic = np.random.default_rng(3).standard_normal((E, T, D))
    values = [sigreg_value(latents, 17, 128) for latents in (isotropic, RANK_THREE, ZERO, CONSTANT)]
    assert values[0] < 0.5 < values[1] < values[2] < values[3]


@DEAD
def test_a_ridge_on_dead_latents_explains_nothing_of_a_centred_target(dead: np.ndarray) -> None:
    target = within_episode(DRAWS).reshape(-1, 3)
    np.testing.assert_allclose(
        dead.reshape(-1, D) @ ridge_map(dead.reshape(-1, D), target, 1e-3), 0.0, atol=1e-9
    )


def test_a_ridge_on_three_directions_stays_within_them() -> None:
    weights = ridge_map(RANK_THREE.reshape(-1, D), DRAWS.reshape(-1, 3), 1e-9)
    np.testing.assert_allclose(weights, FRAME, atol=1e-5)


@DEAD
def test_dead_latents_tell_no_state(dead: np.ndarray) -> None:
    assert probe_r2(dead, DRAWS, SITE) == pytest.approx(0.0, abs=0.02)
    assert probe_r2(RANK_THREE, dead[..., :2], SITE) == 0.0


def test_three_directions_tell_the_state_they_hold_and_no_other() -> None:
    assert probe_r2(RANK_THREE, DRAWS, SITE) == pytest.approx(1.0, abs=1e-3)
    other = np.random.default_rng(4).standard_normal((E, T, 2))
    assert abs(probe_r2(RANK_THREE, other, SITE)) < 0.05


def test_scores_that_are_all_alike_have_no_error() -> None:
    mean, error, means = stratified(np.zeros(E), SITE)
    assert (mean, error, means) == (0.0, 0.0, {0: 0.0})
    assert stratified(np.full(4, 2.5), (1, 1, 2, 2)) == (2.5, 0.0, {1: 2.5, 2: 2.5})
