"""The planner on a hand-made linear world, where the best actions are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from jepanet.errors import Rejected
from jepanet.learning.planning.costs import COSTS, cost_rule, distance_to, probe, whitening
from jepanet.learning.planning.planner import (
    PLANNERS,
    Cost,
    Planner,
    Situation,
    coloured_noise,
    imagine,
    plan,
    planner_named,
)

pytestmark = pytest.mark.unit

STRIDE = 0.5


def drift(before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
    """The first two latents move with the action; a third remembers the action before."""
    return torch.cat([now[:, :2] + STRIDE * acting, acted[:, :1]], dim=1)


def situation(places: list[list[float]]) -> Situation:
    now = torch.tensor([[*place, 0.0] for place in places])
    return Situation(now, now, torch.zeros(len(places), 2))


def flat(goals: list[list[float]], name: str = "sum") -> Cost:
    # The third latent is a nuisance that a goal says nothing of.
    return distance_to(
        torch.tensor([[*goal, 0.0] for goal in goals]), cost_rule(name), torch.diag(torch.tensor([1.0, 1, 0]))
    )


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", PLANNERS)
def test_the_optimum_of_a_linear_world_is_found(name: str) -> None:
    # Two full strides right, then rest: the cost of the optimum is 0.5 ** 2 after the first action.
    planner = replace(PLANNERS[name], horizon=4, iterations=12, samples=256, momentum=0.0)
    found = plan(drift, situation([[0.0, 0.0]]), flat([[1.0, 0.0]]), planner, generator())
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert torch.allclose(found.actions[0], wanted, atol=0.15)
    assert float(found.cost[0]) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("name", PLANNERS)
def test_problems_side_by_side_are_solved_apart(name: str) -> None:
    starts, goals = [[0.0, 0.0], [0.0, 0.0], [3.0, 3.0]], [[9.0, 0.0], [0.0, -9.0], [-9.0, 3.0]]
    found = plan(drift, situation(starts), flat(goals), PLANNERS[name], generator())
    first = found.actions[:, 0]
    assert float(first[0, 0]) > 0.8 and float(first[1, 1]) < -0.8 and float(first[2, 0]) < -0.8


def test_the_same_generator_gives_the_same_plan_and_another_does_not() -> None:
    def once(seed: int) -> Tensor:
        return plan(
            drift, situation([[0.0, 0.0]]), flat([[1.0, 1.0]]), PLANNERS["icem"], generator(seed)
        ).actions  # fmt: skip

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))


def test_actions_stay_within_bounds() -> None:
    wild = replace(PLANNERS["icem"], deviation=5.0)
    found = plan(drift, situation([[0.0, 0.0]]), flat([[50.0, -50.0]]), wild, generator())
    assert float(found.actions.abs().max()) <= 1.0


def test_imagination_hands_each_action_on_as_the_one_before() -> None:
    start = Situation(torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[0.7, 0.0]]))
    actions = torch.tensor([[[[0.1, 0.0], [0.2, 0.0], [0.3, 0.0]]]])
    seen = imagine(drift, start, actions)
    assert seen.shape == (1, 1, 3, 3)
    assert torch.allclose(seen[0, 0, :, 2], torch.tensor([0.7, 0.1, 0.2]))
    assert torch.allclose(seen[0, 0, :, 0], torch.tensor([0.05, 0.15, 0.30]))


def test_what_was_remembered_makes_the_next_search_no_worse() -> None:
    small = Planner(horizon=4, samples=16, iterations=1, elites=4, remembered=4, best=True)
    far = flat([[9.0, 0.0]])
    first = plan(drift, situation([[0.0, 0.0]]), far, replace(PLANNERS["icem"], horizon=4), generator())
    fresh = plan(drift, situation([[0.0, 0.0]]), far, small, generator(2))
    warm = plan(drift, situation([[0.0, 0.0]]), far, small, generator(2), first)
    assert float(warm.cost[0]) < float(fresh.cost[0])


def test_a_world_that_returns_nan_wins_nothing() -> None:
    def broken(before: Tensor, now: Tensor, acted: Tensor, acting: Tensor) -> Tensor:
        moved = drift(before, now, acted, acting)
        return torch.where(acting[:, :1] > 0, torch.nan, moved)

    found = plan(broken, situation([[0.0, 0.0]]), flat([[9.0, 0.0]]), PLANNERS["icem"], generator())
    assert torch.isfinite(found.actions).all()
    assert float(found.actions[..., 0].max()) <= 0.0


# ------------------------------------------------------------------ noise


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_noise_has_unit_variance_whatever_its_colour(exponent: float, length: int) -> None:
    noise = coloured_noise((20_000,), length, 2, exponent, generator())
    assert noise.shape == (20_000, length, 2)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.02)
    assert torch.allclose(noise.var(dim=0), torch.ones(length, 2), atol=0.06)


def test_coloured_noise_keeps_its_direction() -> None:
    def neighbours(exponent: float) -> float:
        noise = coloured_noise((5000,), 8, 1, exponent, generator())
        return float((noise[:, 1:] * noise[:, :-1]).mean())

    assert abs(neighbours(0.0)) < 0.03
    assert neighbours(2.0) > 0.5 > neighbours(1.0) > 0.2


# ------------------------------------------------------------------ costs


def test_reductions_over_the_horizon() -> None:
    imagined = torch.tensor([[[[3.0], [0.5], [2.0]]]])
    values = {
        name: float(distance_to(torch.zeros(1, 1), cost_rule(name))(imagined))
        for name in ("final", "sum", "nearest")
    }
    assert values == {"final": 4.0, "sum": 9.0 + 0.25 + 4.0, "nearest": 0.25}


def test_whitening_makes_every_direction_count_alike_above_the_floor() -> None:
    draws = np.random.default_rng(0).standard_normal((4000, 3)) * np.array([5.0, 2.0, 1e-4])
    matrix = whitening(draws, np.zeros((4000, 0)))
    spread = np.linalg.eigvalsh(np.cov(draws @ matrix, rowvar=False))
    np.testing.assert_allclose(spread[1:], 1.0, atol=1e-2)
    assert spread[0] < 1e-6


def test_the_probe_metric_counts_only_what_tells_the_state() -> None:
    generator = np.random.default_rng(0)
    seen, rest = generator.standard_normal((20_000, 2)), generator.standard_normal((20_000, 3))
    matrix = probe(np.concatenate([seen, rest], axis=1), 30 * seen + 100)
    np.testing.assert_allclose(matrix[:2], np.eye(2), atol=0.03)
    np.testing.assert_allclose(matrix[2:], 0.0, atol=0.03)


def test_latents_or_states_that_do_not_vary_fit_no_metric() -> None:
    for metric, latents, state in (
        (whitening, np.ones((50, 4)), np.zeros((50, 2))),
        (probe, np.random.default_rng(0).standard_normal((50, 4)), np.ones((50, 2))),
    ):
        with pytest.raises(Rejected) as refused:
            metric(latents, state)
        assert refused.value.reason == "rank-deficient"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(Rejected, match="sum"):
        cost_rule("magic")
    with pytest.raises(Rejected, match="icem"):
        planner_named("magic")
    assert set(COSTS) == {"final", "sum", "nearest", "whitened", "learned"}


@pytest.mark.parametrize(
    "sizes", [{"samples": 4}, {"elites": 0}, {"remembered": 17}, {"decay": 0.5}, {"deviation": 0.0}]
)
def test_strange_planners_are_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Planner(**sizes)
