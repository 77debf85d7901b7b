"""Closed-loop control in the real TwoRoom simulator, and the tasks it draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.errors import Rejected
from jepanet.learning.data.building.plan import plan
from jepanet.learning.data.sizes import TINY
from jepanet.learning.planning.closed_loop import (
    ACTIONS,
    KINDS,
    Tasks,
    draw_tasks,
    evaluate,
    play,
    random_policy,
)
from jepanet.learning.planning.planner import Planner
from jepanet.learning.presets import preset
from jepanet.learning.simulators.tworoom.dataset import TASK
from jepanet.learning.simulators.tworoom.simulator import Room, record
from jepanet.learning.simulators.tworoom.sites import GREY, SCREEN, hidden_site

pytestmark = pytest.mark.integration

SEED = bytes(range(32))
TWOROOM = TASK.play
assert TWOROOM is not None
SITE = hidden_site(0, np.random.default_rng(0))
RECIPE = preset("tworoom-tiny")
QUICK = Planner(horizon=3, samples=16, iterations=2, elites=4)


def walker(tasks: Tasks) -> object:
    """Knows the way: to the nearest door if need be, then to the goal."""

    def act(active: np.ndarray, positions: np.ndarray) -> np.ndarray:
        across = 0 if SITE.axis == 1 else 1
        actions = []
        for task, position in zip(active, positions, strict=True):
            towards = tasks.goal[task].astype(float)
            if (towards[across] > SCREEN / 2) != (position[across] > SCREEN / 2):
                door = min((place for place, _ in SITE.doors), key=lambda at: abs(at - position[1 - across]))
                aligned = abs(door - position[1 - across]) < 4
                towards[1 - across] = door
                towards[across] = towards[across] if aligned else position[across]
            actions.append(np.clip((towards - position) / (4 * SITE.speed), -1, 1))
        return np.array(actions, dtype=np.float32)

    return act


def test_tasks_follow_from_the_seed_and_are_of_their_kind() -> None:
    tasks, again = draw_tasks(TWOROOM, SITE, 20, SEED), draw_tasks(TWOROOM, SITE, 20, SEED)
    assert np.array_equal(tasks.start, again.start) and np.array_equal(tasks.goal, again.goal)
    assert not np.array_equal(tasks.start, draw_tasks(TWOROOM, SITE, 20, bytes(32)).start)
    across = 0 if SITE.axis == 1 else 1
    crosses = (tasks.start[:, across] > SCREEN / 2) != (tasks.goal[:, across] > SCREEN / 2)
    assert np.array_equal(crosses, tasks.kind == KINDS.index("cross"))
    assert np.linalg.norm(tasks.start - tasks.goal, axis=1).min() >= TWOROOM.least_distance


def test_who_knows_the_way_solves_nearly_all_and_who_guesses_few() -> None:
    tasks = draw_tasks(TWOROOM, SITE, 20, SEED)
    room = Room(SITE, 32, 4)
    known = play(room, tasks, walker(tasks), TWOROOM.radius)  # type: ignore[arg-type]
    guessed = play(room, tasks, random_policy(SEED), TWOROOM.radius)
    assert (known > 0).mean() >= 0.9
    assert (guessed > 0).mean() <= 0.3
    assert known.max() <= ACTIONS


def test_a_goal_touched_on_the_way_counts() -> None:
    start = np.array([[60.0, 60.0]], dtype=np.float32)
    beyond = start + np.array([[TWOROOM.radius + 0.5 * SITE.speed, 0.0]], dtype=np.float32)
    tasks = Tasks(start, beyond, np.zeros(1, dtype=int))
    room = Room(SITE, 32, 4)
    past = play(room, tasks, lambda active, _: np.array([[1.0, 0.0]], dtype=np.float32), TWOROOM.radius)
    away = play(room, tasks, lambda active, _: np.array([[-1.0, 0.0]], dtype=np.float32), TWOROOM.radius)
    assert past.tolist() == [1] and away.tolist() == [0]


def test_a_room_draws_and_moves_as_the_recordings_do() -> None:
    recording = plan(TASK.environment, replace(TINY, training_sites=1), SEED, SEED)["training-00.safetensors"]
    shard = record(recording)
    room = Room(recording.sites[0], TINY.image, TINY.hold)
    for moment in range(3):
        here, action = shard.state[0, moment], shard.actions[0, moment]
        assert np.array_equal(room.picture(here), shard.frames[0, moment])
        assert np.array_equal(room.act(here, action)[-1], shard.state[0, moment + 1])


def test_a_model_is_judged_the_same_twice() -> None:
    weights = RECIPE.family.initial_weights(SEED)
    first, second = (
        evaluate(weights, RECIPE, TWOROOM, SITE, episodes=4, seed=SEED, planner=QUICK) for _ in range(2)
    )
    assert first == second
    assert first.same.episodes == first.cross.episodes == 4
    assert set(first.to_json()) == {"same", "cross", "random_same", "random_cross", "actions"}
    low, high = first.cross.interval
    assert 0.0 <= low <= first.cross.rate <= high <= 1.0 and high - low > 0.4
    assert first.to_json()["cross"]["episodes"] == 4


def test_a_fitted_cost_needs_frames_of_another_site() -> None:
    weights = RECIPE.family.initial_weights(SEED)
    reference = record(plan(TASK.environment, TINY, SEED, SEED)["public.safetensors"])
    result = evaluate(
        weights,
        RECIPE,
        TWOROOM,
        SITE,
        episodes=2,
        seed=SEED,
        planner=QUICK,
        cost="learned",
        reference=reference,
    )
    assert result.same.episodes == 2
    with pytest.raises(Rejected) as missing:
        evaluate(weights, RECIPE, TWOROOM, SITE, episodes=2, seed=SEED, cost="whitened")
    with pytest.raises(Rejected) as leaked:
        evaluate(weights, RECIPE, TWOROOM, GREY, episodes=2, seed=SEED, cost="learned", reference=reference)
    assert (missing.value.reason, leaked.value.reason) == ("no-reference", "leaked-site")


def test_a_site_whose_goals_are_out_of_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as refused:
        draw_tasks(TWOROOM, replace(SITE, doors=()), 2, SEED)
    assert refused.value.reason == "no-tasks"
