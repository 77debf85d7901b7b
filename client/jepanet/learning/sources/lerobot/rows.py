"""What a robot was told and felt, frame by frame: rows of the tables of a LeRobot folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jepanet.learning.data.inside import refusal
from jepanet.learning.sources.lerobot.episodes import Recorded
from jepanet.learning.sources.lerobot.folder import ACTION, STATE, Info
from jepanet.learning.sources.lerobot.tables import read_columns, rows_of_numbers, whole_numbers

Rows = tuple[np.ndarray, np.ndarray]
"""actions float64 [L, A], state float64 [L, K] of one recording; K is 1, and all is 0, where it has none."""


def rows_of(info: Info, recordings: Sequence[Recorded]) -> Iterator[tuple[Recorded, Rows]]:
    """Rows of every recording, table by table.

    Raises:
        Fatal: a recording has other rows than were announced, or in another order (exit code `DATASET`).
    """
    tables: dict[str, list[Recorded]] = defaultdict(list)
    for item in recordings:
        tables[item.table].append(item)
    widths = {"episode_index": 1, "frame_index": 1, ACTION: info.actions}
    if info.state:
        widths[STATE] = info.state
    for name, inside in tables.items():
        columns = read_columns(info.folder, name, widths, info.frames)
        number = whole_numbers(columns["episode_index"], f"{name}: episode_index")
        frame = whole_numbers(columns["frame_index"], f"{name}: frame_index")
        actions = rows_of_numbers(columns[ACTION], info.actions, f"{name}: {ACTION}")
        felt = rows_of_numbers(columns[STATE], info.state, f"{name}: {STATE}") if info.state else None
        for item in inside:
            here = np.flatnonzero(number == item.index)
            if len(here) != item.length or (frame[here] != np.arange(item.length)).any():
                raise refusal(
                    f"{name}: recording {item.index} has not {item.length} rows, numbered from 0 in order"
                )
            yield item, (actions[here], np.zeros((item.length, 1)) if felt is None else felt[here])


@dataclass(frozen=True, slots=True)
class Scale:
    """Actions of [low, high] become [-1, 1], number by number; one that never changes becomes 0."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, actions: np.ndarray) -> np.ndarray:
        """float64 [..., A] -> float32, within [-1, 1]."""
        low, high = np.array(self.low), np.array(self.high)
        wide = np.where(high > low, high - low, 1.0)
        scaled = np.where(high > low, 2.0 * (actions - low) / wide - 1.0, 0.0)
        within: np.ndarray = np.clip(scaled, -1.0, 1.0).astype(np.float32)
        return within


@dataclass(frozen=True, slots=True)
class Survey:
    """What all rows of a folder say: the scale from the least to the largest action of any recording, and a
    digest of the rows of each, by its number. Who recorded the same twice has the same digest."""

    scale: Scale
    contents: Mapping[int, bytes]


def survey_of(info: Info, recordings: Sequence[Recorded]) -> Survey:
    """Raises: Fatal, as `rows_of`."""
    low, high = np.full(info.actions, np.inf), np.full(info.actions, -np.inf)
    contents: dict[int, bytes] = {}
    for item, (actions, felt) in rows_of(info, recordings):
        low, high = np.minimum(low, actions.min(axis=0)), np.maximum(high, actions.max(axis=0))
        contents[item.index] = hashlib.sha256(actions.tobytes() + felt.tobytes()).digest()
    return Survey(Scale(tuple(low.tolist()), tuple(high.tolist())), contents)
