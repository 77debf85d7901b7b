"""What a round takes over from the sheet of the round that made its base: the reference norm, and what is
usual."""

from __future__ import annotations

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.models.ancestry import maker_of
from jepanet.protocol.settling.caps import check_usual
from jepanet.protocol.settling.reference import check_reference
from jepanet.protocol.settling.sheet import ScoreSheet
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.sheets import obtain_sheet
from jepanet.telemetry import get_logger
from jepanet.types import Digest, ProjectId

log = get_logger("roles")


async def reference_of(context: Context, project: ProjectId, base: Digest, *, pin: str) -> int | None:
    """Billionths of the base's norm; 0 where no round made the base; None where the round that did ended too
    long ago to be known here.

    Raises:
        Transient: nobody serves its sheet.
    """
    found = await _sheet_before(context, project, base, pin)
    return found.reference if isinstance(found, ScoreSheet) else found


async def usual_of_base(
    context: Context, project: ProjectId, base: Digest, *, pin: str
) -> tuple[int, int] | None:
    """What a delta was usually worth there, in micro-nats, and as one of how many; zeros and None as
    `reference_of`. Raises as that."""
    found = await _sheet_before(context, project, base, pin)
    if isinstance(found, ScoreSheet):
        return found.usual, found.usual_count
    return None if found is None else (0, 0)


async def _sheet_before(
    context: Context, project: ProjectId, base: Digest, pin: str
) -> ScoreSheet | int | None:
    try:
        made_by = maker_of(context.state(), project, base)
    except Rejected as error:
        log.warning("reference.unread", project=project, why=error.message,
                    consequence="a proposer writes none, and others take the proposer's")  # fmt: skip
        return None
    if made_by is None:
        return 0
    return await obtain_sheet(context, made_by.recorded.sheet, pin=pin, turn=None)


async def hold_reference(context: Context, round_: Round, spec: RoundSpec, *, pin: str) -> None:
    """Holds what a round takes over against what the round before it recorded, before anything is at stake.

    Raises:
        Transient: as `reference_of`. Rejected: reason `wrong-reference`, `wrong-usual`.
    """
    if spec.usual_follows:
        usual = await usual_of_base(context, round_.project_id, round_.base, pin=pin)
        if usual is not None:
            check_usual(spec, *usual)
    if spec.norms.to_reference_milli:
        due = await reference_of(context, round_.project_id, round_.base, pin=pin)
        if due is not None:
            check_reference(spec, due)
