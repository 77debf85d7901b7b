"""How much a recipe computes, by its sizes alone, and what a node takes upon itself."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from jepanet.errors import Rejected
from jepanet.learning.computing import LOOKED_AT, measuring_operations, most_operations, training_operations
from jepanet.learning.families.image.family import Image
from jepanet.learning.families.image.sizes import ImageModelSizes
from jepanet.learning.presets import PRESETS, preset
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipe_reader import changed
from jepanet.node.documents import LearningDocuments
from jepanet.protocol.documents.spec import AuditRule
from jepanet.roles.documents import PublicShards
from jepanet.roles.steps.preparation import RoundDocuments, check_computing
from jepanet.settings.config import WorkerSection
from learning_shards import image_shard
from round_samples import a_spec

pytestmark = pytest.mark.unit

TINY = preset("tworoom-tiny")


def documents(recipe: Any = TINY, steps: int = 10, evaluated: int = 32) -> RoundDocuments:
    told = LearningDocuments().recipe(recipe.to_bytes())
    spec = a_spec(inner_steps=steps, start_step=0, total_steps=steps)
    return RoundDocuments(spec, told, PublicShards((), None, evaluated))


def checked(limit: float | None, found: RoundDocuments, *, trains: bool, solvers: int = 64) -> None:
    context: Any = SimpleNamespace(operations=limit)
    round_: Any = SimpleNamespace(id=7, params=SimpleNamespace(max_solvers=solvers))
    check_computing(context, round_, found, trains=trains)


def test_operations_grow_with_steps_batches_and_models() -> None:
    one = training_operations(TINY, 1)
    assert training_operations(TINY, 10) == 10 * one
    twice = replace(TINY, loop=replace(TINY.loop, accumulate=2))
    assert training_operations(twice, 1) == 2 * one
    assert measuring_operations(TINY, 64, 3) > 2.9 * measuring_operations(TINY, 64, 1)
    assert measuring_operations(TINY, 64, 1) > 1.9 * measuring_operations(TINY, 32, 1)


@pytest.mark.parametrize("name", [name for name in PRESETS if preset(name).loop.precision == "fp32"])
def test_a_node_trains_every_recipe_made_for_a_cpu(name: str) -> None:
    recipe = preset(name)
    most = most_operations("cpu", 0.0)
    assert training_operations(recipe, max(recipe.inner_steps, recipe.warm_steps)) < most
    checked(most, documents(recipe, recipe.inner_steps), trains=True)
    checked(most, documents(recipe, recipe.inner_steps, evaluated=1000), trains=False)


@pytest.mark.parametrize("name", [name for name in PRESETS if preset(name).loop.precision != "fp32"])
def test_and_a_gpu_every_one_made_for_that(name: str) -> None:
    recipe = preset(name)
    steps = max(recipe.inner_steps, recipe.warm_steps)
    assert training_operations(recipe, steps) < most_operations("cuda:0", 0.0)


def test_attack_a_round_of_steps_without_end_is_left_alone() -> None:
    """The recipe is small; the spec asks for a year of it."""
    found = documents(preset("tworoom-small"), steps=10_000_000)
    with pytest.raises(Rejected, match=r"10,000,000 steps of training") as caught:
        checked(most_operations("cpu", 0.0), found, trains=True)
    remedy = caught.value.remedy or ""
    assert caught.value.reason == "too-much-computing" and "worker.round_tflop" in remedy
    assert "proposer.inner_steps" in remedy and "`model` and batch" in remedy, "what the proposer can change"
    checked(most_operations("cpu", 0.0), found, trains=False)
    checked(None, found, trains=True)


def test_the_look_at_a_base_counts_beside_the_steps() -> None:
    """However many episodes the recipe wants of an evaluation shard."""
    asked = replace(TINY, score=replace(TINY.score, least=0.1, minimum_episodes=10_000))
    steps, look = training_operations(TINY, 1), measuring_operations(TINY, LOOKED_AT, 1)
    checked(steps + look, documents(asked, steps=1), trains=True)
    checked(steps, documents(TINY, steps=1), trains=True)
    with pytest.raises(Rejected, match="1 steps of training and a look at its base") as caught:
        checked(steps + look - 1, documents(asked, steps=1), trains=True)
    assert caught.value.reason == "too-much-computing"


def test_audits_of_as_many_as_are_drawn_count_for_whoever_measures() -> None:
    """Of 10 solvers a quarter, each with first part, last and one more, of parts of 1, 9, 9 and 1 step."""
    found = documents(TINY, steps=20)
    found = replace(found, spec=replace(found.spec, audit=AuditRule(4, 250, 1)))
    models, steps = 12 * measuring_operations(TINY, 32, 1), training_operations(TINY, 3 * 11)
    checked(models + steps, found, trains=False, solvers=10)
    with pytest.raises(Rejected, match="12 models and 33 steps of audits"):
        checked(models + steps - 1, found, trains=False, solvers=10)
    states = replace(found, spec=replace(found.spec, audit=AuditRule(4)))
    checked(models, states, trains=False, solvers=10)
    few = replace(found, spec=replace(found.spec, audit=AuditRule(2, 1000, 9)))  # no more than a training
    checked(models + training_operations(TINY, 10 * 20), few, trains=False, solvers=10)


def test_attack_a_model_that_takes_hours_to_measure_is_left_alone() -> None:
    large = changed(preset("image-small"), "images", 2)
    found = documents(large, steps=1, evaluated=100_000)
    with pytest.raises(Rejected, match="for measuring 66 models"):
        checked(most_operations("cpu", 0.0), found, trains=False)
    checked(most_operations("cpu", 0.0), found, trains=True)
    checked(most_operations("cpu", 1e7), found, trains=False)


def test_attack_a_round_of_more_deltas_than_can_be_measured_in_time_is_left_alone() -> None:
    """A base, a merge and as many deltas as the round takes; without a cap, as many as a sheet holds."""
    found, one = documents(TINY, steps=1, evaluated=32), measuring_operations(TINY, 32, 1)
    for solvers, models in ((1, 3), (64, 66), (0, 1026), (65_535, 1026)):
        checked(models * one, found, trains=False, solvers=solvers)
        with pytest.raises(Rejected, match=f"for measuring {models:,} models") as caught:
            checked(models * one - 1, found, trains=False, solvers=solvers)
        assert caught.value.reason == "too-much-computing"
        assert "proposer.max_solvers" in (caught.value.remedy or "")
        assert "evaluation_episodes" in (caught.value.remedy or "")


@pytest.mark.parametrize("draws", [1, 4, 16])
def test_attack_every_draw_of_masks_over_which_a_score_goes_is_counted(draws: int) -> None:
    """A predictor far larger than its encoder, and sixteen passes of both for each image that is compared."""
    model = ImageModelSizes(
        image=16, patch=4, latent=8, width=8, depth=1, heads=1,
        predictor_width=32, predictor_depth=4, predictor_heads=1,
    )  # fmt: skip
    recipe = Recipe(Image(model=model, images=4, draws=draws), "drawn", inner_steps=1, warm_steps=0)
    shard = image_shard(1, side=16)
    network = recipe.family.network(recipe.family.initial_weights(bytes(32)))
    with FlopCounterMode(display=False) as counter:
        network.compare(shard)
    done, said = counter.get_total_flops(), measuring_operations(recipe, shard.episodes, 1)
    assert 0 < done <= said <= 4 * done


@pytest.mark.parametrize(("device", "a_second"), [("cpu", 2e10), ("cuda:0", 1e14)])
def test_what_a_node_takes_upon_itself_fits_into_the_time_of_a_job(device: str, a_second: float) -> None:
    assert most_operations(device, 0.0) / a_second < WorkerSection().job_timeout_seconds
