"""The reference norm: against what the next round holds the lengths of its deltas.

A bound by a round's own median is set by whoever reveals most deltas. So it is taken from the round that made
the base, known to all before they train: of the norms of its merged deltas, the one below which half of its
pay lies. Identities are cheap and pay is not: tiny deltas weigh next to nothing, whatever their number. No
delta counts as longer than `GROWTH` times the reference before it, so that many who draw out theirs raise it
slowly; and it falls to no less than `FALL` of that, so that whoever is alone in a round with tiny steps does
not leave the next ones without any length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import MAX_REFERENCE, NormCaps, RoundSpec
from jepanet.protocol.settling.rows import Row
from jepanet.types import Digest, Verdict

GROWTH = (5, 4)
"""By which a reference may exceed the one before it."""
FALL = 2
"""It is at least the one before it divided by so much. Honest lengths were 0.69 to 0.88 of those before."""


def next_reference(rows: Sequence[Row], norms: Mapping[Digest, int], caps: NormCaps) -> int:
    """Billionths of the base's norm, from the rows of a published merge; 0 where the rules have none.

    `norms`: of the merged deltas as they were revealed, in the same unit. Of two in the middle the longer
    one. Where nobody is paid, nothing is known of what is usual: it stays what it was.

    Raises:
        KeyError: a merged delta has no norm.
    """
    if not caps.to_reference_milli:
        return 0
    before = caps.reference_nano
    most = before * GROWTH[0] // GROWTH[1] if before else MAX_REFERENCE
    merged = [row for row in rows if row.verdict is Verdict.ACCEPTED]
    weighed = sorted((min(most, norms[row.digest]), row.amount) for row in merged)
    total, below = sum(weight for _, weight in weighed), 0
    for length, weight in weighed:
        below += weight
        if 2 * below > total:
            return max(length, before // FALL)
    return before


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
