"""Whose scores were committed to before anybody's were opened: by signatures alone.

Gossip has no order that everybody sees, so each coordinator signs, with its own scores, whose commitments it
had heard when it opened them. An honest one opens once it has heard all, or long after it has stopped to
listen. Where most of those that report are honest:

* who committed in time stands in the lists of all the honest others, which are at least half of the others;
* who reads another's scores first has no commitment with anybody honest, or a commitment to something else:
  fewer than half of the others can list the one that it opens;
* who commits twice, to one thing for whoever opens first and to its copy for the rest, stands with two
  commitments in the reports of the round: its own signatures show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.protocol.documents.score_commitments import commitment_of
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.types import Address


def committed_in_time(
    report: ScoreReport, reports: Sequence[ScoreReport], chain_id: int, contract: Address
) -> bool:
    """Whether at least half of the other reports list this one's commitment, and none another one of it.

    Signatures are checked elsewhere (`score_commitments.check_opening`).
    """
    if report.opening is None:
        return False
    own = commitment_of(report, report.opening.salt, chain_id, contract)
    others = [item for item in reports if item.coordinator != report.coordinator]
    heard = [
        {
            item.commitment
            for item in (() if other.opening is None else other.opening.heard)
            if item.coordinator == report.coordinator
        }
        for other in others
    ]
    if any(item - {own} for item in heard):
        return False
    return 2 * sum(own in item for item in heard) >= len(others)
