"""A solver's delta, the same delta again for an audit, and the model of round 0."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from jepanet.records.marks import LeftOut
from jepanet.types import Digest
from jepanet.work.requests.auditing import AuditPlace, LeftForAudits
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.machine import ONE_PROCESS, CheckpointPlace, Processes
from jepanet.work.requests.request import Number, Request


@dataclass(frozen=True, slots=True)
class TrainedDelta:
    """The delta file of one training."""

    digest: Digest
    residual: Digest | None
    """Digest of the file that holds what a lossy codec left out; None where the codec leaves nothing out."""
    turned_degrees: float
    """Rms angle by which training had turned the latent frame against the base's; 0 without probe frames."""
    bytes: int
    steps: int
    metrics: dict[str, Number]
    """By name: first and last loss, its terms at the last step, the largest gradient norm."""
    seconds: float
    trace: Digest | None = None
    """Digest of the file that holds the trace of the training's state; None where none was asked for."""
    status: str = "ok"
    """`ok`, or `early_stop` where the recipe's guard found nothing to gain in going on."""
    left: Annotated[LeftForAudits | None, LeftOut()] = None
    """For audits; None where nothing was asked for."""


@dataclass(frozen=True, slots=True)
class TrainDelta(Request[TrainedDelta]):
    """Train from the round's base on what its solver was assigned; write the encoded delta to `target`."""

    job: ClassVar[str] = "train_delta"

    round: RoundFiles
    shards: tuple[TrainingShard, ...]
    """In the order in which they are trained on."""
    probe: Path | None
    """Public frames on which the latent frame is compared with the base's; None: it stays as trained."""
    residual: Path | None
    """What the delta before this one left out, to be added to this one."""
    seed: bytes
    target: Path
    residual_target: Path
    """Where to write what this delta leaves out; not written by a codec that leaves nothing out."""
    device: str = "cpu"
    checkpoints: CheckpointPlace | None = None
    """Where the training is taken up if it was killed before; None: it always begins anew."""
    trace_target: Path | None = None
    """Where to write the trace of the training's state."""
    processes: Processes = ONE_PROCESS
    audit: AuditPlace | None = None
    """What to leave for audits, in rounds whose rules ask for it."""
    public: Path | None = None
    """Public episodes on which the base is scored before anything is trained; None: it is taken as it is."""


@dataclass(frozen=True, slots=True)
class RepeatedTraining:
    """A revealed delta against one trained again."""

    same: bool
    """Whether the bytes are equal, as they are on the same machine type and build."""
    cosine: float
    """Between the two deltas: 1 up to rounding on another build, far below for another seed."""


@dataclass(frozen=True, slots=True)
class RepeatTraining(Request[RepeatedTraining]):
    """Do a training again and compare its delta with the revealed file `claimed`."""

    job: ClassVar[str] = "repeat_training"

    training: TrainDelta
    claimed: Path


@dataclass(frozen=True, slots=True)
class FirstModel:
    """The model file of round 0."""

    digest: Digest
    bytes: int


@dataclass(frozen=True, slots=True)
class MakeFirstModel(Request[FirstModel]):
    """Make the public warm start of a project from recipe, public shard and seed; write it to `target`."""

    job: ClassVar[str] = "first_model"

    recipe: Path
    shard: Path
    seed: bytes
    target: Path
    device: str = "cpu"
