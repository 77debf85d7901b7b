"""VISReg as the world model's regulariser: its definition, its gradients, and recipes that ask for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from family_conformance import (
    Case,
    fields_survive_the_wire,
    rows_in_two_places_have_the_loss_of_the_batch,
    the_loss_draws_from_its_generator_alone,
    the_loss_reaches_every_parameter,
)
from test_learning_family_world import CASE

from jepanet.learning.families.world.family import World
from jepanet.learning.families.world.sizes import SIGREG, VISREG, Objective
from jepanet.learning.objectives import random_directions, visreg
from jepanet.learning.presets import preset
from jepanet.learning.recipe_reader import read_recipe

pytestmark = pytest.mark.unit


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_recipe_names_it_and_one_that_does_not_keeps_its_bytes() -> None:
    small = preset("tworoom-small")
    assert "kind" not in json.loads(small.to_bytes())["objective"]
    assert isinstance(small.family, World)
    other = replace(
        small, family=replace(small.family, objective=Objective(weight=1.0, guard=1.0, kind=VISREG))
    )
    assert read_recipe(other.to_bytes()) == other
    assert json.loads(other.to_bytes())["objective"]["kind"] == VISREG
    assert Objective().kind == SIGREG


CHECKS: tuple[Callable[[Case], None], ...] = (
    fields_survive_the_wire,
    rows_in_two_places_have_the_loss_of_the_batch,
    the_loss_draws_from_its_generator_alone,
    the_loss_reaches_every_parameter,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_world_model_with_visreg_conforms(check: Callable[[Case], None]) -> None:
    """Also where the rows of a batch lie in several processes: their order is that of all rows."""
    family = replace(CASE.family, objective=Objective(weight=1.0, guard=1.0, kind=VISREG))
    check(replace(CASE, family=family))


def test_shape_shrinks_latents_of_low_rank_that_are_small_already() -> None:
    """Why `guard` must be large where latents start near zero: shape's pull inwards grows with 1 / deviation
    where directions vary unequally, and scale's push outwards does not."""
    flat = torch.tensor(normal(64, 1) @ normal(1, 6, seed=1))
    directions = random_directions(6, 64, torch.Generator().manual_seed(1)).double()
    pull = []
    for size in (1.0, 0.1, 0.01):
        latents = (size * flat / flat.std(dim=0)).requires_grad_()
        scale, shape = visreg(latents, directions)
        outwards = [
            -float((torch.autograd.grad(part, latents, retain_graph=True)[0] * latents).sum().detach()) / size
            for part in (scale, shape)
        ]
        pull.append(outwards)
    assert pull[0][1] < 0 and pull[1][1] == pytest.approx(10 * pull[0][1], rel=1e-6)
    assert pull[2][1] == pytest.approx(100 * pull[0][1], rel=1e-6)
    assert 0 < pull[2][0] < -pull[2][1]


def test_visreg_is_what_its_definition_says() -> None:
    """Against the definition, written with numpy: VISReg, arXiv:2606.02572."""
    latents = normal(40, 5) * np.array([0.2, 1.0, 3.0, 1.0, 1.0]) + np.array([0.0, 0.0, 0.5, -2.0, 0.0])
    directions = random_directions(5, 7, torch.Generator().manual_seed(3)).double()
    scale, shape = visreg(torch.tensor(latents), directions)
    deviations = latents.std(axis=0)
    wanted = np.mean(latents.mean(axis=0) ** 2 + (deviations - 1) ** 2)
    assert float(scale) == pytest.approx(wanted, rel=1e-9)
    ordered = np.sort((latents - latents.mean(axis=0)) / deviations @ directions.numpy(), axis=0)
    quantiles = np.array([NormalDist().inv_cdf(k / 41) for k in range(1, 41)])
    assert float(shape) == pytest.approx(np.mean((ordered - quantiles[:, None]) ** 2), rel=1e-6)


def test_visreg_of_normal_latents_is_small_and_of_others_large() -> None:
    directions = random_directions(8, 64, torch.Generator().manual_seed(0)).double()
    good = normal(4000, 8)
    scale, shape = visreg(torch.tensor(good), directions)
    assert float(scale) < 1e-2 and float(shape) < 1e-2
    one = good[:, :1].repeat(8, axis=1)
    two_heaps = np.sign(good)
    assert float(visreg(torch.tensor(one), directions)[1]) > 0.1
    assert float(visreg(torch.tensor(two_heaps), torch.eye(8, dtype=torch.float64))[1]) > 0.1
    for scaled in (0.1 * good, 5 * good, good + 3):
        parts = visreg(torch.tensor(scaled), directions)
        assert float(parts[0]) > 0.5 and float(parts[1]) == pytest.approx(float(shape), rel=1e-6)


@pytest.mark.parametrize("left", [1e-1, 1e-3, 1e-5])
def test_visreg_has_a_gradient_at_collapse(left: float) -> None:
    """What of a deviation is missing asks for as much whatever is left of it."""
    latents = (left * torch.tensor(normal(64, 6))).requires_grad_()
    scale, _ = visreg(latents, random_directions(6, 16, torch.Generator().manual_seed(1)).double())
    (gradient,) = torch.autograd.grad(scale, latents)
    assert float(gradient.norm()) > 0.01
    shape = visreg(latents, torch.eye(6).double())[1]
    assert bool(torch.isfinite(torch.autograd.grad(shape, latents)[0]).all())
    nothing = torch.zeros(8, 6, dtype=torch.float64, requires_grad=True)
    parts = visreg(nothing, torch.eye(6).double())
    assert bool(torch.isfinite(torch.autograd.grad(sum(parts), nothing)[0]).all())
