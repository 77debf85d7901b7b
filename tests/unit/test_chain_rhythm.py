"""A node looks at its chain as often as blocks come, and an endpoint is spared the rest."""

from __future__ import annotations

import pytest

from jepanet.chain.following import rhythm as rhythm_module
from jepanet.chain.following.rhythm import Rhythm, pause_between

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("block", "pause"), [(0.0, 1.0), (0.25, 1.0), (2.0, 1.0), (12.0, 3.75), (20.0, 5.0), (600.0, 5.0)]
)
def test_a_slow_chain_is_looked_at_less_often(block: float, pause: float) -> None:
    assert pause_between(1.0, block) == pytest.approx(pause)


@pytest.mark.parametrize("block", [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 12.0, 60.0])
def test_looks_are_at_most_two_a_block_and_one_every_five_seconds(block: float) -> None:
    assert block / pause_between(1.0, block) <= 2 + block / 5


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(rhythm_module, "time", found)
    return found


def test_the_pace_is_the_one_that_was_seen(clock: Clock) -> None:
    rhythm = Rhythm(1.0)
    assert rhythm.pause(told=False) == 1.0, "nothing is known yet"
    for number in (5, 6, 6, 8):
        rhythm.saw(number)
        clock.now += 12.0
    assert rhythm.pause(told=False) == 3.75, "twelve seconds, and twice twelve for two blocks"
    clock.now += 3600.0
    rhythm.saw(9)
    assert rhythm.pause(told=False) == 3.75, "one that came late does not make the node slow"
    clock.now += 0.1
    rhythm.saw(10)
    assert rhythm.pause(told=False) == 1.0


def test_a_head_that_falls_back_is_no_pace(clock: Clock) -> None:
    rhythm = Rhythm(1.0)
    rhythm.saw(9)
    clock.now += 40.0
    rhythm.saw(3)
    clock.now += 8.0
    rhythm.saw(4)
    assert rhythm.pause(told=False) == pytest.approx(1 / (2 / 8 + 1 / 10))


def test_where_blocks_are_announced_only_missed_ones_are_looked_for(clock: Clock) -> None:
    assert Rhythm(0.5).pause(told=True) == 2.5
