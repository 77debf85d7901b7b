"""The vision-language model as a family: its case of the conformance suite, and what only it promises.

`test_learning_families.py` runs the suite on `CASE`.
"""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from family_conformance import Case
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from jepanet.errors import Rejected
from jepanet.learning.evaluation.metrics import metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.families.vision_language import model as model_module
from jepanet.learning.families.vision_language.batches import kinds_of
from jepanet.learning.families.vision_language.family import VisionLanguage
from jepanet.learning.families.vision_language.model import VisionLanguageModel, load_vision_language_model
from jepanet.learning.families.vision_language.objective import match_nats
from jepanet.learning.families.vision_language.sizes import VisionLanguageModelSizes
from jepanet.learning.recipe import Score
from jepanet.learning.seeding import torch_generator
from learning_shards import SEED, question_shard

pytestmark = pytest.mark.unit

SMALL = VisionLanguage(
    model=VisionLanguageModelSizes(
        image=16, patch=8, vocabulary=24, query=5, answer=3, latent=6, width=16, depth=1, heads=2,
        text_width=8, text_depth=1, text_heads=2, predictor_width=16, predictor_depth=2, predictor_heads=2,
    ),
    questions=2,
    scenes=6,
)  # fmt: skip
CASE = Case(
    kind=VisionLanguage,
    family=SMALL,
    shard=question_shard(7, (0,) * 24, side=16),
    strange=question_shard(7, side=8),
    score=Score(centre="slot", ridge=1e-2),
)


def network() -> VisionLanguageModel:
    return load_vision_language_model(SMALL, SMALL.initial_weights(SEED))


def test_a_text_means_the_same_however_much_padding_follows_it() -> None:
    model, answers = network(), torch.tensor([[[7, 0], [9, 11]]])
    texts, questions = model.encoder["texts"], torch.tensor([[[1, 2, 0], [3, 4, 5]]])
    assert torch.allclose(texts(answers), texts(functional.pad(answers, (0, 1))), atol=1e-6)
    pictures = torch.randn(1, 4, 16, generator=torch_generator(SEED, "tokens"))
    found = [model.predictor(pictures, functional.pad(questions, (0, more))) for more in (0, 2)]
    assert torch.allclose(*found, atol=1e-6)


def test_no_question_hears_of_another_one() -> None:
    model = network()
    pictures = torch.randn(1, 4, 16, generator=torch_generator(SEED, "tokens"))
    one, other = (model.predictor(pictures, torch.tensor([[[1, 2], [3, last]]])) for last in (4, 5))
    assert torch.allclose(one[:, 0], other[:, 0], atol=1e-6)
    assert not torch.allclose(one[:, 1], other[:, 1], atol=1e-3)


def test_the_answer_follows_from_picture_and_question() -> None:
    model, compared = network(), network().compare
    plain = compared(CASE.shard).predicted
    blank = compared(CASE.shard.with_arrays(images=np.zeros_like(CASE.shard.array("images")))).predicted
    turned = compared(CASE.shard.with_arrays(queries=CASE.shard.array("queries")[:, ::-1].copy())).predicted
    assert np.abs(plain - blank).max() > 1e-3 and np.abs(plain - turned).max() > 1e-3
    assert np.allclose(plain, turned[:, ::-1], atol=1e-4), "a question is the same in every place"
    assert model.sizes == SMALL


def test_equal_answers_are_right_together() -> None:
    kinds = kinds_of(torch.tensor([[[4, 0], [5, 6]], [[5, 6], [4, 0]]]))
    assert kinds.flatten().tolist() in ([0, 1, 1, 0], [1, 0, 0, 1])
    answers = functional.normalize(torch.randn(2, 4, generator=torch_generator(SEED, "answers")), dim=-1)
    some = answers[[0, 1, 1, 0]]
    perfect = match_nats(some, some, kinds.flatten(), 0.01)
    assert perfect.max() < 1e-3, "an answer is not told from itself"
    assert match_nats(some, some, torch.arange(4), 0.01).min() > 0.6


def test_embeddings_without_a_difference_match_by_chance() -> None:
    same = torch.ones(8, 4) / 2
    assert match_nats(same, same, torch.arange(8), 0.1).numpy() == pytest.approx(np.full(8, log(8)), rel=1e-5)


def test_predictions_are_held_to_the_answers_of_the_base() -> None:
    base, moved = SMALL.initial_weights(SEED), SMALL.initial_weights(SEED[::-1])
    batch = next(SMALL.batches(CASE.shard, SEED))

    def parts(weight: float, held: bool) -> dict[str, float]:
        family = replace(SMALL, objective=replace(SMALL.objective, base=weight))
        terms = family.network(moved, base=base if held else None).loss(batch, torch_generator(SEED, "loss"))
        return {"loss": float(terms.loss.detach()), **{k: float(v.detach()) for k, v in terms.parts.items()}}

    found = parts(0.5, True)
    assert found["loss"] == pytest.approx(found["match"] + 0.5 * found["base"], rel=1e-6)
    assert 0.0 < found["base"] < 4.0, "squared distance of vectors of length one"
    assert parts(0.5, False) == {"loss": found["match"], "match": found["match"]}


