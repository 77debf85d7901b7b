"""Whose scores were committed to before anybody's were opened: by signatures alone.

Gossip has no order that everybody sees, so each coordinator signs, with its own scores, whose commitments it
had heard when it opened them. An honest one opens once it has heard all, or long after it has stopped to
listen. Most members of a set are honest, but whoever builds a sheet picks the reports in it. So witnesses
against a coordinator are counted, and held against the whole set; nobody who is absent is one:

* who committed in time is left out by liars alone, who are at most half of the other members, whichever
  reports a sheet has: they take nobody's fee;
* who reads another's scores first is in no honest list, or is there with a commitment to something else: it
  is late as soon as more than half of the other members that are honest report;
* who commits twice, to one thing for whoever opens first and to its copy for the rest, stands with two
  commitments in the reports of the round: its own signatures show it.

Where nobody was in time, as when all were kept from measuring, all who opened count as in time: who copies
then is not told from who was slow, and who measured is not to lose its fee for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.protocol.documents.score_commitments import commitment_of
from jepanet.protocol.documents.scores import ScoreReport
from jepanet.types import Address


def in_time(
    reports: Sequence[ScoreReport], members: int, chain_id: int, contract: Address
) -> frozenset[Address]:
    """Coordinators that at most half of the other members have opened without listing, and of which no report
    lists another commitment. `members`: how many the set has, those without a report included.

    Signatures are checked elsewhere (`score_commitments.check_opening`).
    """
    lists = {item.coordinator: () if item.opening is None else item.opening.heard for item in reports}
    early, opened = set(), set()
    for report in reports:
        if report.opening is None:
            continue
        who = report.coordinator
        own = commitment_of(report, report.opening.salt, chain_id, contract)
        heard = [
            {item.commitment for item in listed if item.coordinator == who}
            for other, listed in lists.items()
            if other != who
        ]
        if any(words - {own} for words in heard):
            continue
        opened.add(who)
        if 2 * sum(own not in words for words in heard) <= members - 1:
            early.add(who)
    return frozenset(early or opened)
