"""Answers about trainings that were done again in parts. Digests are hex, whole."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.types import Address

REPRODUCED, DIFFERS, NOT_SERVED = "reproduced", "differs", "not served"


@dataclass(frozen=True, slots=True)
class SegmentAudit:
    """One segment of one solver's training."""

    solver: Address
    segment: int
    """From 0."""
    first: int
    """Steps done before it."""
    last: int
    found: str
    """`reproduced`, `differs` or `not served`."""
    differs: str | None
    """What came out otherwise first: `state`, `batch`, `data`, `streams`, `weights`, `optimiser`, `replay`,
    `segments`, `delta`, `left` or `taken`."""
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was done again of the trainings of one round."""

    round: int
    agrees: bool
    """Whether nothing came out otherwise; what nobody serves does not agree either."""
    segments: tuple[SegmentAudit, ...]
    build: str
    """On which digests were compared."""
