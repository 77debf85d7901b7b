"""Records episodes in the TwoRoom environment of stable-worldmodel, and plays in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data.building.recording import Episode, record_episodes
from jepanet.learning.data.building.recording import Recording as Recording  # part of what `record` takes
from jepanet.learning.data.shards import Shard
from jepanet.learning.simulators.loader import environment_module, require_simulator
from jepanet.learning.simulators.offer import PROBE_SITE
from jepanet.learning.simulators.tworoom import TWOROOM
from jepanet.learning.simulators.tworoom.sites import (
    SCREEN,
    Site,
    free_position,
    policy_of,
    random_site,
)

if TYPE_CHECKING:
    from torch import Tensor


class _TwoRoom(Protocol):
    """What is used of the library's environment."""

    agent_position: Tensor

    def reset(self, *, seed: int, options: Mapping[str, object]) -> object: ...

    def step(self, action: np.ndarray) -> object: ...

    def render(self) -> np.ndarray: ...

    def _set_state(self, state: np.ndarray) -> None: ...


def record(recording: Recording) -> Shard:
    """Plays and records every episode of a shard; the same recording gives the same bytes.

    Raises:
        Fatal: the simulator is not installed (`DATASET`).
    """
    return record_episodes(recording, TWOROOM.environment, partial(random_site, PROBE_SITE), _episode)


def _episode(site: Site, generator: np.random.Generator, recording: Recording) -> Episode:
    """frames uint8 [T, 3, S, S], actions float32 [T-1, 2], state float32 [T, 2] (x, y in screen pixels)."""
    simulator = _simulator()
    start = free_position(site, generator)
    simulator.reset(seed=0, options={"variation": (), "variation_values": _variation(site, start)})
    policy = policy_of(site, generator)
    frames = [_frame(simulator, recording.image)]
    states, actions = [_position(simulator)], []
    for _ in range(recording.frames - 1):
        action = np.clip(policy(states[-1]), -1.0, 1.0).astype(np.float32)
        for _ in range(recording.hold):
            simulator.step(action)
        actions.append(action)
        states.append(_position(simulator))
        frames.append(_frame(simulator, recording.image))
    return np.stack(frames), np.stack(actions), np.stack(states)


class Room:
    """One site of the simulator, with an agent that can be put anywhere.

    A process has one simulator: the room made last is the one that acts and is drawn.
    """

    def __init__(self, site: Site, image: int, hold: int) -> None:
        """`image`: side of its pictures in pixels; `hold`: simulator steps for which an action is held.

        Raises:
            Fatal: the simulator is not installed (`DATASET`).
        """
        self._simulator, self._image, self._hold = _simulator(), image, hold
        middle = np.full(2, SCREEN / 4, dtype=np.float32)
        options = {"variation": (), "variation_values": _variation(site, middle)}
        self._simulator.reset(seed=0, options=options)

    def picture(self, position: np.ndarray) -> np.ndarray:
        """The frame uint8 [3, S, S] with the agent at `position` (x, y) in screen pixels."""
        self._simulator._set_state(position)
        return _frame(self._simulator, self._image)

    def act(self, position: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Positions float32 [hold, 2] after every simulator step of `action` from `position`."""
        self._simulator._set_state(position)
        positions = []
        for _ in range(self._hold):
            self._simulator.step(action)
            positions.append(_position(self._simulator))
        return np.stack(positions)


def _variation(site: Site, start: np.ndarray) -> dict[str, np.ndarray | int]:
    """The environment's own names; the order matters, since later values are checked against earlier ones."""
    padded = (*site.doors, *((49, 14),) * (3 - len(site.doors)))
    return {
        "background.color": np.array(site.background, dtype=np.uint8),
        "wall.color": np.array(site.wall, dtype=np.uint8),
        "wall.border_color": np.array(site.border, dtype=np.uint8),
        "wall.thickness": site.thickness,
        "wall.axis": site.axis,
        "agent.color": np.array(site.agent, dtype=np.uint8),
        "agent.radius": np.array([site.radius], dtype=np.float32),
        "agent.speed": np.array([site.speed], dtype=np.float32),
        "agent.position": start,
        "door.color": np.array(site.door, dtype=np.uint8),
        "door.number": len(site.doors),
        "door.size": np.array([extent for _, extent in padded], dtype=np.int64),
        "door.position": np.array([centre for centre, _ in padded], dtype=np.int64),
    }


def _frame(simulator: _TwoRoom, image: int) -> np.ndarray:
    import cv2

    small = cv2.resize(simulator.render(), (image, image), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1))


def _position(simulator: _TwoRoom) -> np.ndarray:
    position: np.ndarray = simulator.agent_position.numpy().astype(np.float32)
    return position


@cache
def _simulator() -> _TwoRoom:
    """One environment per process: the original dynamics and pixels, rendered with less work."""
    require_simulator()
    import torch

    torch.set_num_threads(1)
    base: Any = _environment_module().TwoRoomEnv
    if base.IMG_SIZE != SCREEN:
        raise Fatal(
            f"TwoRoom's screen is {base.IMG_SIZE} pixels, not {SCREEN}",
            remedy="install the simulator that requirements.lock names",
            code=Exit.INCOMPATIBLE,
        )

    class FastTwoRoom(base):  # type: ignore[misc]  # the base class is loaded at run time
        """The same pixels, faster: walls are drawn once, the agent only where it can be seen."""

        grid_x: Tensor
        grid_y: Tensor
        _looks: tuple[object, ...] = ()
        _still: Any = None

        def _render_frame(self, agent_pos: Tensor) -> Tensor:
            radius = float(self.variation_space["agent"]["radius"].value.item())
            looks = (
                self.wall_axis,
                self.wall_thickness,
                *self.door_positions.tolist(),
                *self.door_sizes.tolist(),
                *(
                    tuple(self.variation_space[part]["color"].value)
                    for part in ("background", "wall", "door")
                ),
            )
            if looks != self._looks:
                # Far off the screen the agent's blob is exactly zero everywhere.
                self._still = super()._render_frame(torch.tensor([-1e6, -1e6]))
                self._looks = looks
            image: Tensor = self._still.clone()
            # Beyond 6.5 deviations the blob is below float32 resolution and changes no pixel.
            reach = 6.5 * radius
            spans = [
                slice(max(0, int(centre - reach)), max(0, min(SCREEN, int(centre + reach) + 2)))
                for centre in agent_pos.tolist()
            ]
            columns, rows = spans
            blob = self._blob(agent_pos, radius, rows, columns)
            colour = self.variation_space["agent"]["color"].value
            image[:, rows, columns] = self._alpha_blend(image[:, rows, columns], blob, colour)
            return image

        def _blob(self, agent_pos: Tensor, radius: float, rows: slice, columns: slice) -> Any:
            """The environment's own blob, computed on a part of its grid."""
            across, down = self.grid_x, self.grid_y
            self.grid_x, self.grid_y = across[rows, columns], down[rows, columns]
            try:
                return self._gaussian_dot(agent_pos, radius)
            finally:
                self.grid_x, self.grid_y = across, down

    return FastTwoRoom()


def _environment_module() -> ModuleType:
    return environment_module("two_room")
