"""What revealed deltas are worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from jepanet.protocol.documents.scores import Among, Metrics
from jepanet.records.marks import LeftOut
from jepanet.types import Address, Digest, Verdict
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.machine import ON_CPU, MeasuredOn
from jepanet.work.requests.request import Request


@dataclass(frozen=True, slots=True)
class ClaimedDelta:
    """A revealed delta as this node could fetch it."""

    solver: Address
    index: int
    """Order of commitment."""
    digest: Digest
    path: Path | None
    """None where no provider served it."""
    fault: str | None = None
    """Why its bytes were refused before they arrived, for example `too-large`."""


@dataclass(frozen=True, slots=True)
class ScoredDelta:
    """One node's finding on one delta. Gain and standard error in micro-nats per direction."""

    solver: Address
    digest: Digest
    verdict: Verdict
    reason: str
    detail: str
    gain: int
    stderr: int
    metrics: Metrics
    among: Annotated[Among | None, LeftOut()] = None
    """The same as one of fewer than were revealed, where the rules pay so."""


@dataclass(frozen=True, slots=True)
class ScoredDeltas:
    """What a round's deltas were found to be worth."""

    base_metrics: Metrics
    """Of the base model; empty if nothing could be scored."""
    judgements: tuple[ScoredDelta, ...]
    """In order of commitment."""
    where: Annotated[MeasuredOn, LeftOut()] = ON_CPU
    otherwise: Annotated[tuple[ScoredDelta, ...], LeftOut()] = ()
    """What a machine would find that measures a hair's breadth otherwise, where that decides whether anything
    can be scored: this node reports its own and agrees to either."""


@dataclass(frozen=True, slots=True)
class ScoreClaims(Request[ScoredDeltas]):
    """Judge every claimed delta of a round on its evaluation shard."""

    job: ClassVar[str] = "score_deltas"

    round: RoundFiles
    evaluation: EvaluationFiles
    claims: tuple[ClaimedDelta, ...]
    device: str = "cpu"
