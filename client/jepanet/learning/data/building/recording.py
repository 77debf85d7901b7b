"""What one shard of a dataset holds, and the order in which any simulator plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jepanet.learning.data.shards import Shard
from jepanet.learning.seeding import numpy_generator

Episode = tuple[np.ndarray, np.ndarray, np.ndarray]
"""frames uint8 [T, 3, S, S], actions float32 [T-1, A], state float32 [T, K]."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one shard holds: `episodes` of each site, `frames` long; no sites: a fresh random one each."""

    name: str
    seed: bytes
    sites: tuple[Any, ...]
    """Frozen dataclasses of the environment's own kind, each with a `number`."""
    episodes: int
    """Per site; the shard's total when `sites` is empty."""
    frames: int
    image: int
    hold: int
    """Simulator steps for which an action is held; one frame is kept after them."""
    build: str
    """Hex digest of everything the content depends on; kept in the shard's header."""


def record_episodes(
    recording: Recording,
    environment: str,
    draw_site: Callable[[np.random.Generator], Any],
    play: Callable[[Any, np.random.Generator, Recording], Episode],
) -> Shard:
    """Plays every episode of a shard; what `play` draws comes from the episode's own generator."""
    if recording.sites:
        order = [site for _ in range(recording.episodes) for site in recording.sites]
    else:
        order = [
            draw_site(numpy_generator(recording.seed, f"site {index}")) for index in range(recording.episodes)
        ]
    episodes = [
        play(site, numpy_generator(recording.seed, f"episode {index}"), recording)
        for index, site in enumerate(order)
    ]
    frames, actions, state = (np.stack(column) for column in zip(*episodes, strict=True))
    header = {"environment": environment, "name": recording.name, "build": recording.build}
    return Shard(frames, actions, state, tuple(site.number for site in order), header)
