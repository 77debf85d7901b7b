"""What is seen of a round while it is watched, and what has happened in it between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from jepanet.operations.views.json_form import MERGED, Wei
from jepanet.operations.views.rounds import (
    Commitment,
    ExplainedReceipt,
    FeeReceipt,
    Receipt,
    ReceiptInWords,
    Reward,
    RoundFigures,
    RoundSchedule,
    ScoreRow,
)
from jepanet.types import Address


@dataclass(frozen=True, slots=True)
class Measurements:
    """What one coordinator measured of every delta, as it says."""

    coordinator: Address
    rows: tuple[ScoreRow, ...]


@dataclass(frozen=True, slots=True)
class SeenRound:
    """All that a node tells of one round at a moment. `reward` is what the round grants its wallet, if it
    took part; `receipts` are there once the score sheet is."""

    figures: RoundFigures
    schedule: RoundSchedule
    commitments: tuple[Commitment, ...]
    measurements: tuple[Measurements, ...]
    receipts: tuple[ExplainedReceipt, ...]
    reward: Reward | None


@dataclass(frozen=True, slots=True)
class PhaseBegan:
    """`ends`: when it ends at the latest, in seconds of Unix; None: something else than the clock ends it."""

    EVENT: ClassVar = "phase"

    round: int
    project: int
    phase: str
    cause: str | None
    ends: int | None


@dataclass(frozen=True, slots=True)
class Committed:
    EVENT: ClassVar = "committed"

    round: int
    solver: Address


@dataclass(frozen=True, slots=True)
class ShardDrawn:
    """A block has drawn the evaluation shard, which is still sealed."""

    EVENT: ClassVar = "drawn"

    round: int


@dataclass(frozen=True, slots=True)
class ShardUnsealed:
    """The proposer has shown the evaluation shard that was drawn."""

    EVENT: ClassVar = "unsealed"

    round: int


@dataclass(frozen=True, slots=True)
class Revealed:
    EVENT: ClassVar = "revealed"

    round: int
    solver: Address
    delta: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One coordinator's measurement of one delta; gain and its standard error in micro-nats."""

    EVENT: ClassVar = "measured"

    round: int
    coordinator: Address
    row: ScoreRow = field(metadata=MERGED)


@dataclass(frozen=True, slots=True)
class ResultRecorded:
    """The chain has the result: the merged model's gain in micro-nats, and what is paid in all."""

    EVENT: ClassVar = "recorded"

    round: int
    improvement: int
    payout: Wei


@dataclass(frozen=True, slots=True)
class Merged:
    """The score sheet is read: whether the merged model became the next one, and if not, why."""

    EVENT: ClassVar = "merged"

    round: int
    published: bool
    note: str


@dataclass(frozen=True, slots=True)
class Earned:
    """A solver's receipt, as figures and in words."""

    EVENT: ClassVar = "receipt"

    words: ReceiptInWords = field(metadata=MERGED)
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class FeeEarned:
    EVENT: ClassVar = "fee"

    round: int
    fee: FeeReceipt = field(metadata=MERGED)


@dataclass(frozen=True, slots=True)
class RewardKnown:
    """What the round grants the wallet of the node that is asked, and how far its claim is. `bond`: what its
    solver gets back whole with the claim; None where there is no such bond."""

    EVENT: ClassVar = "reward"

    reward: Reward = field(metadata=MERGED)
    bond: Wei | None


Happening = (
    PhaseBegan
    | Committed
    | ShardDrawn
    | ShardUnsealed
    | Revealed
    | Measured
    | ResultRecorded
    | Merged
    | Earned
    | FeeEarned
    | RewardKnown
)
