"""What the laboratory does where nothing else is asked for. Imports nothing, so that help is quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SIMULATOR = "tworoom"
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
    """Training episodes of each solver."""
    unseen: int
    """Episodes of each unseen site."""
    control: int
    """Planning episodes of each kind; 0: none."""
    simulator: str = SIMULATOR
    arms: str = ARMS


COMPARISONS: Mapping[str, Defaults] = {
    "full": Defaults("tworoom-anneal", 8, "0,1,2,3,4", episodes=64, unseen=60, control=60),
    "small": Defaults("tworoom-small", 2, "0,1", episodes=16, unseen=20, control=20),
    "pusht": Defaults(
        "pusht-anneal", 8, "0,1,2", episodes=64, unseen=60, control=0,
        simulator="pusht", arms="start,local,fedavg,diloco,aligned,pooled",
    ),
}  # fmt: skip
