"""What one delta is paid at most: the rules' own cap, and a multiple of what is usual.

    worth of a delta = gain - shrink_milli / 1000 standard errors, at least 0        (micro-nats)
    usual            = a median of what deltas of the round are worth
    limit            = pay_to_median_milli / 1000 x usual x price                    (wei)

Where few are worth anything the round alone cannot say what is usual: whoever stands out is its own median,
or is held to next to nothing. So rules may carry it from one merged round to the next (`usual_follows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import MAX_WORTH, RoundSpec
from jepanet.protocol.settling.reasons import DROPPED
from jepanet.protocol.settling.rewards import earned
from jepanet.types import Digest, Verdict

COUNTED = 10
"""What is worth less than so manieth a part of the usual, or of the second best, says nothing of it."""
GROWTH = (5, 4)
"""By which what is usual may exceed that of the round before."""
FALL = 2
"""It falls to so manieth a part at least."""


class Scored(Protocol):
    """A decision, or a row of a sheet."""

    @property
    def verdict(self) -> Verdict: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def reason(self) -> str: ...

    @property
    def gain(self) -> int: ...

    @property
    def stderr(self) -> int: ...


def pay_limit(spec: RoundSpec, scored: Sequence[Scored]) -> int | None:
    """Wei that no delta of a published round is paid more than; None: there is no limit.

    `scored`: of all its deltas, with what they are paid for.
    """
    limits = [] if spec.pay_cap is None else [spec.pay_cap]
    if spec.pay_to_median_milli:
        usual = usual_of(spec, scored)
        if usual:
            limits.append(usual * spec.price * spec.pay_to_median_milli // 1000)
    return min(limits, default=None)


def usual_of(spec: RoundSpec, scored: Sequence[Scored]) -> int:
    """What a delta of a round is usually worth, in micro-nats; 0 where nothing says so.

    Accepted deltas count, those too that were dropped from the merge: a leaked shard makes the work of others
    redundant.
    """
    worth = [
        earned(item.gain, item.stderr, 1, spec.shrink_milli)
        for item in scored
        if item.verdict is Verdict.ACCEPTED or item.reason == DROPPED
    ]
    return usual_after(worth, usual_before(spec, scored)) if spec.usual_worth else usual_within(worth)


def usual_before(spec: RoundSpec, scored: Sequence[Scored]) -> int:
    """What was usual in the round that made the base, for a delta that is one of as many as in this round.

    A part of a step gains about that part of what the step does: as one of 64, an honest delta is worth an
    eighth of what it is as one of 8.
    """
    here = counted_as(spec, scored)
    if not spec.usual_count or not here:
        return spec.usual_worth
    return max(1, min(MAX_WORTH, spec.usual_worth * spec.usual_count // here))


def counted_as(spec: RoundSpec, scored: Sequence[Scored]) -> int:
    """As one of how many a delta of a published round is paid: of the merged ones, or of all."""
    merged = len({item.digest for item in scored if item.verdict is Verdict.ACCEPTED})
    revealed = len({item.digest for item in scored})
    return merged if spec.pay_as_merged and merged else revealed


def usual_within(worth: Sequence[int]) -> int:
    """The upper median of a round's own; 0 where fewer than two are worth anything.

    Identities are free: what is worth next to nothing does not count, or many such would hold everybody to
    it. Next to nothing is meant beside the second best, since the best alone may be what is to be limited.
    """
    ordered = sorted(worth)
    if len(ordered) < 2 or not ordered[-2]:
        return 0
    counted = [amount for amount in ordered if COUNTED * amount >= ordered[-2]]
    return counted[len(counted) // 2]


def usual_after(worth: Sequence[int], last: int) -> int:
    """The upper median of what is worth a tenth of the `last` usual or more, between a half and 5/4 of that.

    Only where that is more than half of them may it rise: few that stand out are not what is usual.
    """
    counted = sorted(amount for amount in worth if COUNTED * amount >= last)
    # By one at least: a quarter of three is none, and what fell so low would never come back.
    most = max(last + 1, last * GROWTH[0] // GROWTH[1]) if 2 * len(counted) > len(worth) else last
    return max(-(-last // FALL), min(counted[len(counted) // 2] if counted else 0, most))


def check_usual(spec: RoundSpec, due: int, count: int) -> None:
    """Holds a spec against what the sheet of the round that made its base says; `count`: its `usual_count`.

    Raises:
        Rejected: reason `wrong-usual`.
    """
    if spec.usual_follows and (spec.usual_worth, spec.usual_count) != (due, count):
        raise Rejected(
            f"the round's spec says a usual worth of {spec.usual_worth} as one of {spec.usual_count}, and "
            f"the round that made its base {due} as one of {count}",
            reason="wrong-usual",
        )
