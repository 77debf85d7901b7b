"""The next-token score: nats a token on sealed texts, and nothing for whoever does not lower them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jepanet.errors import Rejected
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.gain import WORST
from jepanet.learning.evaluation.guards import state_guards
from jepanet.learning.evaluation.metrics import encode, metrics_of
from jepanet.learning.evaluation.next_token import NextTokenScorer
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.evaluation.statistics import ratio_influence
from jepanet.learning.recipe import NEXT_TOKEN_LOSS, Optimiser, Recipe, Score
from jepanet.learning.recipe_loop import Loop
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays
from learning_shards import RECIPE, SEED, pair_shard, scaled
from throwaway.family import Echo

pytestmark = pytest.mark.unit

SITES = (3,) * 24 + (8,) * 16
FAMILY = Echo(pairs=16)
ECHO = Recipe(
    FAMILY,
    "echo",
    score=Score(kind=NEXT_TOKEN_LOSS),
    optimiser=Optimiser(learning_rate=1e-2),
    warm_rate=3e-2,
    warm_steps=60,
    inner_steps=30,
    align_above=180.0,
    loop=Loop(trace=1000),
)
SEALED = pair_shard(2, SITES)


@pytest.fixture(scope="module")
def base() -> Arrays:
    return warm_start(ECHO, pair_shard(1, (0,) * 40), SEED)


@pytest.fixture(scope="module")
def scorer(base: Arrays) -> NextTokenScorer:
    return NextTokenScorer(base, ECHO, SEALED)


@pytest.fixture(scope="module")
def honest(base: Arrays) -> Arrays:
    return train(base, pair_shard(3, (1,) * 40), ECHO, seed=SEED).weights


def test_the_recipe_chooses_the_score(base: Arrays, scorer: NextTokenScorer) -> None:
    found = scorer_of(base, ECHO, SEALED)
    assert isinstance(found, NextTokenScorer) and found.unit == "nats per token"
    assert found.score == scorer.score > 0.05
    with pytest.raises(Rejected, match="family world predicts no tokens") as caught:
        replace(RECIPE, score=Score(kind=NEXT_TOKEN_LOSS))
    assert caught.value.reason == "bad-recipe"


def test_the_base_gains_exactly_nothing(base: Arrays, scorer: NextTokenScorer) -> None:
    gain = scorer.gain(base)
    assert (gain.mean, gain.stderr, gain.micro) == (0.0, 0.0, 0) and gain.score == scorer.score


def test_honest_work_gains_and_a_fourth_of_it_too(
    base: Arrays, honest: Arrays, scorer: NextTokenScorer
) -> None:
    whole = scorer.gain(honest)
    fourth = scorer.gain({name: base[name] + (honest[name] - base[name]) / np.float32(4) for name in base})
    for gain in (whole, fourth):
        assert gain.mean > 3 * gain.stderr > 0
        assert gain.score == pytest.approx(scorer.score + gain.mean)


def test_the_gain_is_nats_saved_over_tokens_and_sites_weigh_alike(
    base: Arrays, honest: Arrays, scorer: NextTokenScorer
) -> None:
    """Against the ratio worked out by hand, and its error against a jackknife over episodes."""
    before, after = (encode(weights, ECHO, SEALED) for weights in (base, honest))
    assert before.nats is not None and after.nats is not None and before.tokens is not None
    saved, tokens, numbers = before.nats - after.nats, before.tokens, np.asarray(SITES)
    assert len(set(tokens.tolist())) > 2, "texts are of several lengths"
    ratios, variance = [], 0.0
    for site in (3, 8):
        here = np.flatnonzero(numbers == site)
        ratios.append(saved[here].sum() / tokens[here].sum())
        left = np.array([saved[np.delete(here, at)].sum() / tokens[np.delete(here, at)].sum()
                         for at in range(len(here))])  # fmt: skip
        variance += (len(here) - 1) / len(here) * np.square(left - left.mean()).sum()
    gain = scorer.gain(honest)
    assert gain.mean == pytest.approx(np.mean(ratios), rel=1e-9)
    assert gain.per_site == {3: pytest.approx(ratios[0]), 8: pytest.approx(ratios[1])}
    assert gain.stderr == pytest.approx(np.sqrt(variance) / 2, rel=0.1)


# ------------------------------------------------------------------ attacks


def test_attack_a_dead_model_is_a_guess_among_all_tokens(base: Arrays, scorer: NextTokenScorer) -> None:
    for factor in (0.0, 0.1):
        gain = scorer.gain(scaled(base, factor))
        assert gain.mean < 0 and gain.score == pytest.approx(scorer.score + gain.mean)
    assert scorer.gain(scaled(base, 0.0)).score == pytest.approx(0.0, abs=1e-6)


def test_attack_dead_latents_beside_good_predictions_are_held_by_the_state_guards(
    base: Arrays, scorer: NextTokenScorer
) -> None:
    """The score does not look at latents: whoever lets them die is told so by what they are."""
    alive = encode(base, ECHO, SEALED)
    for spoiled, reason in ((alive.latents * 0.0, "variance-floor"), (alive.latents * 0.3, "variance-floor")):
        dead = replace(alive, latents=spoiled)
        assert scorer.gain_of(dead).mean == 0.0
        states = [metrics_of(item, SEALED, ECHO) for item in (alive, dead)]
        assert reason in state_guards(states[0], states[1], ECHO.gates)
        assert states[0].probe_r2 is None and "probe_r2" not in states[0].to_json()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_attack_what_is_not_finite_has_no_gain(
    value: float, base: Arrays, honest: Arrays, scorer: NextTokenScorer
) -> None:
    poisoned = {name: array.copy() for name, array in honest.items()}
    poisoned["head.tokens"][1, 1] = value
    cases = [encode(poisoned, ECHO, SEALED)]
    encoded = encode(honest, ECHO, SEALED)
    assert encoded.nats is not None
    nats = encoded.nats.copy()
    nats[5] = value
    cases += [replace(encoded, nats=nats)]
    latents = encoded.latents.copy()
    latents[5, 0, 0] = value
    cases += [replace(encoded, latents=latents)]
    for case in cases:
        with pytest.raises(Rejected) as caught:
            scorer.gain_of(case)
        assert caught.value.reason == "non-finite"
    with pytest.raises(Rejected) as caught:
        NextTokenScorer(poisoned, ECHO, SEALED)
    assert caught.value.reason == "non-finite"


@pytest.mark.parametrize("nats", [1e3, 1e12, 1e100])
def test_attack_a_huge_loss_of_one_text_never_gains(
    nats: float, honest: Arrays, scorer: NextTokenScorer
) -> None:
    encoded = encode(honest, ECHO, SEALED)
    assert encoded.nats is not None
    spoiled = encoded.nats.copy()
    spoiled[7] = nats
    gain = scorer.gain_of(replace(encoded, nats=spoiled))
    assert gain.mean < 0 and gain.mean >= WORST and 0 < gain.stderr <= -WORST


def test_attack_losses_that_overflow_have_no_gain(honest: Arrays, scorer: NextTokenScorer) -> None:
    encoded = encode(honest, ECHO, SEALED)
    for nats in (1e308, 1e300):
        with pytest.raises(Rejected) as caught:
            scorer.gain_of(replace(encoded, nats=np.array([*[1.0] * 38, nats, nats])))
        assert caught.value.reason == "non-finite"


def test_attack_losses_of_fewer_tokens_are_refused(honest: Arrays, scorer: NextTokenScorer) -> None:
    encoded = encode(honest, ECHO, SEALED)
    assert encoded.tokens is not None
    odd = (encoded.tokens - 1, encoded.tokens[:-1], None)
    for tokens in odd:
        with pytest.raises(Rejected) as caught:
            scorer.gain_of(replace(encoded, tokens=tokens))
        assert caught.value.reason == "no-tokens"


def test_attack_a_text_without_a_next_token_is_refused(base: Arrays) -> None:
    """Both texts of one pair have one token: nothing in it is predicted, and nothing could be lost."""
    texts = {name: SEALED.array(name).copy() for name in ("first", "second")}
    for array in texts.values():
        array[4, 1:] = 0
    with pytest.raises(Rejected) as caught:
        NextTokenScorer(base, ECHO, SEALED.with_arrays(**texts))
    assert caught.value.reason == "no-tokens"


def test_attack_a_pair_that_is_there_twice_is_refused(base: Arrays) -> None:
    twice = {name: SEALED.array(name)[[*range(39), 0]] for name in ("first", "second")}
    with pytest.raises(Rejected) as caught:
        NextTokenScorer(base, ECHO, SEALED.with_arrays(**twice))
    assert caught.value.reason == "repeated-episodes"


def test_attack_a_base_that_only_guesses_pays_nobody(base: Arrays) -> None:
    """Against one that is worse than a guess, dead weights would gain."""
    for weak in (scaled(base, 0.0), {**base, "head.tokens": -3.0 * base["head.tokens"]}):
        with pytest.raises(Rejected, match=r"more than 0.001 are wanted of a base") as caught:
            NextTokenScorer(weak, ECHO, SEALED)
        assert caught.value.reason == "weak-base"
    knows = NextTokenScorer(base, ECHO, SEALED).score
    NextTokenScorer(base, replace(ECHO, score=replace(ECHO.score, least=knows - 0.01)), SEALED)
    with pytest.raises(Rejected) as caught:
        NextTokenScorer(base, replace(ECHO, score=replace(ECHO.score, least=knows + 0.01)), SEALED)
    assert caught.value.reason == "weak-base"


def test_too_few_episodes_and_thin_sites_are_refused(base: Arrays) -> None:
    thin = Shard(SEALED.schema, SEALED.arrays, (3,) * 39 + (8,))
    for shard, reason in ((thin, "thin-sites"), (SEALED.chosen(np.arange(40) < 3), "too-few-episodes")):
        with pytest.raises(Rejected) as caught:
            NextTokenScorer(base, ECHO, shard)
        assert caught.value.reason == reason


# ------------------------------------------------------------------ the statistic

_PARTS = st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 50)), min_size=2, max_size=30)


@given(_PARTS, st.floats(0.1, 10), st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_the_mean_of_influences_is_the_ratio(
    parts: list[tuple[float, int]], factor: float, chance: object
) -> None:
    saved, tokens = (np.array(column, np.float64) for column in zip(*parts, strict=True))
    ratio = saved.sum() / tokens.sum()
    influence = ratio_influence(saved, tokens)
    scale = 1e-9 + np.abs(saved).sum()
    assert influence.mean() == pytest.approx(ratio, abs=1e-9 * scale)
    larger = ratio_influence(saved * factor, tokens)
    np.testing.assert_allclose(larger, influence * factor, atol=1e-8 * scale)
    order = np.random.default_rng(len(parts)).permutation(len(parts))
    shuffled = ratio_influence(saved[order], tokens[order])
    np.testing.assert_allclose(shuffled, influence[order], atol=1e-9 * scale)
    np.testing.assert_allclose(ratio_influence(0.25 * tokens, tokens), 0.25, atol=1e-12)
