"""A running node at a glance: what `jepanet top` shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jepanet.operations.views.activity import TrainingNow, Transfer
from jepanet.operations.views.funds import Account
from jepanet.operations.views.node import Health, NodeStatus
from jepanet.operations.views.rounds import Reward, RoundSchedule, RoundSummary


class Weight(StrEnum):
    """How much something matters: it keeps the node from its work, or is to be seen to."""

    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Worry:
    """Something to worry about now, and what to do; commands stand in backquotes."""

    weight: Weight
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that is not over."""

    summary: RoundSummary
    schedule: RoundSchedule


@dataclass(frozen=True, slots=True)
class Overview:
    """`rounds`: those that are open, `rewards`: those of the newest rounds, both the newest first; `account`:
    None where no endpoint tells; `worries`: the worst first."""

    status: NodeStatus
    health: Health
    account: Account | None
    rounds: tuple[OpenRound, ...]
    rewards: tuple[Reward, ...]
    training: TrainingNow | None
    transfers: tuple[Transfer, ...]
    worries: tuple[Worry, ...]
