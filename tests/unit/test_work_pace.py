"""How fast a job goes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from jepanet.work.pace import Pace
from jepanet.work.requests.request import Progress

pytestmark = pytest.mark.unit


def test_the_rate_is_of_the_steps_that_were_seen() -> None:
    pace = Pace()
    pace.note(Progress(60, 80, 0.9), 100.0)  # taken up again at step 60
    assert pace.rate is None
    pace.note(Progress(70, 80, 0.8), 105.0)
    assert pace.rate == 2.0 and pace.curve == ((60, 0.9), (70, 0.8))


def test_the_curve_is_thinned_evenly() -> None:
    pace = Pace()
    for step in range(1, 10_001):
        pace.note(Progress(step, 10_000, 1 / step), float(step))
    steps = [step for step, _ in pace.curve]
    assert 128 <= len(steps) <= 256 and steps[0] == 1
    assert {b - a for a, b in pairwise(steps)} == {64}


def test_a_clock_that_stands_still_gives_no_rate() -> None:
    pace = Pace()
    for step in (1, 2, 3):
        pace.note(Progress(step, 9, None), 5.0)
    assert pace.rate is None and pace.curve == ()
