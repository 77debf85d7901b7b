"""What a delta gains as one of those that are merged, from what was signed of all that were revealed.

Scores are signed before anybody knows which deltas reach enough coordinators and which are dropped. Measured
at base + delta / N, with N all revealed, honest work is paid for a small part of its step wherever junk
was revealed beside it. So each coordinator measures a second time, as one of the `count` deltas that it finds
worth paying, and signs that too. What is paid for is read off both, at the share of the merged deltas:

    gain(s) = a s - b s^2      through 0, (1 / N, gain) and (1 / count, gain among)

and is one of both numbers where their count is the merged one, or `count` is larger. Coordinators that were
served differently, and so measured among different numbers, come to the same gain up to the third order. No
one's number is taken: as with every score, the lower median of all reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from jepanet.protocol.documents.scores import MAX_GAIN, Among, ScoreReport
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.reasons import DROPPED, unseen
from jepanet.types import Address, Digest, Verdict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Measured(Protocol):
    """A signed score, or a node's own."""

    @property
    def gain(self) -> int: ...

    @property
    def stderr(self) -> int: ...

    @property
    def among(self) -> Among | None: ...


class Decided(Protocol):
    """A decision."""

    @property
    def solver(self) -> Address: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def verdict(self) -> Verdict: ...

    @property
    def reason(self) -> str: ...


Counted = tuple[int, int]
"""Gain and standard error in micro-nats."""


def as_one_of(score: Measured, revealed: int, merged: int) -> Counted:
    """A score as one of `merged` deltas, of `revealed` ones: integers, so the same for everybody.

    Never at a larger share than was measured: honest gains bend, and whoever grew them in proportion would
    pay for tiny deltas that are merged nowhere and look worth paying.
    """
    among, all_ = score.among, revealed
    if among is None or among.count >= all_:
        return score.gain, score.stderr
    m = among.count
    n = max(merged, m)
    # Lagrange's weights at 1 / n of the points 1 / all and 1 / m, and 0 at 0.
    gain = (score.gain * all_ * all_ * (n - m) + among.gain * m * m * (all_ - n)) // (n * n * (all_ - m))
    return _cut(gain, -(-among.stderr * m // n))


def counted(reports: Sequence[ScoreReport], revealed: int, merged: int) -> Mapping[Address, Counted]:
    """By solver, lower medians over all reports."""
    found: dict[Address, list[Counted]] = {}
    for report in reports:
        for score in report.scores:
            found.setdefault(score.solver, []).append(as_one_of(score, revealed, merged))
    return {
        solver: (_lower_median([gain for gain, _ in pairs]), _lower_median([error for _, error in pairs]))
        for solver, pairs in found.items()
    }


def gains_as_merged(
    spec: RoundSpec, revealed: int, reports: Sequence[ScoreReport], decisions: Sequence[Decided]
) -> dict[Address, Among]:
    """By solver, what accepted deltas are paid for, those too that were dropped from the merge; empty where
    that is their gain as one of all."""
    merged = len({item.digest for item in decisions if item.verdict is Verdict.ACCEPTED})
    if not spec.pay_as_merged or not 0 < merged < revealed:
        return {}
    found = counted(reports, revealed, merged)
    return {
        item.solver: Among(merged, *found[item.solver])
        for item in decisions
        if item.verdict is Verdict.ACCEPTED or item.reason == DROPPED
    }


D = TypeVar("D", bound="DataclassInstance")


def as_paid(item: D, among: Among | None) -> D:
    """A decision or row with the numbers that it is paid for."""
    return item if among is None else replace(item, gain=among.gain, stderr=among.stderr)


def second_numbers(report: ScoreReport, revealed: int) -> bool:
    """Whether a report has the second numbers that it owes: where some of the deltas gain more than their
    error by its own word, and not all that were revealed, of each of those, among so many.

    Who left some out would have measured half, and be in the wide band of those who found more worth paying.
    """
    worth = {
        score.solver
        for score in report.scores
        if score.verdict is Verdict.ACCEPTED and score.gain > score.stderr
    }
    due = worth if len(worth) < revealed else set()
    second = {score.solver: score.among.count for score in report.scores if score.among is not None}
    return second == dict.fromkeys(due, len(due))


def measured_as_merged(
    report: ScoreReport, revealed: int, among: Mapping[Address, Among], tolerance: int
) -> bool:
    """Whether a coordinator's second numbers hold, of the deltas that it could fetch."""
    for score in report.scores:
        due = among.get(score.solver)
        if due is None or unseen(score.verdict, score.reason):
            continue
        if not agrees(score, due, revealed, tolerance):
            return False
    return True


def agrees(score: Measured, due: Among, revealed: int, tolerance: int) -> bool:
    """Whether what was measured gives what is paid for, within what two honest nodes may differ by.

    Who found more worth paying than were merged has no number at that share: anything is possible there
    between its own and what that would be if it grew in proportion.
    """
    gain, stderr = as_one_of(score, revealed, due.count)
    count, at, error = revealed, score.gain, score.stderr
    if score.among is not None and score.among.count < revealed:
        count, at, error = score.among.count, score.among.gain, score.among.stderr
    if count <= due.count:
        return max(abs(gain - due.gain), abs(stderr - due.stderr)) <= tolerance
    most, widest = at * count // due.count, -(-error * count // due.count)
    return (
        min(gain, most) - tolerance <= due.gain <= max(gain, most) + tolerance
        and stderr - tolerance <= due.stderr <= widest + tolerance
    )


def _cut(gain: int, stderr: int) -> Counted:
    return max(-MAX_GAIN, min(MAX_GAIN, gain)), min(MAX_GAIN, stderr)


def _lower_median(values: Sequence[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
