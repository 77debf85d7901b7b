"""The laboratory plays arms by the rules of the network: one sign of the outer step, one seed for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jepanet.errors import Fatal, Rejected
from jepanet.federation.deltas.delta import delta_of
from jepanet.federation.judging.similarity import norm
from jepanet.lab import play as playing
from jepanet.lab.arms import ARMS, Arm
from jepanet.lab.compare import Comparison
from jepanet.lab.measure import Measure
from jepanet.lab.play import NOTHING_TO_TRAIN, Aborted, Played, play
from jepanet.lab.setting import Setting, Sites
from jepanet.learning.data.shards import Shard
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.presets import preset
from jepanet.learning.recipe_loop import Guard, Loop
from jepanet.learning.training.loop import TrainResult, train
from jepanet.tensors import Arrays
from learning_shards import RECIPE as TEST_RECIPE
from learning_shards import disc_shard, initial, sized

pytestmark = pytest.mark.unit

SEED = bytes(range(32))
RECIPE = replace(TEST_RECIPE, inner_steps=3)


def sites(*shards: int) -> Sites:
    training = tuple(disc_shard(seed) for seed in shards)
    return Sites("", training, training, training[0], disc_shard(90), disc_shard(91, site=(0,) * 24), ())


def played(arm: Arm, data: Sites, rounds: int = 1) -> Played:
    return play(arm, RECIPE, data, initial(SEED), SEED, rounds, lambda *_: None)


def distance(a: Arrays, b: Arrays) -> float:
    return norm(delta_of(a, b))


def test_one_outer_round_of_a_single_solver_at_lr_1_is_its_local_result() -> None:
    data = sites(1)
    (merged,) = played(Arm("plain"), data).models
    (local,) = played(ARMS["local"], data).models
    start = initial(SEED)
    assert distance(local, start) > 1e-3
    assert distance(merged, local) < 1e-5 * distance(local, start)


def test_an_arm_with_coded_updates_goes_the_way_of_a_network_with_them() -> None:
    data, plain = sites(1, 2), Arm("plain", outer_lr=0.7, outer_momentum=0.6)
    coded = {codec: replace(plain, update_codec=codec) for codec in ("fp32", "int8", "topk3")}
    (exact,) = played(plain, data).models
    (first,) = played(coded["fp32"], data).models
    assert all(np.array_equal(first[name], exact[name]) for name in exact)
    moved = distance(exact, initial(SEED))
    errors = [distance(played(arm, data).models[0], exact) / moved for arm in coded.values()]
    assert errors[0] == 0 < errors[1] < 0.02 < 0.5 < errors[2] < 1
    # From the second round on the velocity is computed, and what the code left out is carried.
    (two,), (again,) = (played(arm, data, 2).models for arm in (plain, coded["fp32"]))
    assert distance(two, again) < 1e-5 * distance(two, initial(SEED))
    carrying, forgetful = coded["topk3"], replace(coded["topk3"], update_carry=0.0)
    far = [distance(played(arm, data, 6).models[0], played(plain, data, 6).models[0])
           for arm in (carrying, forgetful)]  # fmt: skip
    assert far[0] < far[1]


def test_held_local_training_moves_towards_lower_loss_not_away_from_it() -> None:
    data = sites(1)
    start = initial(SEED)
    (merged,) = played(Arm("plain"), data).models
    forward = delta_of(played(ARMS["local"], data).models[0], start)
    step = delta_of(merged, start)
    assert sum(float((forward[name] * step[name]).sum()) for name in step) > 0


def test_an_arm_may_change_the_training_loop_and_guard_it() -> None:
    """Recipes leave both out where nothing is said of them."""
    data, plain = sites(1), ARMS["local"]
    arm = replace(plain, changes=(("loop.accumulate", 2), ("guard.every", 1)))
    recipe = arm.recipe(RECIPE)
    assert recipe == replace(RECIPE, loop=Loop(accumulate=2), guard=Guard(every=1))
    seen = [
        play(plain, item, data, initial(SEED), SEED, 1, lambda *_: None).models[0]
        for item in (RECIPE, replace(recipe, guard=None), recipe)
    ]
    assert distance(seen[1], seen[0]) > 1e-4, "accumulated"
    assert distance(seen[2], seen[1]) > 1e-4, "a fifth is held out"


def test_a_frozen_encoder_keeps_its_weights_and_the_predictor_learns() -> None:
    (model,) = played(ARMS["frozen-encoder"], sites(1, 2)).models
    start = initial(SEED)
    changed = {name for name in model if not np.array_equal(model[name], start[name])}
    assert changed and all(name.startswith("predictor.") for name in changed)


def test_an_arm_changes_the_recipe_it_names_and_nothing_else() -> None:
    arm = Arm("changed", changes=(("optimiser.learning_rate", 5e-4), ("colour", True)), split=3)
    changed = arm.recipe(RECIPE)
    assert (changed.optimiser.learning_rate, changed.inner_steps) == (5e-4, 1)
    assert changed.family.fields()["colour"] is True
    assert replace(sized(changed, colour=False), optimiser=RECIPE.optimiser, inner_steps=3) == RECIPE
    for bad in (replace(arm, split=2), Arm("odd", changes=(("optimiser.rate", 1.0),))):
        with pytest.raises(Rejected):
            bad.recipe(RECIPE)


def test_starts_of_their_own_replace_the_public_one_at_any_outer_rate() -> None:
    data, start = sites(1), initial(SEED)
    far = {name: array + np.float32(3.0) for name, array in start.items()}
    for lr, momentum in ((1.0, 0.0), (0.7, 0.6)):
        arm = Arm("apart", own_start=True, outer_lr=lr, outer_momentum=momentum)
        near, away = (
            play(arm, RECIPE, data, weights, SEED, 1, lambda *_: None).models[0] for weights in (start, far)
        )
        # What remains of a start that nobody used is rounding.
        assert distance(near, away) < 1e-4 * distance(start, far)


def test_codecs_that_nodes_use_without_feedback_get_none_here() -> None:
    data = sites(1)
    for codec in ("int8", "int6"):
        with_it, without = (
            played(Arm(codec, codec=codec, feedback=feedback), data, rounds=3).models[0]
            for feedback in (1.0, 0.0)
        )
        assert distance(with_it, without) == 0.0


def only_for(solver: int, number: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One solver's training of one round is aborted from now on."""
    seed, real = playing._seed(SEED, number, solver), playing.train

    def aborting(*given: Any, **named: Any) -> TrainResult:
        if named["seed"] == seed:
            raise Rejected("its loss is nan", reason=reason)
        return real(*given, **named)

    monkeypatch.setattr(playing, "train", aborting)


