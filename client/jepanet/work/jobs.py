"""Every job the worker's child does: which function does which request. A new job is one line here."""

from __future__ import annotations

from typing import cast

from jepanet.work.audit_plan import name_carried, name_left, name_source, name_transcript, plan_audit
from jepanet.work.auditing import audit_segment, audit_segments
from jepanet.work.deriving import derive_model
from jepanet.work.evaluating import evaluate_model
from jepanet.work.local_training import plan_training, train_locally
from jepanet.work.measuring import measure_models, probe_device
from jepanet.work.merging import merge_deltas
from jepanet.work.requests.audit_plan import NameCarried, NameLeft, NameSource, NameTranscript, PlanAudit
from jepanet.work.requests.auditing import AuditSegment, AuditSegments
from jepanet.work.requests.deriving import DeriveModel
from jepanet.work.requests.evaluating import EvaluateModel
from jepanet.work.requests.local_training import PlanTraining, TrainLocally
from jepanet.work.requests.measuring import MeasureModels, ProbeDevice
from jepanet.work.requests.merging import MergeDeltas
from jepanet.work.requests.request import JobTable, OnProgress, R, Request
from jepanet.work.requests.scoring import ScoreClaims
from jepanet.work.requests.training import MakeFirstModel, RepeatTraining, TrainDelta
from jepanet.work.scoring import score_claims
from jepanet.work.training import make_first_model, repeat_training, train_delta

JOBS: JobTable = {
    TrainDelta: train_delta,
    RepeatTraining: repeat_training,
    AuditSegment: audit_segment,
    AuditSegments: audit_segments,
    NameTranscript: name_transcript,
    NameSource: name_source,
    NameCarried: name_carried,
    NameLeft: name_left,
    PlanAudit: plan_audit,
    MakeFirstModel: make_first_model,
    TrainLocally: train_locally,
    PlanTraining: plan_training,
    ScoreClaims: score_claims,
    MergeDeltas: merge_deltas,
    DeriveModel: derive_model,
    MeasureModels: measure_models,
    EvaluateModel: evaluate_model,
    ProbeDevice: probe_device,
}


def run(request: Request[R], on_progress: OnProgress = lambda _: None) -> R:
    """Does one job in this process.

    Raises:
        Rejected, Fatal: as the job's function says.
    """
    return cast(R, JOBS[type(request)](request, on_progress))
