"""What planning needs of a simulator: places that the agent can be put in, and the way to a goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Place(Protocol):
    """One site of a simulator, with an agent that can be put anywhere. Positions are float [2] (x, y)."""

    def picture(self, position: np.ndarray) -> np.ndarray:
        """The frame uint8 [3, S, S] with the agent at `position`."""

    def act(self, position: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Positions float32 [hold, 2] after every simulator step of `action` from `position`."""


@dataclass(frozen=True, slots=True)
class Play:
    """Goals in a simulator. Distances are in pixels of its screen."""

    enter: Callable[[Any, int, int], Place]
    """(site, side of the pictures in pixels, steps for which an action is held) -> that site. Raises `Fatal`
    when the simulator is not installed."""
    position: Callable[[Any, np.random.Generator], np.ndarray]
    """A free position of the site, float32 [2]."""
    way: Callable[[Any, np.ndarray, np.ndarray], tuple[int, float]]
    """(site, start, goal) -> 0 for a goal in the agent's room and 1 for one in another room, and the distance
    to travel; infinite where no way leads there."""
    speed: Callable[[Any], float]
    """Pixels per simulator step at full action."""
    radius: float
    """A goal is reached within this distance."""
    least_distance: float
    """Between start and goal, so that nothing is solved before it begins."""
