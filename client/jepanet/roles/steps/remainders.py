"""What the code of an update left out: whoever merges the next round under an update rule needs it."""

from __future__ import annotations

from pathlib import Path

from jepanet.errors import Transient
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.state import Round
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import obtain, round_pin, stored


async def obtain_remainder(
    context: Context, round_: Round, spec: RoundSpec, *, max_bytes: int
) -> Path | None:
    """The remainder of the base, which must be in the store, where the round's merge takes it on; else None.

    Raises:
        Transient: nobody serves it; and the merge cannot be done without it.
        Rejected: the base is no model or not in the store; the remainder is larger than `max_bytes`.
    """
    rule = spec.update
    if rule is None or not rule.carry_milli:
        return None
    digest = context.documents.remainder_of(stored(context, round_.base))
    if digest is None:
        return None
    try:
        return await obtain(context, digest, kind="remainder", max_bytes=max_bytes, pin=round_pin(round_.id))
    except Transient as error:
        raise Transient(
            f"the remainder that round {round_.id} carries on is not served: {error.message}",
            remedy=error.remedy
            or "connect to who merged the round before; if nobody has it any more, the "
            "project goes on by rounds with proposer.update_carry_milli = 0",
            code=error.code,
        ) from error
