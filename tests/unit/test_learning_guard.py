"""Every guard fires for its own reason, and none for a model that did not change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nan

import pytest

from jepanet.errors import Rejected
from jepanet.learning.evaluation.guards import absolute_guards, length_guards, state_guards
from jepanet.learning.recipe import Gates
from jepanet.learning.training.guarding.divergence import DivergenceGate, check_finite

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class State:
    variance: float = 1.0
    sigreg: float = 20.0
    rank: float = 10.0


BASE = State()
GATES = Gates(
    variance_floor=0.9,
    variance_ceiling=1.15,
    variance_cap=1.2,
    sigreg_log=0.12,
    rank_ratio=0.93,
    healthy_variance=0.8,
)


@pytest.mark.parametrize(
    "state", [BASE, State(variance=0.0, sigreg=0.0, rank=0.0), State(variance=30.0, sigreg=500.0)]
)
def test_an_unchanged_model_passes(state: State) -> None:
    assert state_guards(state, state, GATES) == ()
    assert absolute_guards(state, state, GATES) == ()


@pytest.mark.parametrize(
    ("inside", "outside", "reason"),
    [
        (State(variance=0.91), State(variance=0.89), "variance-floor"),
        (State(variance=1.19), State(variance=1.21), "variance-ceiling"),
        (State(sigreg=22.4), State(sigreg=22.7), "sigreg"),
        (State(rank=9.35), State(rank=9.25), "rank"),
    ],
)
def test_each_guard_fires_alone(inside: State, outside: State, reason: str) -> None:
    assert state_guards(BASE, inside, GATES) == ()
    assert state_guards(BASE, outside, GATES) == (reason,)


def test_a_base_with_much_variance_may_grow_a_little_more() -> None:
    large = State(variance=10.0)
    assert state_guards(large, State(variance=11.4), GATES) == ()
    assert state_guards(large, State(variance=11.6), GATES) == ("variance-ceiling",)


def test_improvement_is_no_reason() -> None:
    assert state_guards(BASE, State(sigreg=1.0, rank=60.0), GATES) == ()


def test_a_collapse_fires_all_that_apply() -> None:
    assert state_guards(BASE, State(0.05, 120.0, 2.0), GATES) == ("variance-floor", "sigreg", "rank")


@pytest.mark.parametrize("field", ["variance", "sigreg", "rank"])
def test_nan_never_passes(field: str) -> None:
    assert state_guards(BASE, replace(BASE, **{field: nan}), GATES)


@pytest.mark.parametrize(("field", "value"), [("variance", inf), ("sigreg", inf), ("rank", -inf)])
def test_infinity_never_passes(field: str, value: float) -> None:
    assert state_guards(BASE, replace(BASE, **{field: value}), GATES)


def test_gates_are_those_of_the_recipe() -> None:
    half = State(variance=0.5)
    assert state_guards(BASE, half, GATES) == ("variance-floor",)
    assert state_guards(BASE, half, replace(GATES, variance_floor=0.4)) == ()


FOR_LENGTH = replace(GATES, variance_per_length=0.5, sigreg_per_length=0.6, rank_per_length=0.1)


@pytest.mark.parametrize(
    ("inside", "outside", "reason"),
    [
        (State(variance=0.96), State(variance=0.94), "variance-for-length"),
        (State(sigreg=21.2), State(sigreg=21.3), "sigreg-for-length"),
        (State(rank=9.91), State(rank=9.89), "rank-for-length"),
    ],
)
def test_a_step_may_cost_as_much_as_its_length_explains(inside: State, outside: State, reason: str) -> None:
    """Half a delta of a twenty-fifth of the base's norm: a tenth of each, in logarithms."""
    assert length_guards(BASE, inside, FOR_LENGTH, 0.04, 0.5) == ()
    assert length_guards(BASE, outside, FOR_LENGTH, 0.04, 0.5) == (reason,)
    assert length_guards(BASE, outside, FOR_LENGTH, 0.16, 0.5) == ()
    assert length_guards(BASE, inside, FOR_LENGTH, 0.01, 0.5) == (reason,)


