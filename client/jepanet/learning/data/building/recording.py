"""What one shard of a dataset holds, and the order in which any simulator plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass
from typing import ClassVar, Protocol, TypeVar, cast

import numpy as np

from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.seeding import numpy_generator

Episode = tuple[np.ndarray, np.ndarray, np.ndarray]
"""frames uint8 [T, 3, S, S], actions float32 [T-1, A], state float32 [T, K]."""


class NumberedSite(Protocol):
    """A site of any simulator: a frozen dataclass of the simulator's own kind, with a number."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    @property
    def number(self) -> int: ...


S = TypeVar("S", bound=NumberedSite)


@dataclass(frozen=True, slots=True)
class Recording:
    """What one shard holds: `episodes` of each site, `frames` long; no sites: a fresh random one each."""

    name: str
    seed: bytes
    sites: tuple[NumberedSite, ...]
    """All of the environment's own kind."""
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
    draw_site: Callable[[np.random.Generator], S],
    play: Callable[[S, np.random.Generator, Recording], Episode],
) -> Shard:
    """Plays every episode of a shard; what `play` draws comes from the episode's own generator."""
    if recording.sites:
        sites = cast("tuple[S, ...]", recording.sites)
        order = [site for _ in range(recording.episodes) for site in sites]
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
    return recorded(frames, actions, state, tuple(site.number for site in order), header)
