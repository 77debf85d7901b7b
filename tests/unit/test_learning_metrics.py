"""Known answers of the statistics: a dead, frozen or exploded model never looks good and never yields NaN."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, log

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.learning.evaluation.metrics import Metrics, heldout_metrics, metrics_of
from jepanet.learning.evaluation.statistics import (
    FLOOR,
    effective_rank,
    floored_ratio,
    halves,
    predictive_information,
    probe_r2,
    ridge_map,
    sigreg_value,
    stratified,
    total_variance,
)
from jepanet.learning.families.world.model import one_step_ahead
from jepanet.learning.objectives import sigreg, sketched_moments
from jepanet.tensors import Arrays
from learning_shards import RECIPE, SEED, WORLD, constant_encoder, disc_shard, initial, scaled, sized

pytestmark = pytest.mark.unit

D = 16


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_dead_latents_have_no_rank() -> None:
    assert effective_rank(np.zeros((8, 10, D))) == 0.0


def test_a_code_that_ignores_its_input_has_no_rank() -> None:
    code = np.broadcast_to(normal(D) * 100, (8, 10, D))
    assert effective_rank(np.array(code)) == 0.0
    assert effective_rank(code + 1e-9 * normal(8, 10, D)) == 0.0


def test_rank_counts_the_directions_that_vary() -> None:
    basis = np.linalg.qr(normal(D, 3))[0].T
    assert effective_rank(normal(40, 50, 3) @ basis) == pytest.approx(3.0, abs=0.02)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_rank_of_isotropic_latents_is_full_at_any_scale(scale: float) -> None:
    assert effective_rank(scale * normal(40, 50, D)) == pytest.approx(D, abs=0.2)


def test_rank_does_not_count_episodes_offset_as_centre() -> None:
    assert effective_rank(normal(40, 50, D) + 1e3) == pytest.approx(D, abs=0.2)


def test_predictive_information_of_a_perfect_guess() -> None:
    targets = normal(60, 40, D)
    within = targets - targets.mean(axis=1, keepdims=True)
    variance = float((within**2).mean())
    expected = 0.5 * log(1 + variance / (0.02 * variance + FLOOR))
    assert predictive_information(targets, targets) == pytest.approx(expected, rel=2e-3)


def test_predictive_information_of_the_mean_is_nil() -> None:
    targets = normal(60, 40, D)
    guesses = np.broadcast_to(targets.mean(axis=1, keepdims=True), targets.shape)
    assert predictive_information(targets, np.array(guesses)) == pytest.approx(0.0, abs=1e-12)


def test_predictive_information_does_not_depend_on_the_frame_of_reference() -> None:
    targets = normal(20, 10, D)
    guesses = targets + 0.5 * normal(20, 10, D, seed=1)
    turn = np.linalg.qr(normal(D, D, seed=2))[0]
    value = predictive_information(targets, guesses)
    assert value > 0.1
    assert predictive_information(targets @ turn, guesses @ turn) == pytest.approx(value, rel=1e-9)
    assert predictive_information(7 * targets, 7 * guesses) == pytest.approx(value, rel=1e-2)


@pytest.mark.parametrize("kind", ["zero", "constant", "slow"])
def test_predictive_information_pays_nothing_for_latents_that_do_not_move(kind: str) -> None:
    targets = np.zeros((20, 10, D))
    if kind == "constant":
        targets += 5.0
    if kind == "slow":  # tells episodes apart, says nothing of what happens in them
        targets += normal(20, 1, D)
    assert predictive_information(targets, targets) == pytest.approx(0.0, abs=1e-12)
    assert predictive_information(targets, targets + normal(20, 10, D)) < -1.0


def test_ratios_of_nothing_are_not_perfect() -> None:
    assert floored_ratio(0.0, 0.0) == 1.0
    assert floored_ratio(0.0, 1.0) < 2e-4
    assert floored_ratio(1.0, 0.0) > 1e3


def test_total_variance() -> None:
    assert total_variance(2 * normal(50, 50, D) + 9) == pytest.approx(4.0, rel=0.02)


def test_sigreg_of_normal_latents_is_small_and_of_others_large() -> None:
    latents = normal(20, 25, D)
    good = sigreg_value(latents, 17, 64)
    assert 0 <= good < 0.5
    for worse in (0 * latents, latents + 2, 5 * latents):
        assert sigreg_value(worse, 17, 64) > 5


def test_sigreg_is_that_of_a_sine_and_a_cosine_at_every_point() -> None:
    """Waves are multiplied up from the first: as far from the definition as rounding in float64 is."""
    latents, knots = 3 * normal(13, 17, D) + 0.5, 23
    flat = latents.reshape(-1, D)
    drawn = np.random.Generator(np.random.PCG64(20_26)).standard_normal((D, 256))
    projected = flat @ (drawn / np.linalg.norm(drawn, axis=0))
    points = np.linspace(0.0, 3.0, knots)
    normals = np.exp(-0.5 * points**2)
    heights = [
        (np.abs(np.exp(1j * point * projected).mean(axis=0) - height) ** 2).mean() * height
        for point, height in zip(points, normals, strict=True)
    ]
    wanted = 64 * 2 * np.trapezoid(heights, points)
    assert sigreg_value(latents, knots, 64) == pytest.approx(float(wanted), rel=1e-12)


def test_evaluation_and_training_measure_the_same_sigreg() -> None:
    latents = 1.3 * normal(20, 10, 4) + 0.2
    drawn = np.random.Generator(np.random.PCG64(20_26)).standard_normal((4, 256))
    projected = torch.tensor(latents.reshape(-1, 4) @ (drawn / np.linalg.norm(drawn, axis=0)))
    trained = float(sigreg(projected.float(), 17))
    assert sigreg_value(latents, 17, 200) == pytest.approx(trained, rel=1e-4)


def test_the_collapse_guard_has_a_gradient_where_sigreg_has_none() -> None:
    dead = torch.zeros(64, 8, requires_grad=True)
    value = sketched_moments(dead + 1e-3 * torch.arange(64).unsqueeze(1) / 64)
    assert float(value.detach()) == pytest.approx(1.0, abs=0.01)
    (slope,) = torch.autograd.grad(value, dead)
    assert float(slope.abs().max()) > 1e-4
    assert float(sketched_moments(torch.tensor(normal(2000, 4)))) < 1e-2


def test_ridge_map_finds_a_linear_law_and_survives_nothing() -> None:
    features, law = normal(500, 5), normal(5, 3, seed=1)
    np.testing.assert_allclose(ridge_map(features, features @ law, 1e-8), law, atol=1e-5)
    assert not ridge_map(np.zeros((50, 5)), normal(50, 3), 1e-8).any()
    scaled_up = ridge_map(1e6 * features, features @ law, 1e-2)
    np.testing.assert_allclose(1e6 * scaled_up, ridge_map(features, features @ law, 1e-2), rtol=1e-9)


def test_halves_split_every_site_alike() -> None:
    assert halves((0, 0, 7, 7, 0, 7, 0)).tolist() == [0, 1, 0, 1, 0, 0, 1]


def test_probe_reads_linear_state_only() -> None:
    site = (0, 1) * 6
    latents = normal(12, 10, D)
    state = latents @ normal(D, 2, seed=1) + 40.0
    assert probe_r2(latents, state, site) > 0.999
    assert probe_r2(normal(12, 10, D, seed=5), state, site) < 0.2
    assert probe_r2(np.zeros_like(latents), state, site) == pytest.approx(0.0, abs=0.1)


def test_probe_is_fitted_on_other_episodes() -> None:
    """One-hot episode numbers name the mean state of every episode, which a probe must not learn by heart."""
    state = np.repeat(normal(12, 1, 2), 10, axis=1)
    latents = np.repeat(np.eye(12)[:, None], 10, axis=1)
    assert probe_r2(latents, state, (0,) * 12) < 0.1


def test_probe_of_a_state_that_never_changes_is_nil() -> None:
    assert probe_r2(normal(4, 5, D), np.full((4, 5, 2), 3.0), (0,) * 4) == 0.0


def test_sites_weigh_the_same_however_many_episodes_they_have() -> None:
    mean, stderr, per_site = stratified(np.array([1.0, 3.0, 1.0, 3.0, 10.0, 10.0]), (0, 0, 0, 0, 5, 5))
    assert (mean, per_site) == (6.0, {0: 2.0, 5: 10.0})
    assert stderr == pytest.approx(((4 / 3) / 4) ** 0.5 / 2)


def test_the_error_of_one_episode_is_unknown_not_nil() -> None:
    with pytest.raises(ValueError, match="site 5 has one episode"):
        stratified(np.array([1.0, 3.0, 10.0]), (0, 0, 5))


# ------------------------------------------------------------------ metrics of whole models

SHARD = disc_shard(1, (0, 0, 0, 0, 5, 5, 5, 5))


def measured(latents: np.ndarray, guesses: np.ndarray) -> Metrics:
    return metrics_of(one_step_ahead(latents, guesses), SHARD, RECIPE)


def test_metrics_of_a_perfect_and_of_an_idle_predictor() -> None:
    latents = normal(8, 9, 6)
    perfect = measured(latents, latents[:, 2:])
    assert perfect.val_pred == 0.0
    assert perfect.nmse < 2e-4
    assert perfect.skill > 0.9998
    idle = measured(latents, latents[:, 1:-1])
    assert idle.skill == pytest.approx(0.0, abs=1e-12)
    assert idle.identity_error == idle.val_pred == pytest.approx(2.0, rel=0.2)
    assert perfect.pi > 1.0 > 0.0 > idle.pi


def test_metrics_of_dead_latents() -> None:
    dead = measured(np.full((8, 9, 6), 4.0), np.full((8, 7, 6), 4.0))
    assert (dead.nmse, dead.skill, dead.pi, dead.rank) == (1.0, 0.0, 0.0, 0.0)
    assert dead.variance == dead.latent_std == 0.0
    assert abs(dead.probe_r2) < 0.1


def weights_named(kind: str) -> Arrays:
    weights = initial(SEED)
    return {
        "initial": weights,
        "zero": scaled(weights, 0.0),
        "constant": constant_encoder(weights),
        "large": scaled(weights, 1e3),
    }[kind]


@pytest.mark.parametrize("kind", ["initial", "zero", "constant", "large"])
def test_metrics_are_finite_whatever_the_weights(kind: str) -> None:
    metrics = heldout_metrics(weights_named(kind), RECIPE, SHARD)
    assert all(isfinite(value) for value in metrics.to_json().values()), metrics
    if kind in ("zero", "constant"):
        assert metrics.rank == 0.0
        assert metrics.skill <= 0.0
        assert metrics.pi <= 1e-9
        assert metrics.nmse >= 1.0


def test_weights_that_overflow_are_refused() -> None:
    with pytest.raises(Rejected) as caught:
        heldout_metrics(scaled(weights_named("initial"), 1e20), RECIPE, SHARD)
    assert caught.value.reason == "non-finite"


def test_a_shard_of_another_size_is_refused() -> None:
    other = sized(RECIPE, model=replace(WORLD.model, image=32))
    with pytest.raises(Rejected) as caught:
        heldout_metrics(initial(SEED, other), other, SHARD)
    assert caught.value.reason == "shard-mismatch"
