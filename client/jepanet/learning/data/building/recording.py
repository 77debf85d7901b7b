"""What one shard of a dataset is to hold, and the order in which any simulator plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field
from typing import ClassVar, Protocol, TypeVar, cast

import numpy as np

from jepanet.learning.data.shards import Shard, recorded
from jepanet.learning.seeding import numpy_generator
from jepanet.nesting import Json

Episode = tuple[np.ndarray, np.ndarray, np.ndarray]
"""frames uint8 [T, 3, S, S], actions float32 [T-1, A], state float32 [T, K]."""


class NumberedSite(Protocol):
    """A site of any simulator or source: a frozen dataclass of its own kind, with a number."""

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
    """Of an episode; 1 where it is a single thing."""
    image: int
    """Side of its pictures in pixels; 0 where it has none."""
    hold: int
    """Simulator steps for which an action is held; one frame is kept after them."""
    build: str
    """Hex digest of everything the content depends on; kept in the shard's header."""
    own: Mapping[str, int] = field(default_factory=dict)
    """Sizes that its source alone knows."""

    def header(self, environment: str) -> dict[str, Json]:
        """The header of the shard that it becomes, recorded in `environment`."""
        return {"environment": environment, "name": self.name, "build": self.build}


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
    numbers = tuple(site.number for site in order)
    return recorded(frames, actions, state, numbers, recording.header(environment))
