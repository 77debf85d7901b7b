"""A round's merge repeated from what is public: the same bytes on every CPU, model and coded update alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jepanet.cid import to_cid
from jepanet.errors import Rejected
from jepanet.learning.model_file import remainder_of
from jepanet.operations.reading.library import Library
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.merge_account import hold_account, with_error
from jepanet.protocol.settling.reference import next_reference
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.work.requests.files import EvaluationFiles, RoundFiles
from jepanet.work.requests.merging import AcceptedDelta, MergeDeltas, MergedModel
from jepanet.work.worker import Worker


async def repeat_merge(
    sheet: ScoreSheet,
    *,
    spec: RoundSpec,
    model_cap: int,
    documents: RoundFiles,
    evaluation: EvaluationFiles,
    library: Library,
    worker: Worker,
    device: str = "cpu",
) -> tuple[bool, str]:
    """Whether the accepted deltas give what the sheet says, and how it compares.

    `documents`: where the round's base, recipe and spec lie. `model_cap`: bytes that no model file exceeds,
    and so no remainder. `device`: where the merged model is measured.

    Raises:
        Rejected: what a file is refused for; deltas were left out that are not left out here.
        Transient: a file has no provider.
    """
    if not sheet.accepted:
        return sheet.model == sheet.base, "no delta was accepted, the base stays"
    deltas = []
    for digest in (*sheet.accepted, *sheet.dropped):
        path = await library.get("delta", digest, "raw", max_bytes=spec.max_delta_bytes)
        deltas.append(AcceptedDelta(digest, path))
    remainder = await _remainder(spec, documents.base, model_cap, library)
    target = library.directory / "merge.part"
    try:
        merged = await worker.run(
            MergeDeltas(
                documents,
                evaluation,
                tuple(deltas),
                sheet.round_id,
                target,
                device,
                remainder=remainder,
                dropped=sheet.dropped if sheet.published else None,
            )
        )
    finally:
        target.unlink(missing_ok=True)
    otherwise = _otherwise(sheet, merged, spec)
    if not sheet.published:
        return otherwise is None, otherwise or f"withheld: {sheet.note}"
    detail = f"model {to_cid(sheet.model)}, improvement {merged.improvement} micro-nats"
    if sheet.update is not None:
        detail += f", update {to_cid(sheet.update)}"
    if merged.update != sheet.update:
        made = "none" if merged.update is None else to_cid(merged.update)
        return False, f"{detail}; the merge gives update {made}"
    reference = next_reference(sheet.rows, dict(merged.norms), spec.norms)
    if reference != sheet.reference:
        return False, f"{detail}; its deltas give reference norm {reference}, not {sheet.reference}"
    if otherwise is not None:
        return False, f"{detail}; {otherwise}"
    return merged.digest == sheet.model, detail


def _otherwise(sheet: ScoreSheet, merged: MergedModel, spec: RoundSpec) -> str | None:
    """What the sheet says of the merge that is measured otherwise here."""
    measured = replace(merged, metrics=with_error(merged.metrics, merged.stderr))
    try:
        hold_account(sheet, measured, spec.score_tolerance)
    except Rejected as error:
        return error.message
    return None


async def _remainder(spec: RoundSpec, base: Path, model_cap: int, library: Library) -> Path | None:
    """What the code of the base's update left out, where the merge takes it on."""
    if spec.update is None or not spec.update.carry_milli:
        return None
    digest = remainder_of(base)
    if digest is None:
        return None
    return await library.get("remainder of the base", digest, "raw", max_bytes=model_cap)
