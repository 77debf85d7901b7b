"""The grounded score: no gain for nothing, none for collapse, none lost by a change of coordinates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.evaluation.gain import WORST, Gain
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.metrics import heldout_metrics
from jepanet.learning.evaluation.statistics import halves
from jepanet.learning.families.world.model import one_step_ahead
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays
from learning_shards import OTHER, RECIPE, SEED, changed, constant_encoder, disc_shard, initial, scaled

pytestmark = pytest.mark.unit

SITES = (3, 3, 3, 3, 3, 3, 8, 8, 8, 8)


@pytest.fixture(scope="module")
def base() -> Arrays:
    return warm_start(RECIPE, disc_shard(1, (0,) * 24, 12), SEED)


@pytest.fixture(scope="module")
def scorer(base: Arrays) -> GroundedScorer:
    return GroundedScorer(base, RECIPE, disc_shard(2, SITES, 14))


def recoded(weights: Arrays, matrix: np.ndarray) -> Arrays:
    """The same model with latents z -> matrix z: only the coordinates differ."""
    size = len(matrix)
    undo = np.linalg.inv(matrix)
    copy = {name: array.astype(np.float64) for name, array in weights.items()}
    for layer in ("encoder.head", "predictor.leave"):
        copy[f"{layer}.weight"] = matrix @ copy[f"{layer}.weight"]
        copy[f"{layer}.bias"] = matrix @ copy[f"{layer}.bias"]
    enter = copy["predictor.enter.weight"]
    for first in (0, size):
        enter[:, first : first + size] = enter[:, first : first + size] @ undo
    return {name: np.ascontiguousarray(array, np.float32) for name, array in copy.items()}


def test_the_base_gains_exactly_nothing(base: Arrays, scorer: GroundedScorer) -> None:
    gain = scorer.gain(base)
    assert (gain.mean, gain.stderr, gain.micro, gain.stderr_micro) == (0.0, 0.0, 0, 0)
    assert gain.score == scorer.score
    assert gain.per_site == {3: 0.0, 8: 0.0}


def test_a_trained_base_has_something_to_lose(scorer: GroundedScorer) -> None:
    assert scorer.directions >= 3
    assert scorer.score > 0.1


def test_the_same_candidate_gains_the_same(base: Arrays, scorer: GroundedScorer) -> None:
    candidate = changed(base, predictor_leave=0.7)
    again = GroundedScorer(base, RECIPE, disc_shard(2, SITES, 14))
    assert scorer.gain(candidate) == again.gain(candidate)


def test_honest_work_is_a_gain_and_its_reverse_a_harm() -> None:
    """A quarter of one round's change, as in a merge of four, on other episodes than it was trained on."""
    young = warm_start(RECIPE, disc_shard(1, (0,) * 24, 12), SEED, steps=100)
    scorer = GroundedScorer(young, RECIPE, disc_shard(2, SITES, 14))
    quick = replace(RECIPE, optimiser=replace(RECIPE.optimiser, learning_rate=5e-3))
    after = train(young, disc_shard(4, (0,) * 24, 12), quick, seed=SEED, steps=60).weights

    def moved(share: float) -> Gain:
        return scorer.gain(
            {name: young[name] + np.float32(share) * (after[name] - young[name]) for name in young}
        )

    forward, backward = moved(0.25), moved(-0.25)
    assert forward.mean > forward.stderr > 0
    assert forward.micro == round(forward.mean * 1_000_000)
    assert backward.mean + backward.stderr < 0
    assert list(forward.per_site) == [3, 8]
    assert forward.mean == pytest.approx(np.mean(list(forward.per_site.values())))
    assert 0 < forward.mean <= forward.score - scorer.score + 1e-9, "as good as the mean earns nothing yet"


