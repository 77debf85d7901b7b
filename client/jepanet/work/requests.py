"""What the worker can be asked to do: one frozen record a job, and one frozen record for its result.

A job reads files and writes files, so a request holds paths and never bytes of models or shards. Given the
same files, a job gives the same bytes on the same machine and build; merging gives them on every CPU.

`device`, as torch spells it ("cpu", "cuda:0"; of several processes "cpu" or "cuda"), is where a job trains or
measures. A node trains on the device that its operator names and leaves scoring and merging on the CPU: their
numbers are held against those of other nodes, within a round's `score_tolerance`. The frames by which latents
are aligned are encoded on the CPU in any case, and merging itself runs no network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from jepanet.protocol.documents.scores import Metrics
from jepanet.records.marks import LeftOut, OneOf, Range
from jepanet.types import Address, Digest, RoundId, Verdict

R = TypeVar("R", covariant=True)
Number = Annotated[float, Range(-sys.float_info.max, sys.float_info.max)]
"""Any finite number: what is measured of a stranger's model has no other bounds."""


class Request(Generic[R]):
    """One job; `R` is the record that it answers with."""

    __slots__ = ()

    job: ClassVar[str]
    """Its name on the wire between node and worker, in the status file and in error messages."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job is: `step` (from 1) of `steps`, and the loss of that step where it trains."""

    step: int
    steps: int
    loss: Number | None = None
    measures: dict[str, Number] = field(default_factory=dict)
    """Whatever else of this step is worth a curve, by name; jobs of a node leave it empty."""


OnProgress = Callable[[Progress], None]
Job = Callable[[Any, OnProgress], object]
"""What does one kind of request: takes the request, returns the record that it asks for."""
JobTable = Mapping[type[Request[object]], Job]


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """The files every job about a round reads: base model, recipe and round spec."""

    base: Path
    recipe: Path
    spec: Path


@dataclass(frozen=True, slots=True)
class EvaluationFiles:
    """An unsealed evaluation shard, and the dataset manifest that announced it."""

    shard: Path
    manifest: Path


# ------------------------------------------------------------------ training


@dataclass(frozen=True, slots=True)
class CheckpointPlace:
    """Where one training keeps its checkpoints: a folder of its own, and the bytes that they may take."""

    folder: Path
    budget: int
    pause: float = 50.0
    """Times as long as writing one took until the next is written."""


DDP, FSDP2 = "ddp", "fsdp2"


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes of this machine do one training together, and how they hold its model. Each has one
    thread, and on CUDA a GPU of its own; their number changes rounding and nothing else."""

    count: Annotated[int, Range(1, 1024)] = 1
    way: Annotated[str, OneOf((DDP, FSDP2))] = DDP
    """`ddp`: whole on each. `fsdp2`: each has a part of weights, gradients and moments."""


ONE_PROCESS = Processes()


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


@dataclass(frozen=True, slots=True)
class TrainDelta(Request[TrainedDelta]):
    """Train from the round's base on one shard; write the encoded delta to `target`."""

    job: ClassVar[str] = "train_delta"

    round: RoundFiles
    shard: Path
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


@dataclass(frozen=True, slots=True)
class TrainedBase:
    """A model to begin with, and the recipe that it was trained by."""

    model: Path
    recipe: Path


@dataclass(frozen=True, slots=True)
class TrainedLocally:
    """A model that was trained by hand."""

    digest: Digest
    bytes: int
    steps: int
    status: str
    """`ok` or `early_stop`."""
    metrics: dict[str, Number]
    seconds: float
    """Of this call alone."""


@dataclass(frozen=True, slots=True)
class TrainLocally(Request[TrainedLocally]):
    """Train on shards of one's own by the loop that solvers train by; write a model file to `target`.

    Progress carries every measured number of a step.
    """

    job: ClassVar[str] = "train_locally"

    recipe: Path
    shards: tuple[Path, ...]
    base: TrainedBase | None
    """None: random weights."""
    seed: bytes
    target: Path
    trace_target: Path
    checkpoints: CheckpointPlace | None
    device: str = "cpu"
    processes: Processes = ONE_PROCESS