@pytest.mark.parametrize("reason", ["diverged", "loss-jumped", "start-too-high", "non-finite"])
def test_an_aborted_solver_is_told_and_the_round_goes_on(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (all_there,) = played(Arm("plain"), sites(1, 2), rounds=1).models
    (alone,) = played(Arm("plain"), sites(1), rounds=1).models
    only_for(1, 1, reason, monkeypatch)
    made = played(Arm("plain"), sites(1, 2), rounds=1)
    assert made.aborted == [Aborted(1, 1, "its loss is nan")]
    assert distance(made.models[0], alone) == 0.0 < distance(made.models[0], all_there)
    assert len(made.sent) == 1 and made.solvers == [None]


def test_a_round_without_any_delta_leaves_the_model_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    only_for(0, 2, "diverged", monkeypatch)
    seen: list[Arrays | None] = []
    made = play(
        Arm("plain"), RECIPE, sites(1), initial(SEED), SEED, 3, lambda _, weights: seen.append(weights)
    )
    first, second, third = (item for item in seen if item is not None)
    assert distance(first, second) == 0.0 < distance(second, third)
    assert [item.round for item in made.aborted] == [2]


def test_local_models_are_those_of_the_solvers_that_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = played(ARMS["local"], sites(1, 2, 3))
    only_for(1, 1, "diverged", monkeypatch)
    made = played(ARMS["local"], sites(1, 2, 3))
    assert (whole.solvers, made.solvers) == ([0, 1, 2], [0, 2])
    assert distance(made.models[1], whole.models[2]) == 0.0


def test_an_arm_of_which_nothing_is_left_has_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    only_for(0, 1, "diverged", monkeypatch)
    for arm in (Arm("plain"), ARMS["local"]):
        with pytest.raises(Rejected, match="every training") as caught:
            played(arm, sites(1))
        assert caught.value.reason == "diverged"


def test_what_is_no_aborted_training_ends_the_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    only_for(0, 1, "shard-mismatch", monkeypatch)
    with pytest.raises(Rejected, match="nan"):
        played(Arm("plain"), sites(1, 2))


def test_a_solver_has_as_many_shards_as_the_recipe_assigns(monkeypatch: pytest.MonkeyPatch) -> None:
    data, seen = sites(1, 2, 3), list[int]()
    several = replace(RECIPE, loop=Loop(shards=2))
    real = playing.train

    def watched(weights: Arrays, shard: Shard, *given: Any, **named: Any) -> TrainResult:
        seen.append(shard.episodes)
        return real(weights, shard, *given, **named)

    monkeypatch.setattr(playing, "train", watched)
    each = data.training[0].episodes
    for shards, wanted in ((1, each), (2, 2 * each), (200, 3 * each)):
        seen.clear()
        recipe = replace(RECIPE, loop=Loop(shards=shards))
        for arm in (Arm("plain"), ARMS["local"]):
            play(arm, recipe, data, initial(SEED), SEED, 1, lambda *_: None)
        assert seen == [wanted] * 6
    drawn = [playing._data(several, data, SEED, number, 0) for number in range(1, 9)]
    assert all(np.array_equal(item.frames[:each], data.training[0].frames) for item in drawn)
    assert len({item.frames.tobytes() for item in drawn}) == 2, "the other one changes from round to round"


def test_a_frozen_encoder_leaves_a_family_without_a_predictor_nothing_to_train() -> None:
    recipe = preset("language-tiny")
    with pytest.raises(Rejected, match="nothing else") as caught:
        play(ARMS["frozen-encoder"], recipe, sites(1), initial(SEED, recipe), SEED, 1, lambda *_: None)
    assert caught.value.reason == NOTHING_TO_TRAIN


def test_nothing_is_merged_longer_than_the_recipe_allows() -> None:
    data, noisy = sites(1, 2, 3), Arm("noisy", attackers=1, attack="noise")
    held = replace(RECIPE, gates=replace(RECIPE.gates, longest=1.0))
    moved = [
        distance(play(noisy, recipe, data, initial(SEED), SEED, 1, lambda *_: None).models[0], initial(SEED))
        for recipe in (RECIPE, held)
    ]
    assert moved[1] < 0.5 * moved[0]


def test_absent_attackers_leave_the_others_alone() -> None:
    (both,) = played(Arm("absent", attackers=1, attack="absent"), sites(1, 2)).models
    (all_honest,) = played(Arm("plain"), sites(1, 2)).models
    assert distance(both, all_honest) > 1e-3


def test_frames_are_turned_back_only_when_they_have_left_far_enough() -> None:
    data = sites(1, 2)
    start = train(initial(SEED), data.public, RECIPE, seed=SEED, steps=60).weights
    plain, *others = (
        play(
            Arm("arm", align=align), replace(RECIPE, align_above=above), data, start, SEED, 1, lambda *_: None
        ).models[0]
        for align, above in ((False, 0.0), (True, 180.0), (True, 179.0), (True, 0.0))
    )
    assert [distance(plain, other) > 0.0 for other in others] == [False, False, True]


def test_error_feedback_carries_what_a_codec_left_out() -> None:
    data = sites(1)
    exact, kept, lost = (
        played(arm, data, rounds=4).models[0]
        for arm in (
            Arm("fp32"),
            Arm("kept", codec="topk10"),
            Arm("lost", codec="topk10", feedback=0.0),
        )
    )
    assert distance(kept, exact) < distance(lost, exact)


def test_a_smaller_delta_is_counted_as_smaller() -> None:
    sizes = [played(Arm(codec, codec=codec), sites(1, 2)).sent for codec in ("fp32", "int8", "topk3")]
    assert all(len(each) == 2 for each in sizes)
    assert sizes[0][0] > sizes[1][0] > sizes[2][0]


def test_attackers_change_the_mean_by_far_and_the_median_by_little() -> None:
    data = sites(1, 2, 3)
    honest = played(Arm("plain"), data).models[0]
    far, near = (
        distance(played(Arm("attacked", rule=rule, attackers=1), data).models[0], honest)
        for rule in ("mean", "median")
    )
    assert far > 2 * near


def test_the_result_of_a_tail_is_the_mean_of_its_rounds() -> None:
    seen: list[Arrays] = []
    arm = Arm("tail", tail=2)
    result = play(
        arm, RECIPE, sites(1), initial(SEED), SEED, 2,
        lambda _, weights: seen.append(weights) if weights is not None else None,
    )  # fmt: skip
    last = played(replace(arm, tail=1), sites(1), rounds=2).models[0]
    first = seen[0]
    for name, array in result.models[0].items():
        np.testing.assert_allclose(array, (first[name] + last[name]) / 2, rtol=1e-5, atol=1e-7)


def test_pooled_training_sees_as_many_samples_as_all_solvers() -> None:
    data = sites(1, 2)
    (pooled,) = played(ARMS["pooled"], data).models
    start = initial(SEED)
    short = train(start, data.training[0], RECIPE, seed=SEED, steps=3).weights
    assert distance(pooled, start) > distance(short, start)


def test_an_arm_leaves_the_public_start_alone_unless_it_is_about_it() -> None:
    assert ARMS["naive"].start(RECIPE) == RECIPE
    assert Arm("split", split=3).start(RECIPE) == RECIPE
    longer = Arm("longer", changes=(("warm_steps", 7), ("objective.weight", 0.0))).start(RECIPE)
    assert longer == replace(RECIPE, warm_steps=7)


def test_what_everyone_begins_with_is_an_arm_of_its_own() -> None:
    (model,) = played(ARMS["start"], sites(1)).models
    assert distance(model, initial(SEED)) == 0.0


def test_a_round_gains_what_a_network_finds_it_gains() -> None:
    data = sites(1, 2)
    two = disc_shard(90, site=(0,) * 12 + (1,) * 12)
    data = replace(data, unseen=two)
    base = train(initial(SEED), data.public, RECIPE, seed=SEED, steps=40).weights
    measure = Measure(RECIPE, data, base, SEED)
    better = train(base, two, RECIPE, seed=SEED, steps=60).weights
    assert measure.gain(base, better) == GroundedScorer(base, RECIPE, two).gain(better).mean
    assert measure.gain(base, base) == pytest.approx(0.0, abs=1e-9)
    dead = {name: np.zeros_like(array) for name, array in base.items()}
    assert measure.gain(base, dead) < 0


def test_a_longer_schedule_keeps_the_rate_up() -> None:
    data, start = sites(1), initial(SEED)
    arm = Arm("plain")
    short, same, long = (
        play(arm, RECIPE, data, start, SEED, 3, lambda *_: None, total_steps=total).models[0]
        for total in (0, 5, 900)
    )
    assert distance(short, same) == 0.0
    assert distance(long, start) > distance(short, start)


@pytest.mark.parametrize("name", ["local", "pooled", "anchored", "network", "naive-anchored"])
def test_every_arm_is_trained_on_the_device_that_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, encoded, real, frames = list[str](), list[str](), playing.train, playing.frame_latents

    def watched(*given: Any, **named: Any) -> TrainResult:
        trained.append(named["device"])
        return real(*given, **named)

    def seen(*given: Any, **named: Any) -> Any:
        encoded.append(named["device"])
        return frames(*given, **named)

    monkeypatch.setattr(playing, "train", watched)
    monkeypatch.setattr(playing, "frame_latents", seen)
    data, start = sites(1, 2), initial(SEED)
    recipe = replace(RECIPE, align_above=180.0)
    made = [
        play(ARMS[name], recipe, data, start, SEED, 1, lambda *_: None, device=device).models[0]
        for device in ("cpu", "cpu:0")
    ]
    assert set(trained) == {"cpu", "cpu:0"} and set(encoded) <= {"cpu", "cpu:0"}
    assert distance(*made) < 1e-4


def test_models_are_measured_on_the_device_that_is_asked_for() -> None:
    data, base = sites(1, 2), initial(SEED)
    long = replace(data, unseen=disc_shard(3, frames=11), own=(disc_shard(4, frames=11),) * 2)
    with pytest.raises((RuntimeError, Fatal), match="device"):
        Measure(RECIPE, long, base, SEED, device="no-such-device")
    found = [
        Measure(RECIPE, long, base, SEED, device=device).whole(base, None) for device in ("cpu", "cpu:0")
    ]
    assert found[0]["unseen"]["score"] == pytest.approx(found[1]["unseen"]["score"])


def test_figures_of_another_device_are_kept_apart() -> None:
    comparison = Comparison(RECIPE, (ARMS["local"],), (0,), 1, Setting(image=32))
    keys = {replace(comparison, device=device).key(ARMS["local"], 0) for device in ("cpu", "cuda")}
    assert len(keys) == 2
