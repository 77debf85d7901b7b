"""The reference norm: against what the next round holds the lengths of its deltas.

A bound by a round's own median is set by whoever reveals most deltas. So it is taken from the round that made
the base, known to all before they train: of the norms of its merged deltas, the one below which half of its
pay lies. Identities are cheap and pay is not: tiny deltas weigh next to nothing, whatever their number. No
delta counts as longer than `GROWTH` times the reference before it, so that many who draw out theirs raise it
slowly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import MAX_REFERENCE, NormCaps, RoundSpec
from jepanet.protocol.settling.rows import Row
from jepanet.types import Digest, Verdict

GROWTH = (5, 4)
"""By which a reference may exceed the one before it."""


def next_reference(rows: Sequence[Row], norms: Mapping[Digest, int], caps: NormCaps) -> int:
    """Billionths of the base's norm, from the rows of a published merge; 0 where the rules have none.

    `norms`: of the merged deltas as they were revealed, in the same unit. Where nobody is paid, all weigh the
    same. Of two in the middle the longer one.

    Raises:
        KeyError: a merged delta has no norm.
    """
    if not caps.to_reference_milli:
        return 0
    most = caps.reference_nano * GROWTH[0] // GROWTH[1] if caps.reference_nano else MAX_REFERENCE
    merged = [row for row in rows if row.verdict is Verdict.ACCEPTED]
    paid = any(row.amount for row in merged)
    weighed = sorted((min(most, norms[row.digest]), row.amount if paid else 1) for row in merged)
    total, below = sum(weight for _, weight in weighed), 0
    for length, weight in weighed:
        below += weight
        if 2 * below > total:
            return length
    return 0


def check_reference(spec: RoundSpec, due: int) -> None:
    """Holds a spec against what the sheet of the round that made its base says.

    Raises:
        Rejected: reason `wrong-reference`.
    """
    if spec.norms.to_reference_milli and spec.norms.reference_nano != due:
        raise Rejected(
            f"the round's spec says reference norm {spec.norms.reference_nano}, and the round that made its "
            f"base {due}",
            reason="wrong-reference",
        )
