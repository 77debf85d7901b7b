"""Earnings over time."""

from __future__ import annotations

import pytest

from jepanet.operations.funds.earnings import by_day
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import DayOfRewards, Reward

pytestmark = pytest.mark.unit

DAY = 86400


def reward(number: int, recorded: int, paid: int | None, claim: str | None = "done") -> Reward:
    return Reward(number, 1, "solver", recorded, None, None if paid is None else Wei(paid), claim)


def test_days_end_at_midnight_and_what_is_not_known_is_counted_apart() -> None:
    assert by_day(()) == ()
    assert [item.day for item in by_day((reward(1, 2**64, 5), reward(2, -1, 5)))] == [
        "9999-12-31", "1970-01-01",
    ]  # fmt: skip
    rewards = (
        reward(1, 2 * DAY - 1, 5),
        reward(4, 5 * DAY + 9, None, None),
        reward(2, 2 * DAY, 7),
        reward(3, 3 * DAY - 1, 11, "pending"),
    )
    assert by_day(rewards) == (
        DayOfRewards("1970-01-06", 1, 1, Wei(0), Wei(0)),
        DayOfRewards("1970-01-03", 2, 0, Wei(18), Wei(7)),
        DayOfRewards("1970-01-02", 1, 0, Wei(5), Wei(5)),
    )
