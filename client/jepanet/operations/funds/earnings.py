"""Earnings over time: what results granted a wallet, day by day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby

from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import DayOfRewards, Reward

_LAST = 253_402_300_799
"""The last second of the year 9999."""


def moment(seconds: int) -> datetime:
    """A chain's timestamp as a moment in UTC; one beyond every calendar is the last that there is."""
    return datetime.fromtimestamp(max(0, min(seconds, _LAST)), UTC)


def by_day(rewards: Iterable[Reward]) -> tuple[DayOfRewards, ...]:
    """Sums of the days on which results were recorded, the newest first; days without one are left out."""
    listed = sorted(rewards, key=lambda item: item.recorded, reverse=True)
    found = []
    for day, items in groupby(listed, key=lambda item: moment(item.recorded).date()):
        held = tuple(items)
        found.append(
            DayOfRewards(
                day=day.isoformat(),
                rounds=len(held),
                unknown=sum(item.paid is None for item in held),
                paid=Wei(sum(item.paid or 0 for item in held)),
                claimed=Wei(sum(item.paid or 0 for item in held if item.claim == "done")),
            )
        )
    return tuple(found)