@dataclass(frozen=True, slots=True)
class PlannedTraining:
    """What a training would take, measured on a few of its steps."""

    parameters: int
    steps: int
    samples: int
    """Examples seen, repetitions included."""
    examples: int
    """Different ones there are to train on."""
    memory: int
    """Most bytes that its processes held while they did a few steps."""
    flops: int
    """Floating-point operations of all steps, forward and backward."""
    seconds_per_step: float


@dataclass(frozen=True, slots=True)
class PlanTraining(Request[PlannedTraining]):
    """Measure a few steps of a training, and write nothing."""

    job: ClassVar[str] = "plan_training"

    recipe: Path
    shards: tuple[Path, ...]
    device: str = "cpu"
    processes: Processes = ONE_PROCESS


# ------------------------------------------------------------------ scoring


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


@dataclass(frozen=True, slots=True)
class ScoredDeltas:
    """What a round's deltas were found to be worth."""

    base_metrics: Metrics
    """Of the base model; empty if nothing could be scored."""
    judgements: tuple[ScoredDelta, ...]
    """In order of commitment."""


@dataclass(frozen=True, slots=True)
class ScoreClaims(Request[ScoredDeltas]):
    """Judge every claimed delta of a round on its evaluation shard."""

    job: ClassVar[str] = "score_deltas"

    round: RoundFiles
    evaluation: EvaluationFiles
    claims: tuple[ClaimedDelta, ...]
    device: str = "cpu"


# ------------------------------------------------------------------ merging


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


@dataclass(frozen=True, slots=True)
class MergeDeltas(Request[MergedModel]):
    """Merge deltas into the model of the next round, write it to `target`, measure it."""

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


@dataclass(frozen=True, slots=True)
class DerivedModel:
    """A model made from the one before it."""

    digest: Digest | None
    """Of what was made: the expected one, or another, which was not kept; None if an input is unusable."""
    update: Digest | None
    """Of the coded update, where the spec has a rule for it."""
    remainder: Digest | None
    """Of the remainder that the next merge takes, where there is one. Its file was written on route A."""
    cause: str
    """Why there is no model with the expected digest, beginning with what is wrong: `base`, `spec`, `delta`,
    `update`, `remainder`, `codec`, `order` or `build`; empty when there is one."""


@dataclass(frozen=True, slots=True)
class DeriveModel(Request[DerivedModel]):
    """Make the model of a recorded round from the model before it; write it to `target` if it is `expected`.

    Route A takes the deltas that the round accepted, route B its coded update. Nothing is measured. A file
    with another digest than `expected` is not left at `target`.
    """

    job: ClassVar[str] = "derive_model"

    round: RoundFiles
    """Of the round that made the model."""
    number: RoundId
    deltas: tuple[AcceptedDelta, ...]
    """Route A; empty on route B."""
    update: AcceptedDelta | None
    """Route B: digest and file of the update."""
    remainder: Path | None
    """Route A under an update rule that carries: the file that the base's header names, if it names one."""
    expected: Digest
    target: Path
    update_target: Path | None = None
    """Route A under an update rule: where to write the update."""
    remainder_target: Path | None = None
    """Route A under an update rule that carries: where to write the new remainder."""


# ------------------------------------------------------------------ measuring


@dataclass(frozen=True, slots=True)
class MeasuredModels:
    """Held-out metrics by name, each the mean over the shards; one dictionary a model, in the order given."""

    metrics: tuple[dict[str, Number], ...]


@dataclass(frozen=True, slots=True)
class MeasureModels(Request[MeasuredModels]):
    """Measure several models on the same shards, so that they can be compared."""

    job: ClassVar[str] = "measure_models"

    recipe: Path
    models: tuple[Path, ...]
    shards: tuple[Path, ...]
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class ProbedDevice:
    """What a device was found to compute with: the version of torch, and its threads."""

    torch: str
    threads: int


@dataclass(frozen=True, slots=True)
class ProbeDevice(Request[ProbedDevice]):
    """Find out whether the worker computes on a device, for `jepanet node check`."""

    job: ClassVar[str] = "probe_device"

    device: str
    processes: int = 1
    """That are to train there together."""
