"""Sizes of a dataset, whatever it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from jepanet.errors import Rejected
from jepanet.learning.data.manifest import MAX_EVALUATION_SHARDS
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE
from jepanet.records.codec import Codec, check, rejected
from jepanet.records.kinds import Spelling
from jepanet.records.marks import Range

_REFUSE = rejected("bad-parameters")
PROBE_FRAMES = 4
"""Frames of one probe episode."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many shards a dataset has, and how many episodes are in each, whatever they hold.

    Episodes are per training shard, per evaluation shard, and per public site. A source whose episodes have
    sizes of their own adds them as fields, all of them whole numbers.
    """

    training_sites: Annotated[int, Range(1, 256)] = 4
    episodes: Annotated[int, Range(1, 10_000)] = 28
    public_sites: Annotated[
        int,
        Range(1, 256),
        "of the warm start: one grey site, the others drawn; many looks keep it from learning one",
    ] = 8
    public_episodes: Annotated[int, Range(1, 10_000)] = 12
    evaluation_shards: Annotated[int, Range(1, MAX_EVALUATION_SHARDS)] = 8
    evaluation_episodes: Annotated[int, Range(4, 10_000)] = 20
    hidden_sites: Annotated[int, Range(1, 16)] = 2

    def __post_init__(self) -> None:
        check(self, "dataset parameters", _REFUSE)
        if self.evaluation_episodes < LEAST_EPISODES_OF_A_SITE * self.hidden_sites:
            raise Rejected(
                f"{self.evaluation_episodes} evaluation_episodes of {self.hidden_sites} hidden_sites: a "
                f"score needs {LEAST_EPISODES_OF_A_SITE} of each, one to fit and one to score; set "
                f"evaluation_episodes={LEAST_EPISODES_OF_A_SITE * self.hidden_sites} or more",
                reason="bad-parameters",
            )
        if self.evaluation_episodes % self.hidden_sites:
            raise Rejected("evaluation_episodes must be a multiple of hidden_sites", reason="bad-parameters")

    @property
    def frames(self) -> int:
        """Of an episode: 1 where it is a single thing."""
        return 1

    @property
    def probe_frames(self) -> int:
        """In all probe episodes: 0 where the dataset has none."""
        return 0

    @property
    def image(self) -> int:
        """Side of its square pictures in pixels; 0 where it has none."""
        return 0

    @property
    def hold(self) -> int:
        """Steps for which an action is held; 1 where nothing acts."""
        return 1

    def own(self) -> dict[str, int]:
        """The sizes that its source alone knows."""
        return {name: value for name, value in self.to_json().items() if name not in _KNOWN}

    def to_json(self) -> dict[str, int]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class Parameters(Counts):
    """Size of a dataset that is recorded with a simulator; frames are per episode."""

    frames: Annotated[int, Range(4, 1000)] = 32
    probe_frames: Annotated[int, Range(PROBE_FRAMES, 100_000)] = 384
    image: Annotated[int, Range(16, 512)] = 64
    hold: Annotated[int, Range(1, 64)] = 4

    def __post_init__(self) -> None:
        Counts.__post_init__(self)
        if self.image % 16:
            raise Rejected("dataset parameter image must be a multiple of 16", reason="bad-parameters")
        if self.probe_frames % PROBE_FRAMES:
            raise Rejected(f"probe_frames must be a multiple of {PROBE_FRAMES}", reason="bad-parameters")

    @classmethod
    def from_json(cls, tree: Mapping[str, object]) -> Parameters:
        """Parameters from a mapping; what is missing keeps its default.

        Raises:
            Rejected: an unknown name or a value out of bounds.
        """
        return _PARAMETERS.read(dict(tree))


_KNOWN = frozenset(item.name for item in fields(Parameters))
_PARAMETERS = Codec(
    Parameters,
    "dataset parameters",
    spelling=Spelling(defaults=True),
    refuse=_REFUSE,
)
TINY = Parameters(
    training_sites=2,
    episodes=4,
    frames=8,
    public_sites=1,
    public_episodes=4,
    probe_frames=8,
    evaluation_shards=2,
    evaluation_episodes=4,
    hidden_sites=2,
    image=32,
)
