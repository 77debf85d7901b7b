"""Frames and rotations: known answers, the real world model turned, and what is an error, not an angle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.gauge import (
    Drift,
    FrameDeficient,
    align,
    drift,
    exceeds,
    frame,
    principal_angles,
    procrustes,
    trace_angle,
)
from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.model import load_world_model, normalise
from jepanet.learning.families.world.rotation import rotate_world_model
from jepanet.learning.families.world.sizes import ModelSizes
from jepanet.tensors import Arrays
from learning_shards import RECIPE, SEED, WORLD, constant_encoder, disc_shard, initial

pytestmark = pytest.mark.unit

SHARD = disc_shard(3)
FRAMES = torch.tensor(SHARD.frames)


def latents_like(count: int, size: int, seed: int = 0, decay: float = 1.0) -> np.ndarray:
    """Gaussian latents; deviations fall from 1 to `decay`."""
    drawn = np.random.default_rng(seed).normal(size=(count, size))
    return drawn * np.geomspace(1.0, decay, size) + 0.3


def orthogonal(size: int, seed: int = 1) -> np.ndarray:
    found: np.ndarray = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]
    return found


def planes(size: int, *degrees: float) -> np.ndarray:
    """Turns plane (0, 1) by the first angle, (2, 3) by the second, and so on."""
    rotation = np.eye(size)
    for i, angle in enumerate(np.radians(degrees)):
        rotation[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [
            [np.cos(angle), np.sin(angle)],
            [-np.sin(angle), np.cos(angle)],
        ]
    return rotation


def encoded(weights: Arrays) -> np.ndarray:
    """Latents [N, D] of every frame of the shard."""
    with torch.inference_mode():
        latents: np.ndarray = load_world_model(WORLD, weights).encode(normalise(FRAMES)).flatten(0, 1).numpy()
    return latents


WEIGHTS = {
    name: array * np.float32(30 if name == "encoder.head.weight" else 1)
    for name, array in initial(SEED).items()
}
"""Untrained; the head is scaled so that latents have a variance near 1."""


# ------------------------------------------------------------------ rotations


@pytest.mark.parametrize("seed", range(4))
def test_procrustes_finds_the_rotation_that_made_the_target(seed: int) -> None:
    source, truth = latents_like(300, 16, seed, 0.1), orthogonal(16, seed + 10)
    found = procrustes(source.astype(np.float32), (source @ truth).astype(np.float32))
    np.testing.assert_allclose(found, truth, atol=1e-5)


def test_procrustes_is_the_best_orthogonal_map() -> None:
    source, target = latents_like(200, 8), latents_like(200, 8, 5) + latents_like(200, 8)
    best = procrustes(source, target)
    np.testing.assert_allclose(best.T @ best, np.eye(8), atol=1e-12)

    def distance(rotation: np.ndarray) -> float:
        return float(np.square(frame(source) @ rotation - frame(target)).sum())

    for seed in range(20):
        nudge = np.linalg.qr(np.eye(8) + 0.05 * np.random.default_rng(seed).normal(size=(8, 8)))[0]
        nudge *= np.sign(np.diag(nudge))
        assert distance(best @ nudge) > distance(best)


def test_what_no_latent_uses_stays_where_it_is() -> None:
    source = latents_like(300, 16)
    source[:, 10:] = 0.3
    truth = planes(16, 40, 10, 70)
    found = procrustes(source, source @ truth)
    np.testing.assert_allclose(found, truth, atol=1e-10)


def test_noise_far_below_the_floor_does_not_turn_the_frame() -> None:
    generator = np.random.default_rng(0)
    source = latents_like(300, 16)
    source[:, 10:] = 0
    target = source @ planes(16, 40)
    for latents in (source, target):
        latents[:, 10:] = 1e-3 * generator.normal(size=(300, 6))
    np.testing.assert_allclose(procrustes(source, target), planes(16, 40), atol=1e-2)
    wild = procrustes(source, target, floor=0.0)
    assert np.abs(wild - planes(16, 40)).max() > 0.1


# ------------------------------------------------------------------ the world model


def test_a_rotated_world_model_predicts_the_same_in_another_frame() -> None:
    rotation = orthogonal(RECIPE.family.sizes.latent)
    actions = torch.tensor(SHARD.actions)
    one, two = (load_world_model(WORLD, item) for item in (WEIGHTS, rotate_world_model(WEIGHTS, rotation)))
    turn = torch.tensor(rotation, dtype=torch.float32)
    with torch.inference_mode():
        latents, turned = one.encode(normalise(FRAMES)), two.encode(normalise(FRAMES))
        torch.testing.assert_close(turned, latents @ turn, atol=1e-4, rtol=1e-4)
        guesses, other = one.predict(latents, actions), two.predict(latents @ turn, actions)
        torch.testing.assert_close(other, guesses @ turn, atol=1e-4, rtol=1e-4)


def test_turning_there_and_back_returns_the_weights() -> None:
    rotation = orthogonal(RECIPE.family.sizes.latent)
    back = rotate_world_model(rotate_world_model(WEIGHTS, rotation), rotation.T)
    assert list(back) == sorted(WEIGHTS)
    for name, array in back.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, WEIGHTS[name], atol=1e-6 * np.abs(WEIGHTS[name]).max())


def test_a_rotated_clone_of_the_base_has_a_zero_delta() -> None:
    clone = rotate_world_model(WEIGHTS, orthogonal(RECIPE.family.sizes.latent))
    found = align(clone, encoded(WEIGHTS), encoded(clone), rotate_world_model)
    before, after = delta_of(clone, WEIGHTS), delta_of(found.weights, WEIGHTS)
    assert np.abs(before["encoder.head.weight"]).max() > 0.1
    for name, array in after.items():
        assert np.abs(array).max() <= 1e-5 * np.abs(WEIGHTS[name]).max(), name


def test_alignment_of_the_base_itself_changes_nothing() -> None:
    found = align(WEIGHTS, encoded(WEIGHTS), encoded(WEIGHTS), rotate_world_model)
    np.testing.assert_allclose(found.rotation, np.eye(RECIPE.family.sizes.latent), atol=1e-12)


def test_only_world_models_of_the_right_size_are_turned() -> None:
    with pytest.raises(ValueError, match="orthogonal"):
        rotate_world_model(WEIGHTS, 2 * np.eye(RECIPE.family.sizes.latent))
    with pytest.raises(ValueError, match="world model"):
        rotate_world_model(WEIGHTS, np.eye(RECIPE.family.sizes.latent + 1))
    with pytest.raises(ValueError, match="world model"):
        rotate_world_model({"encoder.head.weight": WEIGHTS["encoder.head.weight"]}, np.eye(6))


def test_every_tensor_the_frame_touches_is_turned() -> None:
    """Names and layout follow the model: other sizes, another number of actions."""
    sizes = ModelSizes(image=16, latent=5, actions=3, channels=(2, 2, 2), hidden=7, predictor=11)
    weights = World(model=sizes, symmetry=False).initial_weights(SEED)
    turned = rotate_world_model(weights, orthogonal(5))
    moved = {name for name in weights if (weights[name] != turned[name]).any()}
    assert moved == {
        "encoder.head.weight", "encoder.head.bias", "predictor.enter.weight",
        "predictor.leave.weight", "predictor.leave.bias",
    }  # fmt: skip
    np.testing.assert_array_equal(
        turned["predictor.enter.weight"][:, 10:], weights["predictor.enter.weight"][:, 10:]
    )


# ------------------------------------------------------------------ drift


def test_ten_degrees_in_every_plane_read_ten_degrees() -> None:
    source = latents_like(600, 256)
    found = drift(source, source @ planes(256, *[10.0] * 128))
    assert found.rms_degrees == pytest.approx(10, abs=1e-6)
    assert found.max_degrees == pytest.approx(10, abs=1e-6)
    assert found.trace_degrees == pytest.approx(160.84, abs=0.01)
    assert found.directions == 256
    assert found.unexplained == pytest.approx(0, abs=1e-12)


def test_the_trace_formula_saturates_where_the_principal_angles_do_not() -> None:
    for degrees in (10.2, 25.0, 90.0):
        rotation = planes(256, *[degrees] * 128)
        assert trace_angle(rotation) == 180
        assert principal_angles(rotation).max() == pytest.approx(degrees)


def test_angles_are_those_of_the_planes() -> None:
    angles = principal_angles(planes(7, 30, 90, 5))
    np.testing.assert_allclose(angles, [90, 90, 30, 30, 5, 5, 0], atol=1e-9)
    np.testing.assert_allclose(principal_angles(np.diag([1.0, 1.0, -1.0])), [180, 0, 0], atol=1e-9)
    assert trace_angle(planes(7, 30)) == pytest.approx(30)


def test_idle_dimensions_do_not_make_a_frame_look_stable() -> None:
    source = latents_like(300, 64)
    source[:, 8:] = 0
    found = drift(source, source @ planes(64, *[20.0] * 4))
    assert found.directions == 8
    assert found.rms_degrees == pytest.approx(20, abs=1e-6)


def test_the_same_frame_has_not_drifted() -> None:
    source = latents_like(300, 12)
    found = drift(source, 3.0 * source + 5.0)
    assert found.max_degrees == pytest.approx(0, abs=1e-6)
    assert found.unexplained == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    "latents",
    [
        np.zeros((300, 64), np.float32),
        np.full((300, 64), 7.0, np.float32),
        1e-3 * latents_like(300, 64),
        latents_like(300, 3) @ orthogonal(64)[:3],
        1e6 + 0.06 * latents_like(300, 64),
        latents_like(3, 64),
    ],
    ids=["zero", "constant", "nearly constant", "rank 3", "rounding noise", "three frames"],
)
def test_attack_a_deficient_frame_is_an_error_and_never_no_drift(latents: np.ndarray) -> None:
    healthy = latents_like(len(latents), 64) if len(latents) > 10 else latents
    for call in (
        lambda: frame(latents),
        lambda: drift(healthy, latents),
        lambda: drift(latents, healthy),
        lambda: drift(latents, latents),
        lambda: procrustes(latents, healthy),
    ):
        with pytest.raises(FrameDeficient) as error:
            call()
        assert error.value.reason == "rank-deficient"


def test_a_model_with_a_constant_encoder_cannot_be_aligned() -> None:
    dead = constant_encoder(WEIGHTS)
    with pytest.raises(FrameDeficient, match="constant"):
        align(dead, encoded(WEIGHTS), encoded(dead), rotate_world_model)


def test_the_least_rank_can_be_asked_for() -> None:
    narrow = latents_like(300, 5) @ orthogonal(64)[:5]
    assert frame(narrow).shape == (300, 64)
    with pytest.raises(FrameDeficient, match="carry 5 of 64"):
        frame(narrow, least=6)
    assert frame(latents_like(300, 2)).shape == (300, 2)


def test_bad_latents_are_refused() -> None:
    broken = latents_like(50, 8)
    broken[3, 3] = np.nan
    with pytest.raises(Rejected) as error:
        frame(broken)
    assert error.value.reason == "non-finite"
    with pytest.raises(ValueError, match="matrix"):
        frame(np.zeros(5))
    with pytest.raises(ValueError, match="shapes"):
        procrustes(latents_like(50, 8), latents_like(51, 8))


def test_the_backstop_says_why() -> None:
    found = Drift(12.0, 40.0, 180.0, 9, 0.1)
    assert exceeds(found, 12.0) is None
    assert "12.0 degrees" in str(exceeds(found, 11.9))
    for threshold in (0.0, 181.0, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            exceeds(found, threshold)
