"""What deltas are paid for as merged, against what this node measured itself."""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.errors import Rejected, Transient
from jepanet.protocol.settling.rows import Row
from jepanet.protocol.settling.shares import agrees
from jepanet.protocol.settling.tally import RoundFacts
from jepanet.roles.context import Context
from jepanet.roles.steps.scoring import MEASURED, MEASURED_NOTE
from jepanet.types import Verdict


def hold_paid_gains(context: Context, facts: RoundFacts, rows: Sequence[Row], tolerance: int) -> None:
    """As `check_against_own`, of the second numbers: nobody signs what a minority made of them.

    Raises:
        Transient: nothing is measured here yet. Rejected: reason `scores-disagree`.
    """
    if not any(row.among for row in rows):
        return
    note = context.journal.notes(facts.round_id).get(MEASURED_NOTE)
    if note is None:
        raise Transient(f"round {facts.round_id} is not measured here yet")
    own = {item.solver: item for item in MEASURED.decode(note.encode()).judgements}
    for row in rows:
        mine = own[row.solver]
        if row.among is None or mine.verdict is not Verdict.ACCEPTED:  # not had, or held against its score
            continue
        if not agrees(mine, row.among, facts.revealed, tolerance):
            raise Rejected(
                f"what {row.solver} is paid for as one of {row.among.count} ({row.among.gain} +- "
                f"{row.among.stderr} micro-nats) cannot be reproduced",
                reason="scores-disagree",
            )
