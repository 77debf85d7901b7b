"""Names for the values every room speaks of. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType

Address = NewType("Address", str)
"""EIP-55 checksummed account address."""

Digest = NewType("Digest", bytes)
"""32 bytes: the SHA-256 of a blob's content. CIDs are derived from it (`jepanet.cid`)."""

ProjectId = NewType("ProjectId", int)
RoundId = NewType("RoundId", int)

ZERO_DIGEST = Digest(bytes(32))
MICRO = 1_000_000
"""Scores travel as integers in millionths (micro-nats per direction)."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block of one fork: a number alone never identifies a block."""

    number: int
    hash: bytes
    timestamp: int


class Role(StrEnum):
    """What a node does in a round. One process may hold several."""

    PROPOSER = "proposer"
    SOLVER = "solver"
    COORDINATOR = "coordinator"
    AGGREGATOR = "aggregator"


class Phase(IntEnum):
    """Phase of a round at one instant; the numbers equal `ITrainingRounds.Phase`."""

    NONE = 0
    COMMIT = 1
    GAP = 2
    REVEAL = 3
    VERIFY = 4
    CHALLENGE = 5
    DISPUTED = 6
    SETTLEABLE = 7
    SETTLED = 8
    CANCELLABLE = 9
    CANCELLED = 10


TERMINAL_PHASES = frozenset({Phase.SETTLED, Phase.CANCELLED})


class Verdict(IntEnum):
    """What a score sheet says of one delta; the numbers equal `ITrainingRounds.Verdict`."""

    NONE = 0
    ACCEPTED = 1
    """Merged; paid when its gain is positive."""
    EXCLUDED = 2
    """Not merged and not paid, no fault proved: the bond returns."""
    INVALID = 3
    """A fault anyone can recompute (form, base, non-finite): the bond is lost."""
    FEE = 4
    """Not a delta: a coordinator's fee leaf."""
