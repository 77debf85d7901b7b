"""`training`: what the worker does now, how fast, and whether it will be done in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from jepanet.operations.views.activity import Training, TrainingNow
from jepanet.protocol.duties import ScoreDeltas, TrainShard
from jepanet.protocol.state import Round
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method, NoParams
from jepanet.types import RoundId


class _Work(NamedTuple):
    """The duty that a job is part of, and what of a round it has to be done before."""

    duty: type
    until: str


WORK: Mapping[str, _Work] = {
    "train_delta": _Work(TrainShard, "commit_end"),
    "score_deltas": _Work(ScoreDeltas, "verify_end"),
}
"""By the job's name; a test holds these to the worker's own."""


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def training(_: NoParams) -> Training:
        return Training(_running(node))

    return (
        Method(
            "training.get",
            "What the worker does now: loss, steps a second, and the time left beside the round's deadline",
            NoParams,
            Training,
            training,
        ),
    )


def _running(node: RunningNode) -> TrainingNow | None:
    job = node.worker.running
    if job is None:
        return None
    state, at = node.state, job.progress
    round_ = _worked_for(node, job.job)
    deadline = None if round_ is None else getattr(round_, WORK[job.job].until)
    left = None
    if at is not None and job.rate:
        left = max(0, math.ceil((at.steps - at.step) / job.rate))
    return TrainingNow(
        job=job.job,
        round=None if round_ is None else int(round_.id),
        seconds=job.seconds,
        step=None if at is None else at.step,
        steps=None if at is None else at.steps,
        loss=None if at is None else at.loss,
        rate=None if job.rate is None else round(job.rate, 3),
        seconds_left=left,
        now=state.now,
        deadline=deadline,
        on_time=None if left is None or deadline is None else state.now + left <= deadline,
        curve=job.curve,
    )


def _worked_for(node: RunningNode, job: str) -> Round | None:
    """The round that a job is done for. Where duties of several rounds wait for the worker, which of them has
    it is not known."""
    if job not in WORK:
        return None
    keys = [key.split("/") for key in node.engine.under_way()]
    rounds = {int(parts[1]) for parts in keys if parts[0] == WORK[job].duty.__name__}
    return node.state.rounds.get(RoundId(rounds.pop())) if len(rounds) == 1 else None
