"""What is told of pairs, at the temperature that suits a model best."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from test_learning_family_language import CASE, LANGUAGE, SEED
from torch.nn import functional

from jepanet.learning.text_pairs.telling import COLDEST, HOTTEST, Together, told_at_best

pytestmark = pytest.mark.unit


def pairs(noise: float, many: int = 32) -> Together:
    draws = torch.Generator().manual_seed(3)
    first = torch.randn(many, 16, generator=draws, dtype=torch.float64)
    second = first + noise * torch.randn(many, 16, generator=draws, dtype=torch.float64)
    one, other = (functional.normalize(item, dim=1) for item in (first, second))
    return Together(one, other, torch.zeros(many, many, dtype=torch.bool))


def test_no_temperature_tells_more() -> None:
    parts = [pairs(1.0), pairs(2.0)]
    told, best = told_at_best(parts)
    assert COLDEST < best < HOTTEST
    for temperature in np.geomspace(COLDEST, HOTTEST, 500):
        assert np.concatenate([part.told(temperature) for part in parts]).mean() <= told.mean() + 1e-12


def test_the_better_model_tells_more() -> None:
    near, far = (told_at_best([pairs(noise)])[0].mean() for noise in (1.0, 2.0))
    assert 0 < far < near < log(32)


def test_what_tells_nothing_is_a_guess() -> None:
    """Sure of the wrong pairs, it told less than a guess; collapsed, nothing."""
    part = pairs(0.5)
    wrong = replace(part, second=part.second.roll(1, dims=0))
    assert wrong.told(0.1).mean() < -1
    assert told_at_best([wrong])[0].mean() == pytest.approx(0, abs=1e-2)
    same = torch.full((8, 4), 0.5, dtype=torch.float64)
    told, _ = told_at_best([Together(same, same, torch.zeros(8, 8, dtype=torch.bool))])
    assert told == pytest.approx(np.zeros(8), abs=1e-12)


def test_being_less_sure_is_not_paid() -> None:
    """The same latents tell as much, whatever the objective's temperature."""
    found = []
    for temperature in (0.05, 0.5):
        family = replace(LANGUAGE, objective=replace(LANGUAGE.objective, temperature=temperature))
        told = family.network(LANGUAGE.initial_weights(SEED)).compare(CASE.shard).told
        assert told is not None
        found.append(told)
    assert found[0] == pytest.approx(found[1], abs=1e-9)
