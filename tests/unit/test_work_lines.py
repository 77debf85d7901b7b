"""What node and worker write to each other: every request and result arrives as it was, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jepanet.errors import Exit, Rejected, Transient
from jepanet.roles.steps.scoring import MEASURED
from jepanet.types import Address, Digest, RoundId, Verdict
from jepanet.work.jobs import JOBS
from jepanet.work.lines import (
    Failure,
    call_line,
    error_of,
    failure_line,
    failure_of,
    number_of,
    progress_line,
    read_call,
    read_reply,
    result_line,
    result_of,
)
from jepanet.work.requests.audit_plan import (
    AuditPlan,
    DrawnSegment,
    NameCarried,
    Named,
    NameLeft,
    NameSource,
    NameTranscript,
    PlanAudit,
)
from jepanet.work.requests.auditing import (
    AuditedSegment,
    AuditedSegments,
    AuditPlace,
    AuditSegment,
    AuditSegments,
    KeptState,
    LeftForAudits,
    SegmentAgain,
)
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from jepanet.work.requests.evaluating import EvaluatedModel, EvaluateModel
from jepanet.work.requests.files import EvaluationFiles, RoundFiles, TrainingShard
from jepanet.work.requests.local_training import (
    PlannedTraining,
    PlanTraining,
    TrainedBase,
    TrainedLocally,
    TrainLocally,
)
from jepanet.work.requests.machine import FSDP2, CheckpointPlace, MeasuredOn, Processes
from jepanet.work.requests.measuring import MeasuredModels, MeasureModels, ProbedDevice, ProbeDevice
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas, MergedModel
from jepanet.work.requests.request import Progress, Request
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDelta, ScoredDeltas
from jepanet.work.requests.training import (
    FirstModel,
    MakeFirstModel,
    RepeatedTraining,
    RepeatTraining,
    TrainDelta,
    TrainedDelta,
)

pytestmark = pytest.mark.unit

DIGEST = Digest(bytes(range(32)))
ROUND = RoundFiles(Path("/a/base"), Path("/a/recipe ä"), Path("spec\udcff"))
EVALUATION = EvaluationFiles(Path("/shard"), Path("/manifest"))
SHARD = TrainingShard(Path("s"), DIGEST, 9, awaited=True)
TRAINING = TrainDelta(
    ROUND, (SHARD,), None, Path("r"), b"\x00\xff", Path("t"), Path("u"), "cuda:0",
    CheckpointPlace(Path("v"), 7, 0.5), Path("w"), Processes(3, FSDP2),
)  # fmt: skip
SOLVER = Address("0x" + "Aa" * 20)
CLAIMS = (ClaimedDelta(SOLVER, 2, DIGEST, None, "too-large"), ClaimedDelta(SOLVER, 3, DIGEST, Path("d")))
FAULTY = ScoredDelta(SOLVER, DIGEST, Verdict.INVALID, "norm-cap", "…", -1, 0, ())
LEFT = LeftForAudits(DIGEST, (KeptState(1, Path("s"), DIGEST),))
EXCHANGES: list[tuple[Request[Any], Any]] = [
    (TRAINING, TrainedDelta(DIGEST, None, 1.5, 2**60, 3, {"loss_last": 0.25}, 0.0)),
    (RepeatTraining(TRAINING, Path("c")), RepeatedTraining(False, -0.5)),
    (
        AuditSegment(
            ROUND, (SHARD,), None, b"\x00\xff", Path("t"), 3, Path("s"), None, Path("c"), Path("a"), DIGEST
        ),
        AuditedSegment("weights", "weights after step 4: …", (0.5, -1e300), 1.5),
    ),
    (
        AuditSegments(
            ROUND, (SHARD,), None, b"\x00\xff", Path("t"),
            (SegmentAgain(0, None), SegmentAgain(3, Path("s"), Path("a"))), None, Path("c"), DIGEST,
        ),
        AuditedSegments((AuditedSegment(None, "", (), 0.0, 0.5), AuditedSegment("batch", "…", (0.5,), 1.5))),
    ),
    (NameTranscript(Path("d"), 7), Named(DIGEST)),
    (NameSource(Path("r")), Named(None)),
    (NameCarried(Path("r")), Named(DIGEST)),
    (NameLeft(Path("t"), DIGEST), Named(DIGEST)),
    (
        PlanAudit(ROUND, Path("t"), bytes(32), RoundId(4), SOLVER),
        AuditPlan((DrawnSegment(0, None, False), DrawnSegment(3, DIGEST, True)), DIGEST, "segments", "…"),
    ),
    (
        replace(TRAINING, audit=AuditPlace(Path("f"), Path("t"), bytes(32))),
        TrainedDelta(DIGEST, None, 1.5, 2**60, 3, {}, 0.0, left=LEFT),
    ),
    (MakeFirstModel(Path("r"), Path("s"), bytes(32), Path("t")), FirstModel(DIGEST, 7)),
    (ScoreClaims(ROUND, EVALUATION, CLAIMS), ScoredDeltas((("pi", -5),), (FAULTY,))),
    (
        MergeDeltas(ROUND, EVALUATION, (AcceptedDelta(DIGEST, Path("d")),), RoundId(4), Path("t")),
        MergedModel(DIGEST, True, 5, 6, "", (("after.pi", 1), ("before.pi", 0))),
    ),
    (
        MergeDeltas(ROUND, EVALUATION, (), RoundId(4), Path("t"), "cpu", Path("l"), Path("u"), Path("n")),
        MergedModel(DIGEST, True, 5, 6, "", (), DIGEST, DIGEST, MeasuredOn("cpu", 0.5, "cuda:1")),
    ),
    (
        DeriveModel(ROUND, RoundId(4), (), AcceptedDelta(DIGEST, Path("u")), None, DIGEST, Path("t")),
        DerivedModel(DIGEST, DIGEST, None, ""),
    ),
    (MeasureModels(Path("r"), (Path("m"),), ()), MeasuredModels(({"pi": 1.0}, {}))),
    (
        TrainLocally(
            Path("r"), (SHARD,), TrainedBase(Path("b"), Path("q")), bytes(32), Path("t"), Path("u"), None
        ),
        TrainedLocally(DIGEST, 7, 3, "early_stop", {"loss_last": 0.5}, 1.5),
    ),
    (PlanTraining(Path("r"), (SHARD,)), PlannedTraining(1, 2, 3, 4, 5, 6, 7, 0.5)),
    (
        EvaluateModel(Path("r"), Path("m"), (Path("s"),), bytes(32), 8, 5, 64, "cpu"),
        EvaluatedModel(((0.5, 0.75),), ((0.5, 0.25),), (0.1,), (0.2,), (0.9,), (0.5,), (3,), (64,), 16),
    ),
    (ProbeDevice("cpu", 2), ProbedDevice("2.0", 1)),
]  # fmt: skip


def test_every_job_is_exchanged_here() -> None:
    assert {type(request) for request, _ in EXCHANGES} == set(JOBS)
    names = [kind.job for kind in JOBS]
    assert len(set(names)) == len(names), "two jobs of one name"
    for request, result in EXCHANGES:
        assert result_of(request) is type(result)


@pytest.mark.parametrize(("request_", "result"), EXCHANGES, ids=[item.job for item, _ in EXCHANGES])
def test_a_request_and_its_result_arrive_as_they_were(request_: Request[object], result: object) -> None:
    line = call_line(9, request_).decode()
    assert line.count("\n") == 1 and number_of(line) == 9
    assert read_call(line, JOBS) == request_
    assert read_reply(result_line(9, request_, result), 9, request_) == result


@pytest.mark.parametrize(
    "progress",
    [Progress(1, 2), Progress(2, 2, 0.5), Progress(0, 2, None, {"validation": 0.25}), Progress(2, 2, 1e300)],
)
def test_progress_arrives_as_it_was_and_no_other_call_hears_of_it(progress: Progress) -> None:
    assert read_reply(progress_line(3, progress), 3, TRAINING) == progress
    assert read_reply(progress_line(2, progress), 3, TRAINING) is None


def test_a_failure_arrives_as_it_was() -> None:
    failure = Failure("Rejected", "no", remedy="ä", reason="diverged")
    assert read_reply(failure_line(3, failure), 3, TRAINING) == failure


def test_the_form_of_scores_that_journals_hold_is_kept() -> None:
    """Journals were written in it before it had a record."""
    found = ScoredDeltas((("pi", 1),), (ScoredDelta(SOLVER, DIGEST, Verdict.EXCLUDED, "a", "b", 2, 3, ()),))
    assert MEASURED.tree(found) == {
        "base_metrics": [["pi", 1]],
        "judgements": [
            {
                "solver": SOLVER, "digest": DIGEST.hex(), "verdict": int(Verdict.EXCLUDED), "reason": "a",
                "detail": "b", "gain": 2, "stderr": 3, "metrics": [],
            }
        ],
    }  # fmt: skip


def test_a_job_that_is_in_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="'train_delta' is not a job"):
        read_call(call_line(1, TRAINING).decode(), [ProbeDevice])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": None}, "request: seed"),
        ({"seed": "AB"}, "request: seed"),
        ({"seed": "zz"}, "request: seed"),
        ({"device": 1}, "request: device"),
        ({"device": True}, "request: device"),
        ({"round": {"base": "b", "recipe": "r"}}, "request: round"),
        ({"round": {"base": 1, "recipe": "r", "spec": "s"}}, "request: round.base"),
        ({"round": []}, "request: round"),
        ({"probe": ["p"]}, "request: probe"),
        ({"base_digest": "00"}, "base_digest"),
    ],
)
def test_a_field_that_is_missing_unknown_or_mistyped_is_refused(
    change: dict[str, object], named: str
) -> None:
    message = json.loads(call_line(1, TRAINING))
    message["request"].update(change)
    with pytest.raises(ValueError, match=named):
        read_call(json.dumps(message), JOBS)


@pytest.mark.parametrize(
    ("result", "named"),
    [
        ({"same": 1, "cosine": 1.0}, "result: same"),
        ({"same": True, "cosine": "1"}, "result: cosine"),
        ({"same": True}, "cosine"),
        ({"same": True, "cosine": 1.0, "more": 0}, "more"),
        (None, "result"),
    ],
)
def test_a_result_that_is_not_the_one_asked_for_is_refused(result: object, named: str) -> None:
    line = json.dumps({"id": 1, "result": result}).encode()
    with pytest.raises(ValueError, match=named):
        read_reply(line, 1, RepeatTraining(TRAINING, Path("c")))


@pytest.mark.parametrize("line", [b"{}", b"[]", b"1", b'{"id": 1}', b'{"id": 1, "said": {}}', b"not json"])
def test_a_line_that_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # json's own error is one as well
        read_reply(line, 1, TRAINING)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1, "1"])
def test_a_number_that_no_line_can_hold_is_no_result(value: Any) -> None:
    with pytest.raises(ValueError, match="cosine must be a finite number"):
        result_line(1, RepeatTraining(TRAINING, Path("c")), RepeatedTraining(False, value))


@pytest.mark.parametrize("result", [{"same": True, "cosine": 1.0}, None, RepeatedTraining, Progress(1, 2)])
def test_another_record_than_the_one_asked_for_is_no_result(result: Any) -> None:
    with pytest.raises(ValueError, match="repeat_training made a"):
        result_line(1, RepeatTraining(TRAINING, Path("c")), result)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), Exit.OUT_OF_MEMORY),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            Exit.OUT_OF_MEMORY,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), Exit.OUT_OF_MEMORY),
        (OSError(28, "No space left on device"), Exit.DISK_FULL),
        (FileNotFoundError(2, "gone"), Exit.TRY_AGAIN),
        (Transient("x", code=Exit.NOT_RUNNING), Exit.NOT_RUNNING),
    ],
)
def test_what_a_machine_lacks_is_tried_again_and_keeps_its_code(error: Exception, code: Exit) -> None:
    told = error_of(failure_of(error))
    assert type(told) is Transient and told.code is code


def test_a_defect_is_no_lack_of_the_machine() -> None:
    told = error_of(failure_of(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    assert isinstance(told, Rejected) and told.reason == "worker-error"
