"""The language model: conformance, what it reads of a text, and which texts it holds apart."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from family_conformance import Case
from torch.nn import functional

from jepanet.errors import Rejected
from jepanet.learning.evaluation.metrics import metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.families.language.family import Language
from jepanet.learning.families.language.model import LanguageModel, load_language_model
from jepanet.learning.families.language.sizes import LanguageModelSizes
from jepanet.learning.family import NEXT_TOKEN
from jepanet.learning.recipe import NEXT_TOKEN_LOSS, Recipe, Score
from jepanet.learning.recipe_reader import changed
from jepanet.learning.seeding import torch_generator
from jepanet.learning.text_pairs import model as model_module
from jepanet.learning.text_pairs.batches import twins
from jepanet.learning.text_pairs.model import predicted
from jepanet.learning.text_pairs.objective import match_nats
from jepanet.learning.text_pairs.telling import Together, told_at_best
from jepanet.learning.training.loop import train, warm_start
from jepanet.tensors import Arrays
from learning_shards import SEED, pair_shard

pytestmark = pytest.mark.unit

SIZES = LanguageModelSizes(vocabulary=24, context=8, latent=6, width=16, depth=2, heads=2)
LANGUAGE = Language(model=SIZES, pairs=6)
CASE = Case(
    kind=Language,
    family=LANGUAGE,
    shard=pair_shard(7, (0,) * 24),
    strange=pair_shard(7, vocabulary=30),
    score=Score(kind=NEXT_TOKEN_LOSS, match=0.4),
)


def network(**changes: object) -> LanguageModel:
    family = replace(LANGUAGE, **changes)  # type: ignore[arg-type]
    return load_language_model(family, family.initial_weights(SEED))


def test_a_text_costs_the_same_however_much_padding_follows_it() -> None:
    texts = torch.tensor([[3, 5, 7]])
    (nats, latents), (padded, others) = (
        network().read(item) for item in (texts, functional.pad(texts, (0, 4)))
    )
    assert torch.allclose(nats, padded, rtol=1e-6) and torch.allclose(latents, others, atol=1e-6)


def test_every_token_and_the_border_behind_them_are_predicted() -> None:
    model, texts = network(), torch.tensor([[3, 5, 0], [4, 0, 0]])
    states = model.encoder(texts)
    assert predicted(texts).tolist() == [3, 2]
    for row, wanted in enumerate(([3, 5, 0], [4, 0])):
        scores = model.scores(states[row, : len(wanted)]).log_softmax(dim=-1)
        lost = -sum(scores[place, token] for place, token in enumerate(wanted))
        assert torch.isclose(model.read(texts)[0][row], torch.as_tensor(lost), rtol=1e-5)


def test_no_token_is_told_by_those_behind_it() -> None:
    model = network()
    one, other = (model.encoder(torch.tensor([[3, 5, last]])) for last in (7, 8))
    assert torch.equal(one[:, :3], other[:, :3]) and not torch.equal(one[:, 3], other[:, 3])


def test_random_weights_guess_among_all_tokens() -> None:
    batch = next(LANGUAGE.batches(CASE.shard, SEED))
    parts = network().loss(batch, torch_generator(SEED, "loss")).parts
    assert abs(float(parts[NEXT_TOKEN].detach()) - log(SIZES.vocabulary)) < 0.1
    assert float(parts["match"].detach()) > 0.1


def test_what_an_episode_costs_adds_up_to_the_loss() -> None:
    model = network(pairs=CASE.shard.episodes)
    batch = next(replace(LANGUAGE, pairs=CASE.shard.episodes).batches(CASE.shard, SEED))
    compared = model.compare(CASE.shard)
    assert compared.nats is not None and compared.tokens is not None
    found = float(model.loss(batch, torch_generator(SEED, "loss")).parts[NEXT_TOKEN].detach())
    assert compared.nats.sum() / compared.tokens.sum() == pytest.approx(found, rel=1e-5)


def test_a_pair_that_shares_a_text_is_no_wrong_answer() -> None:
    first, second = torch.tensor([[1, 2], [3, 0], [3, 0]]), torch.tensor([[4], [4], [5]])
    found = twins(first, second)
    assert found.tolist() == [[False, True, False], [True, False, True], [False, True, False]]
    latents = functional.normalize(torch.randn(3, 4, generator=torch_generator(SEED, "latents")), dim=-1)
    left_out = match_nats(latents, latents, found, 1.0)
    assert (left_out < match_nats(latents, latents, torch.zeros_like(found), 1.0)).all()
    assert left_out[1] == 0.0, "it has no other pair to be told from"


def test_weights_without_a_difference_between_texts_match_by_chance() -> None:
    same = torch.ones(8, 4) / 2
    found = match_nats(same, same, torch.zeros(8, 8, dtype=torch.bool), 0.1)
    assert found.numpy() == pytest.approx(np.full(8, log(8)), rel=1e-6)


def test_the_projection_is_not_trained() -> None:
    recipe = CASE.recipe(score=Score(), inner_steps=3)
    before = LANGUAGE.initial_weights(SEED)
    after = train(before, CASE.shard, recipe, seed=SEED).weights
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == set(before) - {"projection.weight"}


def test_a_text_outside_the_vocabulary_is_refused() -> None:
    small = replace(LANGUAGE, model=replace(SIZES, context=4))
    with pytest.raises(Rejected, match="texts of up to 6 tokens") as caught:
        small.check_shard(CASE.shard)
    assert caught.value.reason == "shard-mismatch"


def test_texts_are_told_apart_as_the_loss_has_it() -> None:
    """Of a shard that is one batch: at the loss's temperature as much as its part, less a guess among all,
    and at the best no less."""
    some = CASE.shard.chosen(np.arange(CASE.shard.episodes) < 12)
    model = network(pairs=12)
    batch = next(replace(LANGUAGE, pairs=12).batches(some, SEED))
    assert not batch.tensors["twins"].any()
    told = model.compare(some).told
    found = float(model.loss(batch, torch_generator(SEED, "loss")).parts["match"].detach())
    with torch.no_grad():
        (_, first), (_, second) = (model.read(batch.tensors[name]) for name in ("first", "second"))
    there = Together(first.double(), second.double(), batch.tensors["twins"])
    at_loss = there.told(LANGUAGE.objective.temperature).mean()
    assert at_loss == pytest.approx(log(12) - found, abs=1e-4)
    assert told is not None and told.mean() == pytest.approx(told_at_best([there])[0].mean(), abs=1e-5)
    assert told.mean() >= at_loss


def test_weights_that_tell_nothing_of_a_text_tell_nothing_apart() -> None:
    dead = {name: np.zeros_like(array) for name, array in LANGUAGE.initial_weights(SEED).items()}
    told = load_language_model(LANGUAGE, dead).compare(CASE.shard).told
    assert told is not None and np.abs(told).max() < 1e-12


def test_what_is_told_of_texts_counts_beside_the_next_token() -> None:
    recipe, weights = CASE.recipe(), LANGUAGE.initial_weights(SEED)
    trained = train(weights, CASE.shard, recipe, seed=SEED).weights
    both, alone = (
        scorer_of(trained, CASE.recipe(score=score), CASE.shard)
        for score in (CASE.score, replace(CASE.score, match=0.0))
    )
    encoded = load_language_model(LANGUAGE, trained).compare(CASE.shard)
    assert encoded.told is not None
    better = replace(encoded, told=encoded.told + 0.5)
    assert both.gain_of(encoded).mean == 0.0 == alone.gain_of(better).mean
    assert both.gain_of(better).mean == pytest.approx(0.4 * 0.5)
    assert both.score - alone.score == pytest.approx(0.4 * encoded.told.mean())
    assert both.gain_of(better).score - both.gain_of(better).mean == pytest.approx(both.score)
    for odd in (None, encoded.told[:3]):
        with pytest.raises(Rejected) as caught:
            both.gain_of(replace(encoded, told=odd))
        assert caught.value.reason == "nothing-told"


def test_matching_is_a_part_of_the_next_token_score_alone() -> None:
    with pytest.raises(Rejected, match=r"score\.match"):
        CASE.recipe(score=Score(match=0.4))


def test_latents_are_compared_in_float32_whatever_networks_multiply_in() -> None:
    drawn = torch.randn(2, 8, 4, generator=torch_generator(SEED, "latents"))
    first, second = functional.normalize(drawn, dim=-1)
    none = torch.zeros(8, 8, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        found = match_nats(first, second, none, 0.1)
    assert torch.equal(found, match_nats(first, second, none, 0.1))


def test_metrics_tell_what_tokens_cost_and_what_is_told() -> None:
    encoded = network().compare(CASE.shard)
    assert encoded.nats is not None and encoded.tokens is not None and encoded.told is not None
    found = metrics_of(encoded, CASE.shard, CASE.recipe()).to_json()
    assert found["next_token"] == pytest.approx(encoded.nats.sum() / encoded.tokens.sum())
    assert found["told"] == pytest.approx(encoded.told.mean()) and "probe_r2" not in found


def test_dropping_the_match_term_earns_less_though_it_gains_more_of_the_next_token() -> None:
    """The recipe's score is what makes the whole objective worth its steps."""
    pairs, sizes = pair_shard(1, (0,) * 400), replace(SIZES, vocabulary=80)
    place = np.arange(400)
    public, own, sealed = (pairs.chosen(place // 150 == part) for part in range(3))
    family = replace(LANGUAGE, model=sizes, pairs=16)
    recipe = replace(CASE, family=family).recipe()
    base = warm_start(recipe, public, SEED, steps=60)
    both = scorer_of(base, recipe, sealed)
    alone = scorer_of(base, replace(recipe, score=replace(CASE.score, match=0.0)), sealed)

    def contribution(by: Recipe) -> Arrays:
        trained = train(base, own, by, seed=SEED, steps=40).weights
        return {name: base[name] + (trained[name] - base[name]) / 4 for name in base}

    honest = contribution(recipe)
    dropped = contribution(changed(recipe, "objective.match", 0.0))
    assert alone.gain(dropped).mean > alone.gain(honest).mean > 5 * alone.gain(honest).stderr
    assert both.gain(honest).mean > 5 * both.gain(honest).stderr
    assert both.gain(dropped).mean < both.gain(honest).mean / 2


def test_attack_long_texts_of_many_tokens_are_compared_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing but 64 texts at once bounded their scores: 32 GiB by a recipe of a tiny model."""
    model, sizes, read = network(), [], LanguageModel.read
    whole = model.compare(CASE.shard)

    def counted(self: LanguageModel, texts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(texts) * (texts.shape[1] + 1) * SIZES.vocabulary)
        return read(self, texts)

    monkeypatch.setattr(LanguageModel, "read", counted)
    monkeypatch.setattr(model_module, "_SCORES", 1000)
    parts = model.compare(CASE.shard)
    assert max(sizes) <= 1000
    for name in ("latents", "nats", "told"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5)


def test_attack_long_texts_of_a_large_batch_are_not_held_against_each_other_by_token() -> None:
    """Pairs x pairs x tokens: 34 GB of what a recipe may ask for, and in no estimate."""
    texts = torch.arange(300).unsqueeze(1).expand(-1, 100).contiguous()
    with torch.profiler.profile(profile_memory=True) as profile:
        found = twins(texts, texts)
    most = max(event.cpu_memory_usage for event in profile.events())
    assert most < 4 << 20 and not found.any()
