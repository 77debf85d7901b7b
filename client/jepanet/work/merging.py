"""The merging job: accepted deltas into the model of the next round, measured against its base."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.federation.judging.judge import MergeVerdict
from jepanet.federation.judging.repair import Repair
from jepanet.federation.merging.lengths import relative_nano
from jepanet.files import write_atomically
from jepanet.tensors import Arrays
from jepanet.types import Digest
from jepanet.work.next_model import next_model, next_weights, opened, write_beside
from jepanet.work.requests.merging import MergeDeltas, MergedModel
from jepanet.work.requests.request import OnProgress
from jepanet.work.room import check_measurable
from jepanet.work.round_files import OpenedRound, open_round
from jepanet.work.scoring import HeldOut, millionths

_MAX_NOTE = 240


def merge_deltas(request: MergeDeltas, on_progress: OnProgress) -> MergedModel:
    """Merges accepted deltas, writes the files, measures the model. The files are the same on every CPU.

    Raises:
        Rejected: a file has another hash or is none of the round; the base's remainder is missing; the step
            is not finite; the evaluation shard can score nothing; others dropped what is not dropped here
            (`drops-disagree`).
    """
    round_ = open_round(request.round)
    check_measurable(round_.recipe, request.device, len(request.deltas) + 3)
    revealed = {item.digest: round_.delta(opened(item)) for item in request.deltas}
    deltas = {digest: round_.as_it_counts(delta) for digest, delta in revealed.items()}
    left = round_.opened_remainder(request.remainder.read_bytes() if request.remainder else None)
    scorer = HeldOut(round_, request.evaluation, request.device)
    before = scorer.metrics(round_.base.weights)
    verdict, dropped = _mended(round_, deltas, left, before, scorer, request.dropped)
    kept = [(digest, delta) for digest, delta in deltas.items() if digest not in dropped]
    made = next_model(round_, request.number, kept, left)
    write_atomically(request.target, made.data)
    update = write_beside(made.update, request.update_target)
    remainder = write_beside(made.remainder, request.remainder_target)
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
        dropped=dropped,
        norms=_norms(round_, revealed),
    )


def _norms(round_: OpenedRound, revealed: dict[Digest, Arrays]) -> tuple[tuple[Digest, int], ...]:
    """Of the deltas as they came, where the next round is to hold its own against them."""
    if not round_.spec.norms.to_reference_milli:
        return ()
    base = round_.base.weights
    return tuple((digest, relative_nano(delta, base)) for digest, delta in sorted(revealed.items()))


def _mended(
    round_: OpenedRound,
    deltas: dict[Digest, Arrays],
    remainder: Arrays | None,
    before: dict[str, float],
    scorer: HeldOut,
    told: tuple[Digest, ...] | None,
) -> tuple[MergeVerdict, tuple[Digest, ...]]:
    """The verdict on the merge without what is dropped, and that: what was `told`, where it holds here."""

    def merge_of(kept: Sequence[Digest]) -> Arrays:
        return next_weights(round_, [(digest, deltas[digest]) for digest in kept], remainder)

    repair = Repair(deltas, merge_of, before, scorer, sigmas_milli=round_.spec.merge.drop_sigmas_milli)
    if told is not None:
        return repair.hold(told, round_.spec.score_tolerance), told
    mended = repair.mend()
    return mended.verdict, mended.dropped
