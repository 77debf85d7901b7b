"""Open-loop prediction has known answers for models that see nothing, stand still, or blow up."""

from __future__ import annotations

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.evaluation.metrics import encode, heldout_metrics
from jepanet.learning.evaluation.statistics import floored_ratio, total_variance
from jepanet.learning.planning.rollout import rollout_nmse
from jepanet.learning.training.loop import warm_start
from jepanet.tensors import Arrays
from learning_shards import RECIPE, SEED, changed, constant_encoder, disc_shard, initial, scaled

pytestmark = pytest.mark.unit

SHARD = disc_shard(5, frames=14)
WEIGHTS = initial(SEED)


def still(weights: Arrays) -> Arrays:
    """The predictor guesses that nothing changes."""
    return changed(weights, predictor_leave=0.0)


def test_one_step_ahead_is_the_one_step_metric() -> None:
    metrics = heldout_metrics(WEIGHTS, RECIPE, SHARD)
    assert rollout_nmse(WEIGHTS, RECIPE, SHARD, steps=1)[0] == pytest.approx(metrics.nmse, rel=1e-5)


def test_who_guesses_that_nothing_changes_errs_by_what_changed() -> None:
    weights = still(WEIGHTS)
    latents = encode(weights, RECIPE, SHARD).latents
    found = rollout_nmse(weights, RECIPE, SHARD, steps=8)
    starts = SHARD.length - 9
    for ahead in range(1, 9):
        change = latents[:, 1 + ahead : 1 + ahead + starts] - latents[:, 1 : 1 + starts]
        expected = floored_ratio(float((change**2).mean()), total_variance(latents))
        assert found[ahead - 1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "dead", [scaled(WEIGHTS, 0.0), still(constant_encoder(WEIGHTS))], ids=["zero", "constant"]
)
def test_a_model_that_sees_nothing_has_an_error_of_one_and_not_of_zero(dead: Arrays) -> None:
    assert rollout_nmse(dead, RECIPE, SHARD) == (1.0,) * 8


def test_a_constant_code_with_a_lively_predictor_is_far_above_one() -> None:
    assert min(rollout_nmse(constant_encoder(WEIGHTS), RECIPE, SHARD)) > 1.0


def test_training_helps_at_every_horizon_and_the_future_blurs() -> None:
    trained = warm_start(RECIPE, disc_shard(1, (0,) * 24), SEED)
    found, idle = rollout_nmse(trained, RECIPE, SHARD), rollout_nmse(still(trained), RECIPE, SHARD)
    assert all(ours < theirs for ours, theirs in zip(found, idle, strict=True))
    assert found[0] < found[3] < found[7]


def test_the_real_actions_are_what_it_follows() -> None:
    trained = warm_start(RECIPE, disc_shard(1, (0,) * 24), SEED)
    shuffled = SHARD.with_arrays(actions=np.ascontiguousarray(SHARD.actions[::-1]))
    late = SHARD.with_arrays(actions=np.roll(SHARD.actions, 1, axis=1).copy())
    right = rollout_nmse(trained, RECIPE, SHARD)
    for wrong in (shuffled, late):
        found = rollout_nmse(trained, RECIPE, wrong)
        assert all(ours < theirs for ours, theirs in zip(right, found, strict=True))


def test_an_imagination_that_blows_up_is_refused() -> None:
    with pytest.raises(Rejected) as refused:
        rollout_nmse(changed(WEIGHTS, predictor_leave=1e12), RECIPE, SHARD)
    assert refused.value.reason == "non-finite"


@pytest.mark.parametrize("steps", [0, 13])
def test_episodes_too_short_for_the_horizon_are_refused(steps: int) -> None:
    with pytest.raises(Rejected) as refused:
        rollout_nmse(WEIGHTS, RECIPE, SHARD, steps=steps)
    assert refused.value.reason == "shard-mismatch"
    assert len(rollout_nmse(WEIGHTS, RECIPE, SHARD, steps=12)) == 12
