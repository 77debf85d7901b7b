"""Deltas into the next model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from jepanet.protocol.documents.scores import Metrics
from jepanet.records.marks import LeftOut
from jepanet.types import Digest, RoundId
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.machine import ON_CPU, MeasuredOn
from jepanet.work.requests.request import Request


@dataclass(frozen=True, slots=True)
class AcceptedDelta:
    """A delta to merge."""

    digest: Digest
    path: Path


@dataclass(frozen=True, slots=True)
class MergedModel:
    """A merged model and how it compares with its base. Improvement and error in micro-nats per direction."""

    digest: Digest
    published: bool
    """Whether it improves the score and no guard objects; `note` says why not."""
    improvement: int
    stderr: int
    note: str
    metrics: Metrics
    """Of the base as `before.NAME`, of the merged model as `after.NAME`."""
    update: Annotated[Digest | None, LeftOut()] = None
    """Of the coded update's file; None exactly where the spec has no update rule."""
    remainder: Annotated[Digest | None, LeftOut()] = None
    """Of the file that holds what the update's code left out; None where the next merge takes none."""
    where: Annotated[MeasuredOn, LeftOut()] = ON_CPU
    dropped: Annotated[tuple[Digest, ...], LeftOut()] = ()
    """Which of the deltas are not in it, since they made it worse, in the order in which they left; none
    where the spec drops none."""
    norms: Annotated[tuple[tuple[Digest, int], ...], LeftOut()] = ()
    """Of each delta as it was revealed, in billionths of the base's, where the spec has a reference norm."""


@dataclass(frozen=True, slots=True)
class MergeDeltas(Request[MergedModel]):
    """Merge deltas into the model of the next round, write it to `target`, measure it.

    Where the spec says so, what makes the merge worse is dropped (`federation.judging.repair`).
    """

    job: ClassVar[str] = "merge_deltas"

    round: RoundFiles
    evaluation: EvaluationFiles
    deltas: tuple[AcceptedDelta, ...]
    number: RoundId
    """The round's id, which the model file carries."""
    target: Path
    device: str = "cpu"
    """Where the merged model is measured."""
    remainder: Path | None = None
    """What the code of the base's update left out: the file that the base's header names. Needed where the
    spec has an update rule that carries it and the base has one."""
    update_target: Path | None = None
    """Where to write the update, needed where the spec has an update rule."""
    remainder_target: Path | None = None
    """Where to write what its code leaves out, needed where the spec's update rule carries that on."""
    dropped: tuple[Digest, ...] | None = None
    """Which of the deltas somebody else dropped, in that order, to be held against what is measured here:
    the model is made as theirs, or the job is refused (`drops-disagree`). None: what is measured here
    decides."""
