"""One part of a solver's training done again, and what a solver keeps for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from jepanet.records.marks import Range, Size
from jepanet.types import Digest
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.request import Number, Request

MAX_TRANSCRIPT_BYTES = 8 << 20
MAX_TOGETHER = 4096
"""Segments of one request."""


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """What a training leaves for audits, and where."""

    folder: Path
    """Of its states and losses; nothing else writes to it."""
    target: Path
    """Where to write the transcript."""
    key: Annotated[bytes, Size(32, 32)] = field(repr=False)
    """Hides the losses until auditors have reported."""


@dataclass(frozen=True, slots=True)
class KeptState:
    """A state file of a training."""

    step: int
    path: Path
    digest: Digest


@dataclass(frozen=True, slots=True)
class LeftForAudits:
    """What a training left."""

    transcript: Digest
    states: tuple[KeptState, ...]
    """Of all segments, in the order of steps."""


@dataclass(frozen=True, slots=True)
class AuditedSegment:
    """One segment against what its solver committed to."""

    differs: str | None
    """What came out otherwise first: `state` (of where it begins), `batch`, `data`, `streams`, `weights`,
    `optimiser`, `replay` (it leads nowhere); `segments` (they are not
    those of the rules: too few steps, or parts too long to repeat); of the last one also
    `taken` (what went in beside the training), `delta` and `left` (what came out); None where nothing did."""
    detail: str
    """Both digests, whole; how far apart the ends lie; or what went wrong."""
    losses: tuple[Number, ...]
    """Of its steps, as they came out here; none where it leads nowhere."""
    seconds: float
    share: Number | None = None
    """How far its end lies from the one here, as a share of how far it may; above 1 it differs. None where
    digests were compared, or nothing could be."""


@dataclass(frozen=True, slots=True)
class SegmentAgain:
    """One segment to do again."""

    number: Annotated[int, Range(0, 1 << 20)]
    state: Path | None
    """The state from which it goes on; None at the start."""
    after: Path | None = None
    """The state at its end, from which the distance is measured; None where digests are compared."""


@dataclass(frozen=True, slots=True)
class AuditedSegments:
    """Segments of one training, in the order in which they were asked for."""

    found: Annotated[tuple[AuditedSegment, ...], Size(0, MAX_TOGETHER)]


@dataclass(frozen=True, slots=True)
class AuditSegments(Request[AuditedSegments]):
    """Do segments of one training again; the last one with what is done to the weights after.

    One request for all that are drawn of a solver: the files of the round are read once.
    """

    job: ClassVar[str] = "audit_segments"

    round: RoundFiles
    shards: tuple[TrainingShard, ...]
    probe: Path | None
    seed: bytes
    transcript: Path
    segments: Annotated[tuple[SegmentAgain, ...], Size(1, MAX_TOGETHER)]
    residual: Path | None
    """What went into the delta beside the training; None where the transcript says so."""
    claimed: Path
    """The revealed delta."""
    left_before: Digest | None = None
    """`left` of the transcript of the delta that `residual` says it was left by; None where there is none."""


@dataclass(frozen=True, slots=True)
class AuditSegment(Request[AuditedSegment]):
    """Do segment `number` of a training again: `AuditSegments` of one."""

    job: ClassVar[str] = "audit_segment"

    round: RoundFiles
    shards: tuple[TrainingShard, ...]
    probe: Path | None
    seed: bytes
    transcript: Path
    number: Annotated[int, Range(0, 1 << 20)]
    state: Path | None
    residual: Path | None
    claimed: Path
    state_after: Path | None = None
    left_before: Digest | None = None
