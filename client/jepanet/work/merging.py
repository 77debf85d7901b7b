"""The merging job: accepted deltas into the model of the next round, measured against its base."""

from __future__ import annotations

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.judging.judge import judge_merge, merge
from jepanet.files import write_atomically
from jepanet.learning.training.checkpoint import ModelHeader, model_bytes
from jepanet.tensors import Arrays
from jepanet.types import Digest
from jepanet.work.requests import AcceptedDelta, MergeDeltas, MergedModel, OnProgress
from jepanet.work.round_files import OpenedRound, open_round
from jepanet.work.scoring import HeldOut, millionths

_MAX_NOTE = 240


def merge_deltas(request: MergeDeltas, on_progress: OnProgress) -> MergedModel:
    """Merges accepted deltas, writes the model file, measures it. The file is the same on every CPU.

    Raises:
        Rejected: a delta's file has another hash or is no delta of the round; the evaluation shard can score
            nothing.
    """
    round_ = open_round(request.round)
    spec, base = round_.spec, round_.base
    if spec.update is not None:
        raise Rejected("this release merges no round with an update rule", reason="no-update-rule")
    weights, velocity = merge(
        base.weights,
        base.velocity,
        [_opened(item, round_) for item in request.deltas],
        rule=spec.merge.rule,
        lr_milli=spec.merge.outer_lr_milli,
        momentum_milli=spec.merge.outer_momentum_milli,
    )
    header = ModelHeader.of(round_.recipe, request.number, spec.base)
    data = model_bytes(weights, header, velocity)
    write_atomically(request.target, data)
    scorer = HeldOut(round_, request.evaluation, request.device)
    before = scorer.metrics(base.weights)
    verdict = judge_merge(weights, before, scorer)
    both = {f"before.{name}": value for name, value in before.items()}
    both.update({f"after.{name}": value for name, value in verdict.metrics.items()})
    return MergedModel(
        digest=digest_of(data),
        published=verdict.published,
        improvement=verdict.improvement,
        stderr=verdict.stderr,
        note=verdict.note[:_MAX_NOTE],
        metrics=millionths(both),
    )


def _opened(item: AcceptedDelta, round_: OpenedRound) -> tuple[Digest, Arrays]:
    data = item.path.read_bytes()
    if digest_of(data) != item.digest:
        raise Rejected(f"the file of delta {item.digest.hex()} has another hash", reason="hash-mismatch")
    return item.digest, round_.delta(data)
