"""The frame anchor: its value, its gradient, and that training with it stays near the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jepanet.errors import Rejected
from jepanet.learning.families.world.model import load_world_model, normalise
from jepanet.learning.training.loop import train
from jepanet.learning.training.step.anchor import frame_anchor
from jepanet.tensors import Arrays
from learning_shards import OTHER, RECIPE, SEED, WORLD, disc_shard, initial

pytestmark = pytest.mark.unit

SHARD = disc_shard(5)
PROBES = SHARD.frames.reshape(-1, *SHARD.frames.shape[2:])
START = initial(SEED)


def reference(weights: Arrays = START) -> np.ndarray:
    with torch.inference_mode():
        latents: np.ndarray = (
            load_world_model(WORLD, weights).encoder(normalise(torch.tensor(PROBES))).numpy()
        )
    return latents


def value(
    weights: Arrays, step: int = 0, batch: int = len(PROBES), targets: np.ndarray | None = None
) -> float:
    wanted = reference() if targets is None else targets
    penalty = frame_anchor(wanted, PROBES, 0.5, seed=SEED, batch=batch)
    return float(penalty(load_world_model(WORLD, weights), step).detach())


def test_the_reference_itself_costs_nothing() -> None:
    assert value(START) == pytest.approx(0, abs=1e-10)


def test_the_penalty_is_the_weighted_error_per_element() -> None:
    assert value(START, targets=reference() + np.float32(3)) == pytest.approx(0.5 * 9, rel=1e-4)
    other = initial(OTHER)
    expected = 0.5 * np.square(reference(other) - reference()).mean()
    assert value(other) == pytest.approx(float(expected), rel=1e-4)


def test_step_and_seed_choose_the_probes() -> None:
    other = initial(OTHER)
    found = [value(other, step, batch=4) for step in (0, 1, 2, 0)]
    assert found[0] == found[3]
    assert len(set(found)) == 3


def test_its_gradient_reaches_the_encoder_alone() -> None:
    model = load_world_model(WORLD, initial(OTHER))
    frame_anchor(reference(), PROBES, 0.5, seed=SEED)(model, 0).backward()
    touched = {name.split(".")[0] for name, item in model.named_parameters() if item.grad is not None}
    assert touched == {"encoder"}
    before, after = np.inf, value(initial(OTHER))
    with torch.no_grad():
        for item in model.encoder.parameters():
            item -= 0.05 * item.grad
    weights = {name: item.detach().numpy() for name, item in model.named_parameters()}
    before, after = after, value(weights)
    assert after < before


def test_training_with_an_anchor_stays_nearer_to_the_reference() -> None:
    anchor = frame_anchor(reference(), PROBES, 30.0, seed=SEED)
    free = train(START, SHARD, RECIPE, seed=SEED, steps=25).weights
    held = train(START, SHARD, RECIPE, seed=SEED, steps=25, penalties=[anchor]).weights
    assert value(held) < 0.8 * value(free)


def test_attack_references_that_do_not_fit_are_refused() -> None:
    good = reference()
    for latents, frames, reason in (
        (good[:-1], PROBES, "wrong-shape"),
        (good[:0], PROBES[:0], "wrong-shape"),
        (good.astype(np.float64), PROBES, "wrong-shape"),
        (good, PROBES.astype(np.float32), "wrong-shape"),
        (np.full_like(good, np.nan), PROBES, "non-finite"),
    ):
        with pytest.raises(Rejected) as error:
            frame_anchor(latents, frames, 0.1, seed=SEED)
        assert error.value.reason == reason
    narrow = frame_anchor(good[:, :1].copy(), PROBES, 0.1, seed=SEED)
    with pytest.raises(Rejected, match="another size"):
        narrow(load_world_model(WORLD, START), 0)
    for weight in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="anchor"):
            frame_anchor(good, PROBES, weight, seed=SEED)
