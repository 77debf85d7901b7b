"""Answers about trainings that were done again in parts. Digests are hex, whole."""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.operations.views.json_form import Wei
from jepanet.types import Address

REPRODUCED, DIFFERS, NOT_SERVED = "reproduced", "differs", "not served"
OTHER_BUILD, UNHELD = "other build", "not held"


@dataclass(frozen=True, slots=True)
class SegmentAudit:
    """One segment of one solver's training."""

    solver: Address
    segment: int | None
    """From 0; None where no segment could be done again."""
    first: int
    """Steps done before it."""
    last: int
    found: str
    """`reproduced`, `differs`, `not served`, `other build`, or `not held`: reproduced with something that the
    solver may have made up."""
    differs: str | None
    """What came out otherwise first: `state`, `batch`, `data`, `streams`, `weights`, `optimiser`, `replay`,
    `segments`, `build`, `delta`, `left`, `taken` or `transcript`."""
    detail: str
    seconds: float
    share: float | None = None
    """How far the end lies from the one here, as a share of how far honest ends may; above 1 it differs. None
    where digests were compared, or nothing could be."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was done again of the trainings of one round."""

    round: int
    agrees: bool
    """Whether nothing came out otherwise; what nobody serves does not agree either."""
    segments: tuple[SegmentAudit, ...]
    build: str
    """On which digests were compared."""
    drawn: tuple[Address, ...] | None = None
    """Whose training the round's beacon drew, of those that revealed; None where its rules draw nobody, or
    before there is a beacon."""


@dataclass(frozen=True, slots=True)
class Deterring:
    """What a round's bond is worth against what its audits find."""

    deters: bool
    """Whether it does not pay to alter a trained delta, which is met whenever a solver is drawn."""
    chance: float
    """With which a solver is drawn."""
    most_paid: Wei
    """That one delta is paid."""
    bond: Wei
    least_bond: Wei
    """From which that does not pay."""
    between: int
    """Segments between the first and the last."""
    undeterred: int
    """In so many of those a cheat may still pay; 0: in none."""
    least_for_one: Wei | None
    """Bond from which a cheat in a single one does not pay; None: no bond is enough."""
    words: tuple[str, ...]
    """The same in sentences."""
