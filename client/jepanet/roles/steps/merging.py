"""Merge and measure: what the aggregator does to build a sheet and every verifier to check one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import Metrics
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import obtain
from jepanet.roles.steps.preparation import pin_of, round_files
from jepanet.roles.steps.scoring import evaluation_files
from jepanet.types import Digest
from jepanet.work.requests import AcceptedDelta, MergeDeltas


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


async def measure_merge(
    context: Context, round_: Round, spec: RoundSpec, accepted: Sequence[Digest]
) -> Merge:
    """Merges the accepted deltas in digest order, measures the result, keeps it in the store.

    Raises:
        Transient: a delta or the evaluation shard has no provider.
        Rejected: nothing to merge.
    """
    if not accepted:
        raise Rejected(f"round {round_.id} has no accepted delta", reason="nothing-to-merge")
    pin = pin_of(round_)
    deltas = [
        AcceptedDelta(
            digest, await obtain(context, digest, kind="delta", max_bytes=spec.max_delta_bytes, pin=pin)
        )
        for digest in sorted(accepted)
    ]
    evaluation = await evaluation_files(context, round_, spec)
    target = context.work / f"model-{round_.id}.safetensors"
    made = await context.jobs.run(
        MergeDeltas(
            round=round_files(context, round_, spec),
            evaluation=evaluation,
            deltas=tuple(deltas),
            number=round_.id,
            target=target,
        )
    )
    model = context.blobs.put_file(target, made.digest, move=True, pin=pin)
    return Merge(model, made.published, made.improvement, made.note, made.metrics)
