"""Where a coordinator's scores lie beside what was decided, and whether they earn its fee."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_low
from typing import Protocol

from jepanet.protocol.documents.scores import Among, ScoreReport, SignedScore
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.audit_reports import audited_well
from jepanet.protocol.settling.in_time import in_time
from jepanet.protocol.settling.reasons import DISPUTED, DROPPED, NOT_FETCHED, NOT_OPENED, unseen
from jepanet.protocol.settling.shares import measured_as_merged, second_numbers
from jepanet.types import Address, Digest, Verdict


class Decided(Protocol):
    """A delta that was decided on: `tally.Decision`, or a row of a sheet."""

    @property
    def solver(self) -> Address: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def reason(self) -> str: ...

    @property
    def gain(self) -> int: ...

    @property
    def stderr(self) -> int: ...


class Standing(StrEnum):
    """Where one coordinator's score of a delta lies beside what was decided of it."""

    HOLDS = "holds"
    OVER = "over"
    """It is worth more by it than what was decided, by more than the round's tolerance."""
    UNDER = "under"
    """It is worth less by it than what was decided, by more than the round's tolerance."""
    SOUND = "sound"
    """It found nothing wrong with a delta that the others found invalid."""
    MISSED = "missed"
    """It could not fetch the delta, and says nothing of its worth."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A coordinator's report of a round: how many of its scores stand how, and whether it was in time."""

    scores: int
    over: int
    under: int
    sound: int
    missed: int
    audited: bool
    """Whether it audited the drawn trainings that opened."""
    as_merged: bool
    """Whether its gains at the share of the merge are there and hold, where those are paid for."""
    in_time: bool | None
    """Whether it had committed to them before any were opened; None where none are committed to."""

    @property
    def earns(self) -> bool:
        """Whether it is paid: it was in time, fetched at least half and audited what was drawn, and all of
        that stands."""
        stands = self.audited and self.as_merged and not (self.over or self.under or self.sound)
        return stands and 2 * (self.scores - self.missed) >= self.scores and self.in_time is not False


def not_fetched(score: SignedScore) -> bool:
    """Whether a coordinator says of a delta that it never had it, or what its audit needs."""
    return unseen(score.verdict, score.reason)


def standing(score: SignedScore, decision: Decided, spec: RoundSpec, said: Sequence[SignedScore]) -> Standing:
    """How a score stands. Above and below the median count alike. `said`: what all reports say of the delta.

    By its gain; in rounds whose scores are committed to also by its standard error, a larger one of which is
    worth less, and by what its verdict lets the delta be paid for: who says `harm` of what the others accept
    with the very same gain says less of it.

    Of a delta that nobody is paid for, coordinators that saw it are held against one another: those that it
    did not reach count 0 in the medians. Else whoever serves a delta to some would take their fees.
    """
    if not_fetched(score):
        return Standing.MISSED
    shut = decision.reason in (*NOT_FETCHED, NOT_OPENED)
    if decision.verdict is Verdict.INVALID and not shut:
        return Standing.HOLDS if score.verdict is Verdict.INVALID else Standing.SOUND
    gain, stderr = decision.gain, decision.stderr
    if not _merged(decision):
        seen = [item for item in said if not not_fetched(item)]
        gain = median_low([item.gain for item in seen])
        stderr = median_low([item.stderr for item in seen])
    apart = [score.gain - gain]
    if spec.committed_scores:
        apart.append(stderr - score.stderr)
        if decision.reason != DISPUTED and not shut:
            apart.append(worth(score.verdict, score.gain) - _decided_worth(decision))
    worst = max(apart, key=abs)
    if abs(worst) <= spec.score_tolerance:
        return Standing.HOLDS
    return Standing.OVER if worst > 0 else Standing.UNDER


def reported(
    report: ScoreReport,
    reports: Sequence[ScoreReport],
    decisions: Sequence[Decided],
    spec: RoundSpec,
    drawn: Collection[Address],
    among: Mapping[Address, Among],
    members: int,
    chain_id: int,
    contract: Address,
) -> Reported:
    """How a report stands among all of a sheet; each scores exactly the deltas that were decided on.
    `drawn`: solvers whose trainings had to be audited; `among`: what deltas are paid for, where the rules pay
    as merged; `members`: how many coordinators the set has."""
    scores = {score.solver: score for score in report.scores}
    said: dict[Address, list[SignedScore]] = {item.solver: [] for item in decisions}
    for each in reports:
        for score in each.scores:
            said.setdefault(score.solver, []).append(score)
    found = Counter(standing(scores[item.solver], item, spec, said[item.solver]) for item in decisions)
    revealed = len({item.digest for item in decisions})
    shares = not spec.pay_as_merged or second_numbers(report, revealed)
    early = in_time(reports, members, chain_id, contract) if spec.committed_scores else None
    return Reported(
        scores=len(decisions),
        over=found[Standing.OVER],
        under=found[Standing.UNDER],
        sound=found[Standing.SOUND],
        missed=found[Standing.MISSED],
        audited=audited_well(scores, [(item.solver, item.reason) for item in decisions], drawn),
        as_merged=shares and measured_as_merged(report, revealed, among, spec.score_tolerance),
        in_time=None if early is None else report.coordinator in early,
    )


def worth(verdict: Verdict, gain: int) -> int:
    """Micro-nats that a verdict lets a delta be paid for, before its standard error."""
    return max(0, gain) if verdict is Verdict.ACCEPTED else 0


def _decided_worth(decision: Decided) -> int:
    return max(0, decision.gain) if _merged(decision) else 0


def _merged(decision: Decided) -> bool:
    """Whether the coordinators accepted a delta, also one that was dropped from the merge."""
    return decision.verdict is Verdict.ACCEPTED or decision.reason == DROPPED