def test_the_base_is_no_part_of_the_weights() -> None:
    weights = SMALL.initial_weights(SEED)
    model = load_vision_language_model(SMALL, weights, base=SMALL.initial_weights(SEED[::-1]))
    assert {name for name, _ in model.named_parameters()} == set(weights)
    assert all(array.tobytes() == weights[name].tobytes() for name, array in model.weights().items())


def test_guards_look_at_every_different_answer_once() -> None:
    encoded = network().compare(CASE.shard)
    different = np.unique(CASE.shard.array("answers").reshape(-1, 2), axis=0)
    assert encoded.latents.shape == (len(different), 1, 6)
    assert np.square(encoded.latents).sum(axis=-1) == pytest.approx(np.full((len(different), 1), 6.0))
    often = CASE.shard.chosen(np.arange(24) % 3 > 0)
    assert len(network().compare(often).latents) <= len(different)
    assert metrics_of(encoded, CASE.shard, CASE.recipe()).variance <= 1.0


def test_attack_embeddings_without_length_or_direction_gain_nothing() -> None:
    """Scaled down they are the same; all in one direction the guards see it, and the score never pays it."""
    weights, recipe = SMALL.initial_weights(SEED), CASE.recipe()
    scorer = scorer_of(weights, recipe, CASE.shard)
    small = {name: array * np.float32(0.1 if ".head." in name else 1) for name, array in weights.items()}
    assert abs(scorer.gain(small).mean) < 1e-5
    away = {
        name: array + np.float32(30 if name.endswith("head.bias") else 0) for name, array in weights.items()
    }
    compared = recipe.family.network(away).compare(CASE.shard)
    assert metrics_of(compared, CASE.shard, recipe).variance < 0.05


def test_a_shard_outside_the_recipe_is_refused() -> None:
    for change, says in (
        ({"vocabulary": 12}, "a vocabulary of 12"),
        ({"query": 3}, "questions of 4"),
        ({"answer": 1}, "answers of 2 tokens"),
    ):
        with pytest.raises(Rejected, match=says) as caught:
            replace(SMALL, model=replace(SMALL.model, **change)).check_shard(CASE.shard)
        assert caught.value.reason == "shard-mismatch"
    with pytest.raises(Rejected, match="2 questions about each"):
        replace(SMALL, questions=3).check_shard(CASE.shard)


@pytest.mark.parametrize("change", [{"patch": 5}, {"patch": 16}, {"text_width": 10}, {"predictor_heads": 3}])
def test_widths_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(Rejected) as caught:
        replace(SMALL.model, **change)
    assert caught.value.reason == "bad-recipe" and next(iter(change)) in caught.value.message


def test_attack_texts_are_no_way_around_the_cap_on_pictures() -> None:
    with pytest.raises(Rejected, match=r"model\.query tokens are 2560 tokens a picture") as caught:
        replace(SMALL, questions=5, model=replace(SMALL.model, query=512))
    assert caught.value.reason == "bad-recipe"
    with pytest.raises(Rejected, match=r"model\.answer tokens"):
        replace(SMALL, questions=64, model=replace(SMALL.model, answer=64))


def test_attack_large_scenes_are_compared_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, guess = network(), VisionLanguageModel._guessed
    whole, seen = model.compare(CASE.shard), list[int]()

    def counted(self: VisionLanguageModel, given: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.append(len(given["images"]))
        return guess(self, given)

    monkeypatch.setattr(VisionLanguageModel, "_guessed", counted)
    monkeypatch.setattr(model_module, "_NUMBERS", 10 * 2 * 5 * (8 * 16 + 2 * (4 + 5)))
    parts = model.compare(CASE.shard)
    assert seen == [10, 10, 4]
    for name in ("latents", "actual", "predicted", "unchanged"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5)


def test_what_is_computed_is_counted() -> None:
    """From above, and not by much: held against torch's own counter, of texts as long as they may be."""
    family = replace(SMALL, model=replace(SMALL.model, query=4, answer=2, depth=2, patch=4))
    model, batch = (
        load_vision_language_model(family, family.initial_weights(SEED)),
        next(family.batches(CASE.shard, SEED)),
    )
    with FlopCounterMode(display=False) as counter:
        model.loss(batch, torch_generator(SEED, "loss"))
    assert 1.0 <= family.multiplications() / (counter.get_total_flops() / 2) < 1.25
