"""PushT datasets from the real simulator: reproducible, in view, and obeying the symmetries training uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.builder import build
from jepanet.learning.data.building.plan import plan
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.data.sizes import TINY
from jepanet.learning.evaluation.metrics import heldout_metrics
from jepanet.learning.presets import preset
from jepanet.learning.simulators.offer import HIDDEN_SITE
from jepanet.learning.simulators.pusht.dataset import TASK
from jepanet.learning.simulators.pusht.simulator import _simulator, _state, _variation, record
from jepanet.learning.simulators.pusht.sites import (
    CLEAR,
    GREY,
    SCREEN,
    beginning,
    block_centre,
    random_site,
    training_site,
)
from jepanet.learning.simulators.tworoom.dataset import TASK as TWOROOM
from jepanet.learning.training.loop import warm_start

pytestmark = pytest.mark.integration

SEED = bytes(range(32))
SECRET = bytes(range(32, 64))
SMALL = replace(TINY, hold=2, frames=12)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    return build(
        TASK.environment, SMALL, tmp_path_factory.mktemp("pusht") / "data", SEED, evaluation_seed=SECRET
    )


def played(policy: str, episodes: int = 6, frames: int = 20) -> Shard:
    site = replace(training_site(0, np.random.default_rng(0)), policy=policy)
    return record(Recording("played", SEED, (site,), episodes, frames, 32, 2, ""))


def test_the_same_seeds_give_the_same_bytes(dataset: BuiltDataset, tmp_path: Path) -> None:
    again = build(TASK.environment, SMALL, tmp_path / "again", SEED, workers=1, evaluation_seed=SECRET)
    assert again.manifest == dataset.manifest
    assert [item.digest for item in again.sealed] == [item.digest for item in dataset.sealed]


def test_shards_hold_agent_and_block(dataset: BuiltDataset) -> None:
    shard = load_shard(dataset.training_path(0))
    assert shard.state.shape == (SMALL.episodes, SMALL.frames, 6)
    assert shard.actions.shape[-1] == 2 and np.abs(shard.actions).max() <= 1.0
    assert shard.state[..., :4].min() > 0.0 and shard.state[..., :4].max() < SCREEN
    np.testing.assert_allclose(np.hypot(shard.state[..., 4], shard.state[..., 5]), 1.0, atol=1e-6)
    assert HIDDEN_SITE in dataset.manifest.evaluation.sites
    assert dataset.manifest.public.site == GREY.number


def test_frames_show_where_agent_and_block_are() -> None:
    site = replace(GREY, background=(0, 0, 0), block_colour=(0, 255, 0), agent=(255, 0, 0), policy="push")
    shard = record(Recording("seen", SEED, (site,), 4, 8, 64, 2, ""))
    scale = SCREEN / shard.image
    rows, columns = np.mgrid[0:64, 0:64] + 0.5
    for frame, state in zip(shard.frames.reshape(-1, 3, 64, 64), shard.state.reshape(-1, 6), strict=True):
        # The border is grey: its red and green are alike.
        red, green = np.clip(frame[:2].astype(float) - frame[1::-1], 0, None)
        for light, place, near in ((red, state[:2], 1.0), (green, block_centre(state), 3.0)):
            seen = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
            assert np.linalg.norm(seen - place / scale) < near


@pytest.mark.parametrize(("policy", "least"), [("push", 0.35), ("near", 0.25), ("wander", 0.1)])
def test_every_policy_moves_the_block(policy: str, least: float) -> None:
    moved = np.abs(np.diff(played(policy).state[..., 2:4], axis=1)).max(axis=-1) > 1.0
    assert moved.mean() > least


def test_what_begins_does_not_touch() -> None:
    generator = np.random.default_rng(1)
    for index in range(20):
        site = random_site(index, generator)
        agent, block, angle = beginning(site, generator)
        state = np.array([*agent, *block, np.sin(angle), np.cos(angle)])
        assert np.linalg.norm(agent - block_centre(state)) >= CLEAR
    still = played("push", episodes=8, frames=4).state[:, 0]
    for row in still:
        assert np.linalg.norm(row[:2] - block_centre(row)) > CLEAR - 5.0


def test_a_mirrored_push_moves_the_mirrored_block() -> None:
    """The T is its own mirror image, so a reflected world obeys the same laws: its angle changes sign."""
    actions = np.random.default_rng(2).uniform(-1, 1, (12, 2)) * 0.5 + np.array([0.5, 0.0])

    def end(mirror: bool) -> np.ndarray:
        simulator = _simulator()
        start = np.array([140.0, 250.0, 256.0, 230.0, 0.4, 0.0, 0.0])
        sign = np.array([1.0, 1.0])
        if mirror:
            # The walls' own mirror is a pixel off; nothing touches them here.
            start[[0, 2]], start[4], sign[0] = SCREEN - start[[0, 2]], -start[4], -1.0
        options = {"variation": (), "variation_values": _variation(GREY), "state": start, "goal_state": start}
        simulator.reset(seed=0, options=options)
        for action in actions:
            simulator.step(action * sign)
        return _state(simulator)

    plain, mirrored = end(False), end(True)
    expected = plain * np.array([-1, 1, -1, 1, -1, 1]) + np.array([SCREEN, 0, SCREEN, 0, 0, 0])
    assert np.linalg.norm(plain[2:4] - [256.0, 230.0]) > 20.0
    np.testing.assert_allclose(mirrored[:4], expected[:4], atol=2.0)
    np.testing.assert_allclose(mirrored[4:], expected[4:], atol=0.05)


def test_a_folder_of_another_simulator_is_refused(dataset: BuiltDataset) -> None:
    with pytest.raises(Fatal, match="other parameters") as refused:
        build(TWOROOM.environment, SMALL, dataset.directory, SEED, evaluation_seed=SECRET)
    assert refused.value.code == Exit.DATASET


def test_the_two_simulators_never_share_a_build_id() -> None:
    ours, theirs = plan(TASK.environment, TINY, SEED, SECRET), plan(TWOROOM.environment, TINY, SEED, SECRET)
    assert set(ours) == set(theirs)
    assert not {item.build for item in ours.values()} & {item.build for item in theirs.values()}


def test_a_model_learns_on_it(dataset: BuiltDataset) -> None:
    recipe, shard = preset("tworoom-tiny"), load_shard(dataset.public_path)
    fresh, warm = warm_start(recipe, shard, SEED, steps=0), warm_start(recipe, shard, SEED, steps=100)
    assert heldout_metrics(warm, recipe, shard).pi > heldout_metrics(fresh, recipe, shard).pi
