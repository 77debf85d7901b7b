"""Sizes of a dataset, whatever simulator it is recorded with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from jepanet.errors import Rejected
from jepanet.learning.data.manifest import MAX_EVALUATION_SHARDS
from jepanet.learning.data.scorable import LEAST_EPISODES_OF_A_SITE

PROBE_FRAMES = 4
"""Frames of one probe episode."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Size of a dataset. Episodes are per shard, public ones per public site; frames are per episode."""

    training_sites: int = 4
    episodes: int = 28
    frames: int = 32
    public_sites: int = 8
    """Of the warm start: one grey site, the others drawn. Many looks keep it from learning one."""
    public_episodes: int = 12
    probe_frames: int = 384
    evaluation_shards: int = 8
    evaluation_episodes: int = 20
    hidden_sites: int = 2
    image: int = 64
    hold: int = 4

    def __post_init__(self) -> None:
        bounds = {
            "training_sites": (1, 256),
            "episodes": (1, 10_000),
            "frames": (4, 1000),
            "public_sites": (1, 256),
            "public_episodes": (1, 10_000),
            "probe_frames": (PROBE_FRAMES, 100_000),
            "evaluation_shards": (1, MAX_EVALUATION_SHARDS),
            "evaluation_episodes": (4, 10_000),
            "hidden_sites": (1, 16),
            "image": (16, 128),
            "hold": (1, 64),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise Rejected(
                    f"dataset parameter {name} must be in [{low}, {high}]", reason="bad-parameters"
                )
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
        return asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Parameters:
        """Parameters from a mapping; what is missing keeps its default.

        Raises:
            Rejected: an unknown name or a value out of bounds.
        """
        unknown = sorted(set(tree) - {item.name for item in fields(cls)})
        if unknown:
            raise Rejected(f"unknown dataset parameters: {', '.join(unknown)[:200]}", reason="bad-parameters")
        return cls(**tree)


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
