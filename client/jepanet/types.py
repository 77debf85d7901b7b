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
    """Phase of a round at one instant; the numbers equal the contracts' `Phase`."""

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
    """What a score sheet says of one delta; the numbers equal the contracts' `Verdict`."""

    NONE = 0
    ACCEPTED = 1
    """Merged; paid when its gain is positive."""
    EXCLUDED = 2
    """Not merged and not paid, no fault proved: a part of the bond is lost."""
    INVALID = 3
    """A fault anyone can recompute (form, base, non-finite): the bond is lost."""
    FEE = 4
    """Not a delta: a coordinator's fee leaf."""
    SPARED = 5
    """Not merged and not paid, through no fault of its own: the whole bond returns."""


class Standing(IntEnum):
    """What became of one address in one round; the numbers equal the contracts' `Standing`."""

    NONE = 0
    COMMITTED = 1
    REVEALED = 2
    RELEASED = 3
    SLASHED = 4
    VERIFIER = 5
    VERIFIER_PAID = 6


class CancelCause(IntEnum):
    """Why a round was cancelled; the numbers equal the contracts' `CancelCause`."""

    NONE = 0
    NO_COMMITS = 1
    NOT_UNSEALED = 2
    NO_REVEALS = 3
    EXPIRED = 4
    """No result was recorded in time."""
    OVERTURNED = 5


class SlashCause(IntEnum):
    """Why somebody lost a bond or stake; the numbers equal the contracts' `SlashCause`."""

    NONE = 0
    NOT_REVEALED = 1
    """A solver committed and did not reveal."""
    INVALID = 2
    """A solver's delta has a fault that anyone can recompute."""
    EQUIVOCATION = 3
    """A verifier signed two results of one round."""
    OVERTURNED = 4
    """A verifier signed a result that the arbiter overturned."""
    CHALLENGE_REJECTED = 5
    """A challenger disputed a result that stood."""
    NOT_UNSEALED = 6
    """A proposer did not unseal the drawn evaluation shard."""
    EXCLUDED = 7
    """A solver's delta was excluded: the part of its bond that this costs."""


class ClaimKind(IntEnum):
    """What a claim paid; the numbers equal the contracts' `ClaimKind`."""

    REWARD = 0
    FEE = 1
    UNSEAL_SHARE = 2
    """A revealer's share of a forfeited unseal bond."""


class Readiness(IntEnum):
    """Whether a verifier set could carry a round now, or why not; the contracts' `Readiness`."""

    READY = 0
    UNKNOWN = 1
    """There is no such set."""
    NOT_JOINED = 2
    STAKE_TOO_LOW = 3
    CAP_EXHAUSTED = 4
