"""Records episodes in the TwoRoom environment of stable-worldmodel.

The package imports its data, policy and training modules when it is imported, and with them libraries the
environments never use. The loader therefore gives Python the package's folders without running its
`__init__` files, and imports the environment module alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.data import Shard
from jepanet.learning.seeding import numpy_generator
from jepanet.learning.tworoom_sites import PROBE_SITE, SCREEN, Site, free_position, policy_of, random_site

PACKAGE, VERSION = "stable_worldmodel", "0.1.1"
ENVIRONMENT = f"stable-worldmodel {VERSION} swm/TwoRoom-v1"
REMEDY = "run scripts/setup, or: pip install 'jepanet[sim]' && pip install --no-deps stable-worldmodel==0.1.1"


@dataclass(frozen=True, slots=True)
class Recording:
    """What one shard holds: `episodes` of each site, `frames` long; no sites: a fresh random one each."""

    name: str
    seed: bytes
    sites: tuple[Site, ...]
    episodes: int
    """Per site; the shard's total when `sites` is empty."""
    frames: int
    image: int
    hold: int
    """Simulator steps for which an action is held; one frame is kept after them."""
    build: str
    """Hex digest of everything the content depends on; kept in the shard's header."""


def record(recording: Recording) -> Shard:
    """Plays and records every episode of a shard; the same recording gives the same bytes.

    Raises:
        Fatal: the simulator is not installed (`DATASET`).
    """
    episodes: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    numbers: list[int] = []
    if recording.sites:
        order = [site for _ in range(recording.episodes) for site in recording.sites]
    else:
        order = [
            random_site(PROBE_SITE, numpy_generator(recording.seed, f"site {index}"))
            for index in range(recording.episodes)
        ]
    simulator = _simulator()
    for index, site in enumerate(order):
        generator = numpy_generator(recording.seed, f"episode {index}")
        episodes.append(_episode(simulator, site, generator, recording))
        numbers.append(site.number)
    frames, actions, state = (np.stack(column) for column in zip(*episodes, strict=True))
    header = {"environment": ENVIRONMENT, "name": recording.name, "build": recording.build}
    return Shard(frames, actions, state, tuple(numbers), header)


def require_simulator() -> None:
    """Checks that the simulator is installed, without importing it.

    Raises:
        Fatal: it is missing, has another version, or lacks a library (`DATASET`, with the remedy).
    """
    try:
        found = importlib.metadata.version("stable-worldmodel")
    except importlib.metadata.PackageNotFoundError:
        raise Fatal("the TwoRoom simulator is not installed", remedy=REMEDY, code=Exit.DATASET) from None
    if found != VERSION:
        raise Fatal(f"stable-worldmodel is {found}, not {VERSION}", remedy=REMEDY, code=Exit.DATASET)
    missing = [name for name in ("gymnasium", "loguru", "cv2") if importlib.util.find_spec(name) is None]
    if missing:
        raise Fatal(f"the simulator needs {', '.join(missing)}", remedy=REMEDY, code=Exit.DATASET)


def _episode(
    simulator: Any, site: Site, generator: np.random.Generator, recording: Recording
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """frames uint8 [T, 3, S, S], actions float32 [T-1, 2], state float32 [T, 2] (x, y in screen pixels)."""
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


def _variation(site: Site, start: np.ndarray) -> dict[str, Any]:
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


def _frame(simulator: Any, image: int) -> np.ndarray:
    import cv2

    small = cv2.resize(simulator.render(), (image, image), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1))


def _position(simulator: Any) -> np.ndarray:
    position: np.ndarray = simulator.agent_position.numpy().astype(np.float32)
    return position


@cache
def _simulator() -> Any:
    """One environment per process: the original dynamics and pixels, rendered with less work."""
    require_simulator()
    import torch

    torch.set_num_threads(1)
    try:
        base: Any = _environment_module().TwoRoomEnv
    except ImportError as error:
        raise Fatal(f"the simulator needs {error.name}", remedy=REMEDY, code=Exit.DATASET) from error
    if base.IMG_SIZE != SCREEN:
        raise Fatal(f"TwoRoom's screen is {base.IMG_SIZE} pixels, not {SCREEN}", code=Exit.INCOMPATIBLE)

    class FastTwoRoom(base):  # type: ignore[misc]  # the base class is loaded at run time
        """The same pixels, faster: walls are drawn once, the agent only where it can be seen."""

        grid_x: Any
        grid_y: Any
        _looks: tuple[object, ...] = ()
        _still: Any = None

        def _render_frame(self, agent_pos: Any) -> Any:
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
            image = self._still.clone()
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

        def _blob(self, agent_pos: Any, radius: float, rows: slice, columns: slice) -> Any:
            """The environment's own blob, computed on a part of its grid."""
            across, down = self.grid_x, self.grid_y
            self.grid_x, self.grid_y = across[rows, columns], down[rows, columns]
            try:
                return self._gaussian_dot(agent_pos, radius)
            finally:
                self.grid_x, self.grid_y = across, down

    return FastTwoRoom()


def _environment_module() -> ModuleType:
    """`stable_worldmodel.envs.two_room.env`, without running the `__init__` of the packages above it."""
    spec = importlib.util.find_spec(PACKAGE) if PACKAGE not in sys.modules else None
    if spec is not None and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        for name, folder in (
            (PACKAGE, root),
            (f"{PACKAGE}.envs", root / "envs"),
            (f"{PACKAGE}.envs.two_room", root / "envs" / "two_room"),
        ):
            package = ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
        for name in ("utils", "spaces"):
            setattr(sys.modules[PACKAGE], name, importlib.import_module(f"{PACKAGE}.{name}"))
    return importlib.import_module(f"{PACKAGE}.envs.two_room.env")
