"""Sizes of a dataset, whatever simulator it is recorded with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, cast

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
class Parameters:
    """Size of a dataset. Episodes are per shard, public ones per public site; frames are per episode."""

    training_sites: Annotated[int, Range(1, 256)] = 4
    episodes: Annotated[int, Range(1, 10_000)] = 28
    frames: Annotated[int, Range(4, 1000)] = 32
    public_sites: Annotated[
        int,
        Range(1, 256),
        "of the warm start: one grey site, the others drawn; many looks keep it from learning one",
    ] = 8
    public_episodes: Annotated[int, Range(1, 10_000)] = 12
    probe_frames: Annotated[int, Range(PROBE_FRAMES, 100_000)] = 384
    evaluation_shards: Annotated[int, Range(1, MAX_EVALUATION_SHARDS)] = 8
    evaluation_episodes: Annotated[int, Range(4, 10_000)] = 20
    hidden_sites: Annotated[int, Range(1, 16)] = 2
    image: Annotated[int, Range(16, 128)] = 64
    hold: Annotated[int, Range(1, 64)] = 4

    def __post_init__(self) -> None:
        check(self, "dataset parameters", _REFUSE)
        if self.image % 16:
            raise Rejected("dataset parameter image must be a multiple of 16", reason="bad-parameters")
        if self.evaluation_episodes < LEAST_EPISODES_OF_A_SITE * self.hidden_sites:
            raise Rejected(
                f"{self.evaluation_episodes} evaluation_episodes of {self.hidden_sites} hidden_sites: a "
                f"score needs {LEAST_EPISODES_OF_A_SITE} of each, one to fit and one to score; set "
                f"evaluation_episodes={LEAST_EPISODES_OF_A_SITE * self.hidden_sites} or more",
                reason="bad-parameters",
            )
        if self.evaluation_episodes % self.hidden_sites or self.probe_frames % PROBE_FRAMES:
            raise Rejected(
                f"evaluation_episodes must be a multiple of hidden_sites, probe_frames of {PROBE_FRAMES}",
                reason="bad-parameters",
            )

    def to_json(self) -> dict[str, int]:
        # Every field is a whole number.
        return cast(dict[str, int], _PARAMETERS.tree(self))

    @classmethod
    def from_json(cls, tree: Mapping[str, object]) -> Parameters:
        """Parameters from a mapping; what is missing keeps its default.

        Raises:
            Rejected: an unknown name or a value out of bounds.
        """
        return _PARAMETERS.read(dict(tree))


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
