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
from jepanet.roles.steps.preparation import pin_of
from jepanet.roles.steps.scoring import evaluation_shard
from jepanet.types import Digest


@dataclass(frozen=True, slots=True)
class Merge:
    """One measured merge. `improvement` in micro-nats; `published` by this node's own measurement."""

    model: Digest
    published: bool
    improvement: int
    note: str
    metrics: Metrics


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
        {
            "digest": digest.hex(),
            "path": str(await obtain(context, digest, max_bytes=spec.max_delta_bytes, pin=pin)),
        }
        for digest in sorted(accepted)
    ]
    shard = await evaluation_shard(context, round_)
    target = context.work / f"model-{round_.id}.safetensors"
    result = await context.jobs.run(
        "jepanet.work.jobs:merge_deltas",
        {
            "base": str(context.blobs.path(round_.base)),
            "base_digest": round_.base.hex(),
            "recipe": str(context.blobs.path(spec.recipe)),
            "spec": str(context.blobs.path(round_.params.spec)),
            "evaluation": str(shard),
            "manifest": str(context.blobs.path(spec.dataset)),
            "deltas": deltas,
            "round": int(round_.id),
            "target": str(target),
            "device": context.device,
        },
    )
    digest = context.blobs.put_file(target, Digest(bytes.fromhex(result["digest"])), move=True, pin=pin)
    return Merge(
        model=digest,
        published=bool(result["published"]),
        improvement=int(result["improvement"]),
        note=str(result["note"]),
        metrics=tuple((str(name), int(value)) for name, value in result["metrics"]),
    )
