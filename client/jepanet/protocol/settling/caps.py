"""What one delta is paid at most: the rules' own cap, and a multiple of what is usual in its round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.reasons import DROPPED
from jepanet.protocol.settling.rewards import earned
from jepanet.types import Verdict

COUNTED = 10
"""A delta that earns less than the second best's so manieth part says nothing of what is usual."""


class Scored(Protocol):
    """A decision, or a row of a sheet."""

    @property
    def verdict(self) -> Verdict: ...

    @property
    def reason(self) -> str: ...

    @property
    def gain(self) -> int: ...

    @property
    def stderr(self) -> int: ...


def pay_limit(spec: RoundSpec, scored: Sequence[Scored]) -> int | None:
    """Wei that no delta of a published round is paid more than; None: there is no limit.

    `scored`: of all its deltas. Accepted ones say what is usual, those too that were dropped from the merge.
    """
    limits = [] if spec.pay_cap is None else [spec.pay_cap]
    if spec.pay_to_median_milli:
        amounts = [
            earned(item.gain, item.stderr, spec.price, spec.shrink_milli)
            for item in scored
            if item.verdict is Verdict.ACCEPTED or item.reason == DROPPED
        ]
        usual = usual_pay(amounts)
        if usual:
            limits.append(usual * spec.pay_to_median_milli // 1000)
    return min(limits, default=None)


def usual_pay(amounts: Sequence[int]) -> int:
    """The upper median of what is earned in a round; 0 where fewer than two earn anything.

    Identities are free: what earns next to nothing does not count, or many such would hold everybody to it.
    Next to nothing is meant beside the second best, since the best alone may be what is to be limited.
    """
    ordered = sorted(amounts)
    if len(ordered) < 2 or not ordered[-2]:
        return 0
    counted = [amount for amount in ordered if COUNTED * amount >= ordered[-2]]
    return counted[len(counted) // 2]
