"""Distances of ends: what is nothing but rounding, and what no rounding does."""

from __future__ import annotations

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.auditing.tolerance import BOUND, FARTHEST, Distance, distance
from jepanet.learning.recipe import Optimiser
from jepanet.learning.training.resuming.state import Parts

pytestmark = pytest.mark.unit

RULES = Optimiser()
ROWS, WIDTH = 40, 16
NOBODY, RARE = 7, 9
"""Rows without any gradient, and with a small one."""


def state(seed: int = 1) -> Parts:
    """A table of rows, as of words, and a bias whose gradients are rounding."""
    random = np.random.default_rng(seed)
    table, bias = random.normal(size=(ROWS, WIDTH)), random.normal(size=WIDTH)
    slope = random.normal(size=(ROWS, WIDTH))
    slope[NOBODY] = 0
    slope[RARE] *= 1e-3
    rounding = 1e-9 * random.normal(size=WIDTH)
    rounding[3] = 0
    arrays = {
        "weights": {"bias": bias, "fixed": np.ones(3), "table": table},
        "optimiser": {
            "mean.bias": 0.1 * rounding, "mean.table": 0.1 * slope,
            "square.bias": 0.05 * rounding**2, "square.table": 0.05 * slope**2,
            "steps": np.ones(2),
        },
    }  # fmt: skip
    return {part: {n: a.astype(np.float32) for n, a in named.items()} for part, named in arrays.items()}


def before() -> Parts:
    parts = state()
    for name in ("bias", "table"):
        parts["weights"][name] -= np.float32(1e-3)
    return parts


def share(theirs: Parts) -> float:
    return distance(before(), state(), theirs, RULES).share(BOUND)[0]


def test_an_end_lies_at_no_distance_from_itself() -> None:
    assert distance(before(), state(), state(), RULES) == Distance(0, 0, 0, 0, 0)


def test_a_gradient_that_cancels_out_here_and_not_there_is_rounding() -> None:
    theirs = state()
    theirs["weights"]["bias"][3] += np.float32(1e-5)
    theirs["optimiser"]["mean.bias"][3] = 1e-11
    theirs["optimiser"]["square.bias"][3] = 1e-21
    assert 0 < share(theirs) < 1


def test_attack_a_row_that_no_gradient_reached() -> None:
    """Of a word that stands for a trigger: whatever is written there, the honest batches do not show it."""
    for change in ("weights.table", "optimiser.mean.table", "optimiser.square.table"):
        theirs = state()
        part, _, name = change.partition(".")
        theirs[part][name][NOBODY, 2] += np.float32(1e-5)
        with pytest.raises(Rejected) as refused:
            share(theirs)
        assert refused.value.reason == part


def test_attack_a_row_with_a_small_gradient() -> None:
    theirs = state()
    theirs["weights"]["table"][RARE] += np.float32(2e-5)
    assert share(theirs) > 1


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 2.0), ("square.table", -1.0)], ids=["other steps", "a negative square"]
)
def test_attack_moments_that_are_none(name: str, value: float) -> None:
    theirs = state()
    theirs["optimiser"][name] = np.full_like(theirs["optimiser"][name], value)
    with pytest.raises(Rejected) as refused:
        share(theirs)
    assert refused.value.reason == "optimiser"


def test_attack_a_weight_that_nobody_trains() -> None:
    theirs = state()
    theirs["weights"]["fixed"][0] = np.nextafter(np.float32(1), np.float32(2))
    with pytest.raises(Rejected, match="fixed") as refused:
        share(theirs)
    assert refused.value.reason == "weights"


def test_of_nothing_anything_is_infinitely_far() -> None:
    still, theirs = state(), state()
    theirs["weights"]["table"][0, 0] += np.float32(1e-3)
    assert distance(still, still, theirs, RULES).weights == float("inf")


def test_attack_an_end_so_far_off_that_it_is_no_number() -> None:
    """A report of an audit holds finite numbers alone: any other would end the audit, not the cheat."""
    for odd in (float("inf"), float("nan")):
        for place in range(5):
            values = [0.0] * 5
            values[place] = odd
            found, what = Distance(*values).share(BOUND)
            assert found == FARTHEST and what == ["weights", "mean", "square", "direction", "noise"][place]