def test_attack_a_short_step_towards_collapse_passes_the_other_guards_alone() -> None:
    short = State(variance=0.93, sigreg=22.0, rank=9.8)
    assert state_guards(BASE, short, FOR_LENGTH) == ()
    assert len(length_guards(BASE, short, FOR_LENGTH, 0.04, 0.5)) == 3


def test_length_explains_nothing_where_a_recipe_does_not_say_how_much() -> None:
    assert length_guards(BASE, State(0.05, 120.0, 2.0), GATES, 0.01, 1.0) == ()


def test_what_a_step_wins_is_no_reason_whatever_its_length() -> None:
    assert length_guards(BASE, State(2.0, 1.0, 60.0), FOR_LENGTH, 1e-9, 1.0) == ()
    assert length_guards(BASE, BASE, FOR_LENGTH, 0.0, 1.0) == ()


@pytest.mark.parametrize("field", ["variance", "rank"])
def test_nothing_left_never_passes_for_a_length(field: str) -> None:
    assert length_guards(BASE, replace(BASE, **{field: 0.0}), FOR_LENGTH, 1.0, 1.0)


def test_steps_that_each_pass_cannot_add_up_to_a_collapse() -> None:
    state = BASE
    for _ in range(10):
        following = replace(state, variance=0.91 * state.variance)
        assert state_guards(state, following, GATES) == ()
        if absolute_guards(state, following, GATES):
            break
        state = following
    assert state.variance >= GATES.healthy_variance
    assert absolute_guards(state, following, GATES) == ("healthy-variance",)


def test_a_young_model_may_still_be_small() -> None:
    assert absolute_guards(State(variance=0.3), State(variance=0.2), GATES) == ()
    assert absolute_guards(State(variance=0.9), State(variance=nan), GATES) == ("healthy-variance",)


# ------------------------------------------------------------------ divergence


def settled(losses: int = 8) -> DivergenceGate:
    gate = DivergenceGate(explode=20.0, settle=8, patience=3)
    for step in range(losses):
        gate.admit(step, 1.0)
    return gate


@pytest.mark.parametrize("loss", [nan, inf, -inf])
def test_a_loss_that_is_not_finite_stops_training_at_once(loss: float) -> None:
    with pytest.raises(Rejected, match="step 0") as caught:
        DivergenceGate(20.0).admit(0, loss)
    assert caught.value.reason == "diverged"


@pytest.mark.parametrize("norm", [nan, inf])
def test_a_gradient_that_is_not_finite_stops_training_at_once(norm: float) -> None:
    check_finite(8, "the gradient norm", 1e30)
    with pytest.raises(Rejected, match="step 8: the gradient norm") as caught:
        check_finite(8, "the gradient norm", norm)
    assert caught.value.reason == "diverged"


def test_an_explosion_stops_training_after_patience() -> None:
    gate = settled()
    gate.admit(8, 21.0)
    gate.admit(9, 21.0)
    with pytest.raises(Rejected, match="step 10") as caught:
        gate.admit(10, 21.0)
    assert caught.value.reason == "diverged"


def test_outliers_apart_are_tolerated_and_leave_no_trace() -> None:
    gate = settled()
    for step in range(8, 48, 2):
        gate.admit(step, 1e6)
        gate.admit(step + 1, 1.0)


def test_a_rise_below_the_limit_is_training() -> None:
    gate = settled()
    for step in range(8, 40):
        gate.admit(step, 19.0)


def test_a_cold_start_is_not_an_explosion() -> None:
    gate = DivergenceGate(explode=20.0)
    for step in range(8):
        gate.admit(step, 10.0**step)


def test_a_loss_near_zero_has_a_floor() -> None:
    gate = DivergenceGate(explode=20.0)
    for step in range(8):
        gate.admit(step, 0.0)
    for step in range(8, 20):
        gate.admit(step, 0.019)
