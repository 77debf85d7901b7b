"""MiniGrid's worlds, and what an agent somewhere in one sees of it.

Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld", arXiv:2306.13831. The agent sees seven by seven cells,
itself in the middle of the nearest row; walls and closed doors hide what is behind them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepanet.errors import Exit, Fatal
from jepanet.learning.sources.minigrid import PACKAGE, VERSION

CELLS = 7
"""Along a side of what is seen."""
_EDGE, _MIDDLE = CELLS - 1, CELLS // 2
_BARE = ("wall", "floor")
_REMEDY = f"run scripts/setup, or: pip install 'jepanet[{PACKAGE}]'"
_WORLDS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "fetch": ("FetchEnv", {"size": 8, "numObjs": 5}),
    "doors": ("GoToDoorEnv", {"size": 8}),
    "near": ("PutNearEnv", {"size": 8, "numObjs": 4}),
    "unlock": ("BlockedUnlockPickupEnv", {}),
    "playground": ("PlaygroundEnv", {}),
}
"""Task -> MiniGrid's class, and its arguments: keys and balls in a room; a room with four doors; boxes too;
two rooms with a locked door; nine rooms with everything. In `near` no thing stands beside another one, and
MiniGrid looks for a place without end: a fifth may find the six by six cells taken by four."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A key, ball, box or door that is seen; steps ahead of the agent and to its right (left below 0)."""

    colour: str
    kind: str
    ahead: int
    right: int

    @property
    def order(self) -> tuple[int, int, int]:
        """The nearest first; of those as near the one least aside, then the left one."""
        return self.ahead + abs(self.right), abs(self.right), self.right


@dataclass(frozen=True, slots=True)
class View:
    """What an agent sees: uint8 [3, S, S], and what is in it."""

    picture: np.ndarray
    things: tuple[Thing, ...]
    """The nearest first."""


def require() -> None:
    """Checks that MiniGrid is installed, without importing it.

    Raises:
        Fatal: it is missing or has another version (`DATASET`, with the remedy).
    """
    try:
        found = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise Fatal(f"{PACKAGE} is not installed", remedy=_REMEDY, code=Exit.DATASET) from None
    if found != VERSION:
        raise Fatal(f"{PACKAGE} is {found}, not {VERSION}", remedy=_REMEDY, code=Exit.DATASET)


def world(task: str) -> Callable[[int, int], View]:
    """(seed, side of a cell in pixels) -> what an agent sees anywhere in a world of this task."""
    kind, arguments = _WORLDS[task]
    # pygame greets on standard output, where the command line may be writing JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            made: Any = getattr(importlib.import_module(f"{PACKAGE}.envs"), kind)(**arguments)
        except ImportError as error:
            raise Fatal(f"{PACKAGE} needs {error.name}", remedy=_REMEDY, code=Exit.DATASET) from error

    def look(seed: int, cell: int) -> View:
        made.reset(seed=seed)
        made.place_agent()  # some tasks begin where little is to be seen
        grid, seen = made.gen_obs_grid()
        things = tuple(sorted(_things(grid, seen), key=lambda thing: thing.order))
        frame = made.get_frame(tile_size=cell, agent_pov=True)
        picture = np.ascontiguousarray(frame.transpose(2, 0, 1))
        return View(picture, things)

    return look


def _things(grid: Any, seen: np.ndarray) -> Iterator[Thing]:
    for column in range(CELLS):
        for row in range(CELLS):
            there = grid.get(column, row)
            if seen[column, row] and there is not None and there.type not in _BARE:
                yield Thing(there.color, there.type, _EDGE - row, column - _MIDDLE)