@pytest.mark.parametrize("kind", ["zero", "constant", "deaf head", "large", "untrained"])
def test_a_model_that_sees_less_is_never_rewarded(kind: str, base: Arrays, scorer: GroundedScorer) -> None:
    candidate = {
        "zero": scaled(base, 0.0),
        "constant": constant_encoder(base),
        "deaf head": changed(base, encoder_head=0.0),
        "large": scaled(base, 1e3),
        "untrained": initial(OTHER),
    }[kind]
    gain = scorer.gain(candidate)
    assert WORST <= gain.mean < 0
    assert all(value < 0 for value in gain.per_site.values())
    assert gain.mean + 2 * gain.stderr < 0, "the harm is significant"


def test_dead_latents_score_like_a_guess_of_the_mean(base: Arrays, scorer: GroundedScorer) -> None:
    gain = scorer.gain(scaled(base, 0.0))
    assert gain.score == pytest.approx(0.0, abs=1e-9)
    assert gain.mean == pytest.approx(-scorer.score, rel=1e-6)


def test_weights_with_nan_are_refused(base: Arrays, scorer: GroundedScorer) -> None:
    spoiled = changed(base)
    spoiled["encoder.head.weight"][0, 0] = np.nan
    with pytest.raises(Rejected) as caught:
        scorer.gain(spoiled)
    assert caught.value.reason == "non-finite"


def test_finite_weights_whose_latents_overflow_have_no_gain(base: Arrays, scorer: GroundedScorer) -> None:
    with pytest.raises(Rejected) as caught:
        scorer.gain(scaled(base, 1e20))
    assert caught.value.reason == "non-finite"


@pytest.mark.parametrize("name", ["latents", "actual", "predicted", "unchanged", "nats", "told"])
def test_attack_nothing_that_metrics_read_may_be_infinite(name: str) -> None:
    """Such a metric has no whole millionths: it would end the job, and with it the round for everybody."""
    whole = replace(
        one_step_ahead(np.zeros((4, 5, 6)), np.zeros((4, 3, 6))), nats=np.ones(4), told=np.ones(4)
    )
    spoiled = getattr(whole, name).copy()
    spoiled.flat[1] = np.inf
    assert whole.finite and not replace(whole, **{name: spoiled}).finite


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_latent_that_is_not_finite_is_enough(scorer: GroundedScorer, value: float) -> None:
    latents, guesses = np.zeros((10, 14, 6)), np.zeros((10, 12, 6))
    guesses[4, 2, 1] = value
    with pytest.raises(Rejected) as caught:
        scorer.gain_of(one_step_ahead(latents, guesses))
    assert caught.value.reason == "non-finite"


@pytest.mark.parametrize("kind", ["larger", "smaller", "rotated", "sheared"])
def test_other_coordinates_change_no_gain(kind: str, base: Arrays, scorer: GroundedScorer) -> None:
    size = RECIPE.family.sizes.latent
    generator = np.random.default_rng(0)
    matrix = {
        "larger": 8 * np.eye(size),
        "smaller": np.eye(size) / 8,
        "rotated": np.linalg.qr(generator.standard_normal((size, size)))[0],
        "sheared": np.eye(size) + 0.2 * generator.uniform(-1, 1, (size, size)),
    }[kind]
    candidate = recoded(base, matrix)
    moved = max(np.abs(candidate[name] - base[name]).max() for name in base)
    assert moved > 0.05, "the weights themselves differ"
    tolerance = 0.01 if kind == "sheared" else 1e-4
    assert abs(scorer.gain(candidate).mean) < tolerance * scorer.score + 1e-9


def test_a_static_offset_of_the_latents_earns_nothing(base: Arrays, scorer: GroundedScorer) -> None:
    """Centring within episodes removes what does not move, in the target and in the guess alike."""
    latents = np.zeros((10, 14, 6))
    still = np.repeat(np.random.default_rng(0).standard_normal((10, 1, 6)), 12, axis=1)
    assert scorer.gain_of(one_step_ahead(latents, still)).score == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["zero", "constant"])
