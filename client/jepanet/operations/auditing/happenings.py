"""What has happened in a round between two looks at it, in the order in which rounds go."""

from __future__ import annotations

from collections.abc import Iterator

from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import RoundSchedule
from jepanet.operations.views.watching import (
    Committed,
    Earned,
    FeeEarned,
    Happening,
    Measured,
    Merged,
    PhaseBegan,
    ResultRecorded,
    Revealed,
    RewardKnown,
    SeenRound,
    ShardDrawn,
    ShardUnsealed,
)
from jepanet.types import Phase, Verdict

OVER = frozenset({Phase.SETTLED.name.lower(), Phase.CANCELLED.name.lower()})
"""Phases that no other follows."""


def happenings(before: SeenRound | None, now: SeenRound) -> tuple[Happening, ...]:
    """Everything that is new since `before`; without one, everything so far."""
    first, last = list(_early(before, now)), list(_late(before, now))
    began = _phase(before, now)
    # A phase is told before what happens in it; what ended the last one, before that.
    return (*first, *began, *last)


def phase_end(schedule: RoundSchedule) -> int | None:
    """When the phase ends at the latest, in seconds of Unix; None: by something else than the clock."""
    ends = {
        Phase.COMMIT: schedule.commit_end,
        Phase.GAP: schedule.reveal_start,
        Phase.REVEAL: schedule.reveal_end,
        Phase.VERIFY: schedule.verify_end,
        Phase.CHALLENGE: schedule.challenge_end,
    }
    return ends.get(Phase[schedule.phase.upper()])


def is_complete(seen: SeenRound) -> bool:
    """Whether the round is over and nothing more is to be learnt of it here: its receipts are read, and this
    node's claim has been carried out or given up."""
    summary, reward = seen.figures.summary, seen.reward
    if summary.phase not in OVER:
        return False
    if summary.sheet is None or summary.phase == Phase.CANCELLED.name.lower():
        return True
    claimed = reward is None or reward.claim in ("done", "rejected")
    return seen.figures.sheet_read and claimed


def _phase(before: SeenRound | None, now: SeenRound) -> list[PhaseBegan]:
    summary = now.figures.summary
    if before is not None and before.figures.summary.phase == summary.phase:
        return []
    return [PhaseBegan(summary.round, summary.project, summary.phase, summary.cause, phase_end(now.schedule))]


def _early(before: SeenRound | None, now: SeenRound) -> Iterator[Happening]:
    """What may have ended the phase before: everybody's commitment, reveal or measurement, and the result."""
    if before is None:
        return
    yield from _solvers(before, now)
    yield from _results(before, now)


def _late(before: SeenRound | None, now: SeenRound) -> Iterator[Happening]:
    if before is None:
        yield from _solvers(None, now)
        yield from _results(None, now)
    number = now.figures.summary.round
    figures, told = now.figures.figures, None if before is None else before.figures.figures
    if figures is not None and told is None:
        yield Merged(number, figures.published, figures.note)
    known = set() if before is None else {item.receipt.solver for item in before.receipts}
    for item in now.receipts:
        if item.receipt.solver not in known:
            yield Earned(item.words, item.receipt)
    if figures is not None and told is None:
        for fee in figures.fees:  # nothing included: who said less or more than the others is named
            yield FeeEarned(number, fee)
    reward = now.reward
    if reward is not None and reward.paid is not None and (before is None or before.reward != reward):
        yield RewardKnown(reward, _returned(now))


def _returned(now: SeenRound) -> Wei | None:
    """The bond that the node's own claim frees."""
    whole = {Verdict.ACCEPTED.name.lower(), Verdict.SPARED.name.lower()}
    reward = now.reward
    return now.schedule.bond if reward is not None and reward.verdict in whole else None


def _solvers(before: SeenRound | None, now: SeenRound) -> Iterator[Happening]:
    number = now.figures.summary.round
    earlier = () if before is None else before.commitments
    committed = {item.solver for item in earlier}
    revealed = {item.solver for item in earlier if item.delta is not None}
    for item in now.commitments:
        if item.solver not in committed:
            yield Committed(number, item.solver)
    if now.schedule.drawn and not (before is not None and before.schedule.drawn):
        yield ShardDrawn(number)
    if now.schedule.unsealed and not (before is not None and before.schedule.unsealed):
        yield ShardUnsealed(number)
    for item in now.commitments:
        if item.delta is not None and item.solver not in revealed:
            yield Revealed(number, item.solver, item.delta)


def _results(before: SeenRound | None, now: SeenRound) -> Iterator[Happening]:
    summary = now.figures.summary
    known = set() if before is None else {item.coordinator for item in before.measurements}
    for item in now.measurements:
        if item.coordinator not in known:
            yield from (Measured(summary.round, item.coordinator, row) for row in item.rows)
    recorded = before is not None and before.figures.summary.improvement is not None
    if summary.improvement is not None and summary.payout is not None and not recorded:
        yield ResultRecorded(summary.round, summary.improvement, summary.payout)
