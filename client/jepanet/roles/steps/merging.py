"""Merge and measure: what the aggregator does to build a sheet and every verifier to check one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import Metrics
from jepanet.protocol.settling.merge_account import with_error
from jepanet.protocol.settling.reasons import SHARD_REFUSED
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.settling.standing import Decided
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import keep, obtain
from jepanet.roles.steps.preparation import RoundDocuments, pin_of, round_files
from jepanet.roles.steps.remainders import obtain_remainder
from jepanet.roles.steps.scoring import evaluation_files, tell_where
from jepanet.types import Digest
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas

_MADE = ("model", "update", "remainder")


@dataclass(frozen=True, slots=True)
class Merge:
    """One measured merge. `improvement` in micro-nats; `published` by this node's own measurement."""

    model: Digest
    published: bool
    improvement: int
    note: str
    metrics: Metrics
    update: Digest | None = None
    """Of the coded update, where the spec has a rule for it."""
    remainder: Digest | None = None
    """What the update's code left out, where the next merge takes it."""
    dropped: tuple[Digest, ...] = ()
    """Accepted deltas that are not in it, in the order in which they left."""
    norms: tuple[tuple[Digest, int], ...] = ()
    """Of all of them as they were revealed, where the spec has a reference norm."""


async def measure_merge(
    context: Context,
    round_: Round,
    documents: RoundDocuments,
    accepted: Sequence[Digest],
    dropped: Sequence[Digest] | None = None,
) -> Merge:
    """Merges the accepted deltas in digest order, measures the result, keeps what came of it in the store.

    `dropped`: those of them that another left out of its merge, in that order: it is then made again; None:
    what makes the merge worse here is left out.

    Raises:
        Transient: a delta, the evaluation shard or the base's remainder has no provider.
        Rejected: nothing to merge, or what was left out is not left out here (`drops-disagree`).
    """
    if not accepted:
        raise Rejected(f"round {round_.id} has no accepted delta", reason="nothing-to-merge")
    pin, spec = pin_of(round_), documents.spec
    deltas = [
        AcceptedDelta(
            digest, await obtain(context, digest, kind="delta", max_bytes=spec.max_delta_bytes, pin=pin)
        )
        for digest in sorted(accepted)
    ]
    evaluation = await evaluation_files(context, round_, spec)
    rule = spec.update
    remainder = await obtain_remainder(context, round_, spec, max_bytes=documents.recipe.max_model_bytes)
    # A job may begin while what the last one of the round made is still being hashed.
    with tempfile.TemporaryDirectory(prefix=f"merge-{round_.id}-", dir=context.work) as folder:
        targets = {kind: Path(folder) / f"{kind}.safetensors" for kind in _MADE}
        made = await context.jobs.run(
            MergeDeltas(
                round=round_files(context, round_, spec),
                evaluation=evaluation,
                deltas=tuple(deltas),
                number=round_.id,
                target=targets["model"],
                device=context.device,
                remainder=remainder,
                update_target=targets["update"] if rule else None,
                remainder_target=targets["remainder"] if rule and rule.carry_milli else None,
                dropped=None if dropped is None else tuple(dropped),
            )
        )
        tell_where(round_.id, made.where)
        await keep(context, targets["model"], made.digest, pin=pin)
        for kind, digest in (("update", made.update), ("remainder", made.remainder)):
            if digest is not None:
                await keep(context, targets[kind], digest, pin=pin)
    return Merge(
        made.digest,
        made.published,
        made.improvement,
        made.note,
        with_error(made.metrics, made.stderr),
        made.update,
        made.remainder,
        made.dropped,
        made.norms,
    )


def nothing_merged(base: Digest, decided: Sequence[Decided]) -> Merge:
    """What stands in a merge's place in a round in which no delta was accepted."""
    why = "no delta was accepted"
    if any(item.reason == SHARD_REFUSED for item in decided):
        why += ": the evaluation shard can score nothing (see the scores' details)"
    return Merge(base, False, 0, why, ())


def serve_result(context: Context, sheet: ScoreSheet, merge: Merge) -> None:
    """Lets peers have what a merge made, where the sheet says that it counts."""
    for digest in (merge.model, merge.update, merge.remainder):
        if sheet.published and digest is not None:
            context.blobs.publish(digest)


def result_files(context: Context, sheet: ScoreSheet) -> tuple[Digest, ...]:
    """What this node serves of a result: the model, its coded update, what the next merge takes on."""
    model = context.blobs.path(sheet.model)
    named = [sheet.model, sheet.update]
    if model is not None and sheet.update is not None:
        named.append(context.documents.remainder_of(model))
    return tuple(digest for digest in named if digest is not None and context.blobs.is_public(digest))