def test_collapse_gains_nothing_over_a_base_that_is_worse_than_the_mean(kind: str) -> None:
    """An untrained base predicts worse than the mean in some directions; dead latents predict the mean."""
    weak = initial(OTHER)
    scorer = GroundedScorer(weak, RECIPE, disc_shard(2, SITES, 14))
    dead = {name: np.zeros_like(array) for name, array in weak.items()}
    assert scorer.gain(weak).mean == 0.0
    gain = scorer.gain(dead if kind == "zero" else constant_encoder(weak))
    assert gain.mean <= gain.stderr, "one standard error is taken off before anything is paid"
    assert kind == "constant" or gain.mean <= 0.0


@pytest.mark.parametrize("kind", ["zero", "constant"])
def test_a_dead_base_measures_nothing(base: Arrays, kind: str) -> None:
    dead = scaled(base, 0.0) if kind == "zero" else constant_encoder(base)
    with pytest.raises(Rejected) as caught:
        GroundedScorer(dead, RECIPE, disc_shard(2, SITES, 14))
    assert caught.value.reason == "dead-base"


@pytest.mark.parametrize("sites", [(3, 8, 9, 10), (3, 3, 3, 8), (8, 3, 3, 3, 3, 3)])
def test_a_site_with_one_episode_cannot_be_scored(base: Arrays, sites: tuple[int, ...]) -> None:
    """Cross-fitting had nothing to fit there: every candidate, noise included, gained 0 with error 0."""
    with pytest.raises(Rejected, match="one episode") as caught:
        GroundedScorer(base, RECIPE, disc_shard(2, sites, 14))
    assert caught.value.reason == "thin-sites"
    with pytest.raises(Rejected) as caught:
        heldout_metrics(base, RECIPE, disc_shard(2, sites, 14))
    assert caught.value.reason == "thin-sites"


def test_two_episodes_of_a_site_can_be_scored(base: Arrays) -> None:
    noise = {name: array + np.float32(0.05) * initial(OTHER)[name] for name, array in base.items()}
    gain = GroundedScorer(base, RECIPE, disc_shard(2, (3, 3, 8, 8), 14)).gain(noise)
    assert gain.mean != 0.0 and gain.stderr > 0.0


def test_an_episode_in_both_halves_is_refused(base: Arrays) -> None:
    shard = disc_shard(2, SITES, 14)
    frames = shard.frames.copy()
    frames[1] = frames[0]
    with pytest.raises(Rejected, match="episodes 0 and 1") as caught:
        GroundedScorer(base, RECIPE, shard.with_arrays(frames=frames))
    assert caught.value.reason == "repeated-episodes"


@pytest.mark.parametrize("half", [0, 1])
def test_a_half_of_a_site_in_which_nothing_moves_is_refused(base: Arrays, half: int) -> None:
    shard = disc_shard(2, SITES, 14)
    frames = shard.frames.copy()
    for index in np.flatnonzero((np.asarray(SITES) == 8) & (halves(SITES) == half)):
        frames[index] = frames[index, :1]
    with pytest.raises(Rejected, match="site 8") as caught:
        GroundedScorer(base, RECIPE, shard.with_arrays(frames=frames))
    assert caught.value.reason == "static-episodes"


def test_a_base_that_overflows_is_refused(base: Arrays) -> None:
    with pytest.raises(Rejected) as caught:
        GroundedScorer(scaled(base, 1e20), RECIPE, disc_shard(2, SITES, 14))
    assert caught.value.reason == "non-finite"


def test_too_few_episodes_are_refused(base: Arrays) -> None:
    few = replace(RECIPE, score=replace(RECIPE.score, minimum_episodes=11))
    with pytest.raises(Rejected) as caught:
        GroundedScorer(base, few, disc_shard(2, SITES, 14))
    assert caught.value.reason == "too-few-episodes"


def test_micro_nats_never_overstate_certainty() -> None:
    gain = Gain(0.1234567, 0.0000011, 0.0, {})
    assert (gain.micro, gain.stderr_micro) == (123457, 2)
