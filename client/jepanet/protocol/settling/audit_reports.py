"""What reports have to say of audits, and what they may not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import ScoreReport, SignedScore
from jepanet.protocol.settling.reasons import (
    DUPLICATE,
    MACHINE_FAILED,
    NOT_AUDITED,
    NOT_OPENED,
    NOT_REPRODUCED,
    unseen,
)
from jepanet.types import Address, RoundId, Verdict

_OF_AUDITS = (
    (Verdict.INVALID, NOT_REPRODUCED),
    (Verdict.INVALID, NOT_OPENED),
    (Verdict.EXCLUDED, NOT_AUDITED),
)
"""What only a solver that was drawn can be said to be."""


def owes_audit(score: SignedScore) -> bool:
    """Whether a score of a drawn solver has to say what its audit found: not of what nobody could open, or
    what is no delta of the round, and so needs no audit."""
    if score.verdict is Verdict.INVALID:
        return score.reason == NOT_REPRODUCED
    return not unseen(score.verdict, score.reason)


def check_audits(round_id: RoundId, drawn: Collection[Address], reports: Sequence[ScoreReport]) -> None:
    """Nobody reports on an audit of a solver that was not drawn: that would cost a bond of which everybody
    knew that it was not at stake.

    Raises:
        Rejected: reason `bad-reports`.
    """
    for report in reports:
        for score in report.scores:
            audited = score.audit is not None or (score.verdict, score.reason) in _OF_AUDITS
            if audited and score.solver not in drawn:
                raise Rejected(
                    f"round {round_id}: {report.coordinator} reports on an audit of {score.solver}, which "
                    "was not drawn",
                    reason="bad-reports",
                )


def audited_well(
    scores: Mapping[Address, SignedScore],
    decisions: Iterable[tuple[Address, str]],
    drawn: Collection[Address],
) -> bool:
    """Whether a coordinator did its audits: of every drawn training that it could open, and of at least half
    of those that opened to the others. `decisions`: solvers with the reason of what was decided of each."""
    opened = audited = 0
    for solver, reason in decisions:
        if solver not in drawn or reason in (DUPLICATE, NOT_OPENED, NOT_AUDITED, MACHINE_FAILED):
            continue
        opened += 1
        score = scores[solver]
        if unseen(score.verdict, score.reason):
            continue
        if score.audit is None and owes_audit(score):
            return False
        audited += 1
    return 2 * audited >= opened
