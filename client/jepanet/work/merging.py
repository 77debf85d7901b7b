"""The merging job: accepted deltas into the model of the next round, measured against its base."""

from __future__ import annotations

from jepanet.federation.judging.judge import judge_merge
from jepanet.files import write_atomically
from jepanet.work.next_model import next_model, opened, write_beside
from jepanet.work.requests.merging import MergeDeltas, MergedModel
from jepanet.work.requests.request import OnProgress
from jepanet.work.room import check_measurable
from jepanet.work.round_files import open_round
from jepanet.work.scoring import HeldOut, millionths

_MAX_NOTE = 240


def merge_deltas(request: MergeDeltas, on_progress: OnProgress) -> MergedModel:
    """Merges accepted deltas, writes the files, measures the model. The files are the same on every CPU.

    Raises:
        Rejected: a file has another hash or is none of the round; the base's remainder is missing; the step
            is not finite; the evaluation shard can score nothing.
    """
    round_ = open_round(request.round)
    check_measurable(round_.recipe, request.device, len(request.deltas) + 3)
    deltas = [(item.digest, round_.delta(opened(item))) for item in request.deltas]
    left = round_.opened_remainder(request.remainder.read_bytes() if request.remainder else None)
    made = next_model(round_, request.number, deltas, left)
    write_atomically(request.target, made.data)
    update = write_beside(made.update, request.update_target)
    remainder = write_beside(made.remainder, request.remainder_target)
    scorer = HeldOut(round_, request.evaluation, request.device)
    before = scorer.metrics(round_.base.weights)
    verdict = judge_merge(made.weights, before, scorer)
    both = {f"before.{name}": value for name, value in before.items()}
    both.update({f"after.{name}": value for name, value in verdict.metrics.items()})
    return MergedModel(
        digest=made.digest,
        published=verdict.published,
        improvement=verdict.improvement,
        stderr=verdict.stderr,
        note=verdict.note[:_MAX_NOTE],
        metrics=millionths(both),
        update=update,
        remainder=remainder,
        where=scorer.where,
    )
