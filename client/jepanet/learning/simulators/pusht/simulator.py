"""Records episodes in the PushT environment of stable-worldmodel: a disc pushes a T, seen from above."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache, partial
from typing import Protocol

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.recording import Episode, Recording, record_episodes
from jepanet.learning.data.shards import Shard
from jepanet.learning.simulators.loader import environment_module, require_simulator
from jepanet.learning.simulators.offer import PROBE_SITE
from jepanet.learning.simulators.pusht import PUSHT
from jepanet.learning.simulators.pusht.sites import (
    SCREEN,
    STRIDE,
    Site,
    beginning,
    policy_of,
    random_site,
)

_TEE = 2
"""The block's shape: the T."""


class _Body(Protocol):
    """The agent or the block, as pymunk has it."""

    @property
    def position(self) -> tuple[float, float]: ...

    @property
    def angle(self) -> float: ...


class _PushT(Protocol):
    """What is used of the library's environment."""

    window_size: int
    action_scale: float
    agent: _Body
    block: _Body

    def reset(self, *, seed: int, options: Mapping[str, object]) -> object: ...

    def step(self, action: np.ndarray) -> object: ...

    def render(self) -> np.ndarray: ...


def record(recording: Recording) -> Shard:
    """Plays and records every episode of a shard; the same recording gives the same bytes.

    Raises:
        Fatal: the simulator is not installed (`DATASET`).
    """
    return record_episodes(recording, PUSHT.environment, partial(random_site, PROBE_SITE), _episode)


def _episode(site: Site, generator: np.random.Generator, recording: Recording) -> Episode:
    """frames uint8 [T, 3, S, S], actions float32 [T-1, 2], state float32 [T, 6].

    The state is agent x, y, block x, y in pixels of the window, sine and cosine of the block's angle: the
    angle itself jumps where it wraps.
    """
    simulator = _simulator()
    agent, block, angle = beginning(site, generator)
    start = np.array([*agent, *block, angle, 0.0, 0.0])
    options = {"variation": (), "variation_values": _variation(site), "state": start, "goal_state": start}
    with warnings.catch_warnings():
        # The environment's own scalars are no arrays, of which gymnasium warns.
        warnings.simplefilter("ignore", UserWarning)
        simulator.reset(seed=0, options=options)
    policy = policy_of(site, generator)
    frames, states, actions = [_frame(simulator, recording.image)], [_state(simulator)], []
    for _ in range(recording.frames - 1):
        action = np.clip(policy(states[-1]), -1.0, 1.0).astype(np.float32)
        for _ in range(recording.hold):
            simulator.step(action.astype(np.float64))
        actions.append(action)
        states.append(_state(simulator))
        frames.append(_frame(simulator, recording.image))
    return np.stack(frames), np.stack(actions), np.stack(states)


def _variation(site: Site) -> dict[str, np.ndarray | int]:
    """The environment's own names; where things begin is given by the state instead."""
    return {
        "background.color": np.array(site.background, dtype=np.uint8),
        "block.color": np.array(site.block_colour, dtype=np.uint8),
        "block.shape": _TEE,
        "agent.color": np.array(site.agent, dtype=np.uint8),
        "agent.scale": np.array(site.scale, dtype=np.float32),
        "rendering.render_goal": 0,
    }


def _frame(simulator: _PushT, image: int) -> np.ndarray:
    import cv2

    small = cv2.resize(simulator.render(), (image, image), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1))


def _state(simulator: _PushT) -> np.ndarray:
    agent, block, angle = simulator.agent.position, simulator.block.position, simulator.block.angle
    return np.array([*agent, *block, np.sin(angle), np.cos(angle)], dtype=np.float32)


@cache
def _simulator() -> _PushT:
    """One environment per process, drawn at its window's own resolution: averaging down comes after."""
    require_simulator()
    simulator: _PushT = environment_module("pusht").PushT(resolution=SCREEN, with_target=False)
    if (simulator.window_size, simulator.action_scale) != (SCREEN, STRIDE):
        raise Fatal(
            f"PushT has a window of {simulator.window_size} pixels and strides of {simulator.action_scale}",
            remedy="install the simulator that requirements.lock names",
            code=Exit.INCOMPATIBLE,
        )
    return simulator
