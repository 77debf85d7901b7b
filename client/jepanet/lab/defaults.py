"""What the laboratory does where nothing else is asked for. Imports nothing, so that help is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIMULATOR = "tworoom"
PACKAGE_ARMS = "start,local,network,frozen-encoder,pooled,pooled-wide"
"""Where models are compared on a package of pictures or texts."""
ARMS = "start,local,naive,naive-anchored,fedavg,diloco,aligned,anchored,frozen-encoder,pooled"
STUDY_NAMES = ("ablation", "robust", "codecs", "updates", "planning", "schedule", "schedule-pusht")
"""`planning` is `lab.planning_study`; the others are the keys of `lab.studies.STUDIES`."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """One size of `jepanet lab compare`, by its `--preset`."""

    recipe: str
    rounds: int
    seeds: str
    episodes: int
    """Training episodes of each solver; pictures or pairs of a package."""
    unseen: int
    """Episodes of each unseen site."""
    control: int
    """Planning episodes of each kind; 0: none."""
    simulator: str = SIMULATOR
    """Or the package that the data are from."""
    arms: str = ARMS


COMPARISONS: Mapping[str, Defaults] = {
    "full": Defaults("tworoom-anneal", 8, "0,1,2,3,4", episodes=64, unseen=60, control=60),
    "small": Defaults("tworoom-small", 2, "0,1", episodes=16, unseen=20, control=20),
    "pusht": Defaults(
        "pusht-anneal", 8, "0,1,2", episodes=64, unseen=60, control=0,
        simulator="pusht", arms="start,local,fedavg,diloco,aligned,pooled",
    ),
    "image": Defaults(
        "image-tiny", 3, "0,1,2", episodes=1260, unseen=100, control=0, simulator="emoji", arms=PACKAGE_ARMS
    ),
    "language": Defaults(
        "language-tiny", 3, "0,1,2", episodes=1800, unseen=200, control=0, simulator="words",
        arms=PACKAGE_ARMS,
    ),
}  # fmt: skip
