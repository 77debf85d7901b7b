"""A sheet's merge against the same merge made and measured here: nobody signs another one."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.merge_account import hold_account
from jepanet.protocol.settling.reference import next_reference
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.roles.steps.merging import Merge
from jepanet.types import Digest


def hold_merge(sheet: ScoreSheet, here: Merge, spec: RoundSpec) -> int:
    """The improvement that this node signs for the sheet, in micro-nats; `here`: the same merge as measured
    by itself, after the drops of a published sheet.

    Raises:
        Rejected: reason `wrong-model`, `wrong-update`, `wrong-reference`, or as `hold_account`.
    """
    if sheet.published:
        _hold_bytes(sheet, here, spec)
    hold_account(sheet, here, spec.score_tolerance)
    return here.improvement if sheet.published else min(0, here.improvement)


def _hold_bytes(sheet: ScoreSheet, here: Merge, spec: RoundSpec) -> None:
    """What is the same on every CPU."""
    if here.model != sheet.model:
        raise Rejected(
            f"the merge gives model {here.model.hex()}, the sheet says {sheet.model.hex()}",
            reason="wrong-model",
        )
    if here.update != sheet.update:
        raise Rejected(
            f"the merge gives update {_hex(here.update)}, the sheet says {_hex(sheet.update)}",
            reason="wrong-update",
        )
    reference = next_reference(sheet.rows, dict(here.norms), spec.norms)
    if reference != sheet.reference:
        raise Rejected(
            f"the merge gives reference norm {reference}, the sheet says {sheet.reference}",
            reason="wrong-reference",
        )


def _hex(digest: Digest | None) -> str:
    return "none" if digest is None else digest.hex()
