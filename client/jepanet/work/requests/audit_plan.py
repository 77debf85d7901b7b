"""What is to be fetched before a training can be audited: read by the worker, which knows the files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from jepanet.records.marks import Range, Size
from jepanet.types import Address, Digest, RoundId
from jepanet.work.requests.files import RoundFiles
from jepanet.work.requests.request import Request


@dataclass(frozen=True, slots=True)
class Named:
    """The file that another names."""

    digest: Digest | None
    """None where the bytes name none as the format asks for it."""


@dataclass(frozen=True, slots=True)
class NameTranscript(Request[Named]):
    """Which transcript does a delta of untrusted bytes name?"""

    job: ClassVar[str] = "name_transcript"

    delta: Path
    max_bytes: Annotated[int, Range(1, 1 << 40)]


@dataclass(frozen=True, slots=True)
class NameSource(Request[Named]):
    """Which delta does a residual of untrusted bytes say that it was left by?"""

    job: ClassVar[str] = "name_source"

    residual: Path


@dataclass(frozen=True, slots=True)
class NameCarried(Request[Named]):
    """What does a residual of untrusted bytes hold, told as transcripts tell of what is left out?"""

    job: ClassVar[str] = "name_carried"

    residual: Path


@dataclass(frozen=True, slots=True)
class NameLeft(Request[Named]):
    """What did a delta leave out, as its transcript of untrusted bytes says?"""

    job: ClassVar[str] = "name_left"

    transcript: Path
    spec: Digest
    """Of the rules of its round."""


@dataclass(frozen=True, slots=True)
class DrawnSegment:
    """A segment to do again."""

    number: Annotated[int, Range(0, 1 << 20)]
    state: Digest | None
    """Of the file from which it goes on; None at the start."""
    final: bool
    """Whether it ends in the delta."""
    after: Digest | None = None
    """Of the file at its end, where distances are compared."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """Which segments of a training are audited, and what that takes."""

    segments: tuple[DrawnSegment, ...]
    """Ascending; none where the transcript itself is wrong."""
    taken: Digest | None
    """File of what the delta before left out, which the last segment takes."""
    wrong: str | None = None
    """What a wrong transcript differs in, as `AuditedSegment.differs`, or `transcript`: its form."""
    detail: str = ""
    tolerant: bool = False
    """Whether distances are compared."""


@dataclass(frozen=True, slots=True)
class PlanAudit(Request[AuditPlan]):
    """Draw the segments of a solver's training that are audited."""

    job: ClassVar[str] = "plan_audit"

    round: RoundFiles
    transcript: Path
    beacon: Annotated[bytes, Size(32, 32)]
    round_id: RoundId
    solver: Address
