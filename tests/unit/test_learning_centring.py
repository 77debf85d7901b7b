"""What a grounded score takes off before it compares: what a place alone tells, and what is static."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.evaluation import grounded
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.family import Encoded
from jepanet.learning.recipe import Recipe, Score
from jepanet.learning.recipe_reader import read_recipe
from jepanet.tensors import Arrays
from learning_shards import RECIPE, disc_shard

pytestmark = pytest.mark.unit

EPISODES, SLOTS, SIZE = 40, 6, 4
SITES = (0,) * 20 + (1,) * 20
SHARD = disc_shard(1, SITES, 3)
_DRAW = np.random.default_rng(5)
PLACE = np.broadcast_to(3.0 * _DRAW.normal(size=(1, SLOTS, SIZE)), (EPISODES, SLOTS, SIZE))
STATIC = np.broadcast_to(3.0 * _DRAW.normal(size=(EPISODES, 1, SIZE)), (EPISODES, SLOTS, SIZE))
DETAIL, NOISE = _DRAW.normal(size=(2, EPISODES, SLOTS, SIZE))
ACTUAL = PLACE + STATIC + DETAIL
GUESSES = {
    "nothing": 0.001 * NOISE,
    "place": PLACE + 0.1 * NOISE,
    "static": STATIC + 0.1 * NOISE,
    "detail": DETAIL + 0.1 * NOISE,
}


def centred(how: str, **score: float) -> Recipe:
    return replace(RECIPE, score=Score(centre=how, ridge=1e-2, **score))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base's guess is the one called `nothing`, whatever the weights are."""
    monkeypatch.setattr(grounded, "encode", lambda *given, **more: told("nothing"))


def told(guess: str) -> Encoded:
    return Encoded(latents=ACTUAL, actual=ACTUAL, predicted=GUESSES[guess], unchanged=ACTUAL)


WEIGHTS: Arrays = {}
PAID = {
    "episode": {"place", "detail"},
    "slot": {"static", "detail"},
    "slot-and-episode": {"detail"},
}


@pytest.mark.parametrize("how", PAID)
def test_only_what_is_left_after_centring_is_paid(how: str) -> None:
    scorer = GroundedScorer(WEIGHTS, centred(how), SHARD)
    gains = {guess: scorer.gain_of(told(guess)) for guess in ("place", "static", "detail")}
    paid = {guess for guess, gain in gains.items() if gain.mean > 4 * gain.stderr and gain.mean > 0.02}
    assert paid == PAID[how], {guess: (gain.mean, gain.stderr) for guess, gain in gains.items()}


@pytest.mark.parametrize("how", PAID)
@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_attack_scale_and_bias_of_a_guess_change_no_gain(how: str, factor: float) -> None:
    scorer = GroundedScorer(WEIGHTS, centred(how), SHARD)
    plain = scorer.gain_of(told("detail"))
    shifted = replace(told("detail"), predicted=factor * (GUESSES["detail"] + 7.0))
    assert scorer.gain_of(shifted).mean == pytest.approx(plain.mean, rel=1e-6)
    assert scorer.gain_of(replace(told("detail"), predicted=np.zeros_like(ACTUAL))).mean <= 1e-9


def test_what_is_fitted_does_not_see_what_is_scored() -> None:
    """Other values in the episodes of one half leave what the other half is centred by alone."""
    scorer = GroundedScorer(WEIGHTS, centred("slot"), SHARD)
    fit = np.arange(EPISODES) % 2 == 0
    changed = ACTUAL.copy()
    changed[~fit] += 100.0
    np.testing.assert_array_equal(scorer._centred(ACTUAL, fit)[fit], scorer._centred(changed, fit)[fit])


def test_attack_a_base_too_weak_to_improve_on_pays_nobody() -> None:
    knows = GroundedScorer(WEIGHTS, centred("episode"), SHARD).score
    assert knows < 0.01
    with pytest.raises(Rejected, match="garbage scores as work does") as caught:
        GroundedScorer(WEIGHTS, centred("episode", least=0.05), SHARD)
    assert caught.value.reason == "weak-base"


def test_todays_recipes_say_nothing_of_it_and_keep_their_bytes() -> None:
    assert b"centre" not in RECIPE.to_bytes() and b"kind" not in RECIPE.to_bytes()
    other = centred("slot-and-episode", least=0.01)
    assert read_recipe(other.to_bytes()) == other and b'"centre":"slot-and-episode"' in other.to_bytes()
    for field, value in (("centre", "frame"), ("kind", "likes")):
        with pytest.raises(Rejected, match=field):
            Score(**{field: value})  # type: ignore[arg-type]
