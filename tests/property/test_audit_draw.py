"""Whose training is audited, and which parts: how often, how evenly, and the same for everybody."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jepanet.addresses import checksum_address
from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.audit_draw import drawn_segments, is_drawn
from jepanet.types import Address, RoundId

pytestmark = pytest.mark.property

BEACONS = st.integers(0, (1 << 256) - 1)
ROUNDS = st.integers(1, (1 << 53) - 1)
SIGMAS = 5


def solver(number: int) -> Address:
    return checksum_address(f"0x{number:040x}")


@given(st.integers(1, 999), BEACONS, ROUNDS)
def test_a_solver_is_drawn_as_often_as_the_rules_say(milli: int, beacon: int, round_id: int) -> None:
    rule, tries, p = AuditRule(8, milli), 400, milli / 1000
    drawn = sum(is_drawn(rule, beacon, RoundId(round_id), solver(number)) for number in range(tries))
    assert abs(drawn - tries * p) <= max(8, SIGMAS * sqrt(tries * p * (1 - p)) + 1)


@given(st.integers(2, 999), st.integers(1, 1 << 40))
def test_beacons_of_one_solver_draw_it_as_often(milli: int, start: int) -> None:
    rule, tries, p = AuditRule(8, milli), 400, milli / 1000
    drawn = sum(is_drawn(rule, start + beacon, RoundId(7), solver(3)) for beacon in range(tries))
    assert abs(drawn - tries * p) <= max(8, SIGMAS * sqrt(tries * p * (1 - p)) + 1)


@given(st.integers(1, 1024), st.integers(0, 1022), BEACONS, ROUNDS, st.integers(0, (1 << 160) - 1))
def test_first_and_last_and_as_many_others_as_there_are(
    count: int, opened: int, beacon: int, round_id: int, who: int
) -> None:
    segments = drawn_segments(
        AuditRule(1024, 1000, opened), beacon, RoundId(round_id), solver(who), count=count
    )
    assert {0, count - 1} <= set(segments)
    assert list(segments) == sorted(set(segments)) and segments[-1] < count
    assert len(segments) == min(count, 2 if count > 1 else 1) + min(opened, max(0, count - 2))


def test_every_segment_between_is_drawn_equally_often() -> None:
    rule, count, tries = AuditRule(10, 1000, 2), 10, 4000
    seen: Counter[int] = Counter()
    for beacon in range(tries):
        seen.update(drawn_segments(rule, beacon, RoundId(1), solver(1), count=count))
    p = 2 / (count - 2)
    assert seen[0] == seen[count - 1] == tries
    for number in range(1, count - 1):
        assert abs(seen[number] - tries * p) <= SIGMAS * sqrt(tries * p * (1 - p))


@pytest.mark.parametrize(("rule", "beacon"), [(None, 5), (AuditRule(8), 5), (AuditRule(8, 1000), None)])
def test_nobody_is_drawn_without_rule_chance_or_beacon(rule: AuditRule | None, beacon: int | None) -> None:
    assert not is_drawn(rule, beacon, RoundId(1), solver(1))
    assert drawn_segments(rule, beacon, RoundId(1), solver(1), count=5) == ()


def test_the_draw_never_changes() -> None:
    """Nodes of two releases that drew otherwise would not agree on whose bond is lost."""
    rule = AuditRule(16, 250, 3)
    beacon = int.from_bytes(bytes(range(32)), "big")
    drawn = {
        number: drawn_segments(rule, beacon, RoundId(9), solver(number), count=16) for number in range(1, 13)
    }
    assert {number: segments for number, segments in drawn.items() if segments} == RECORDED


RECORDED = {2: (0, 3, 10, 13, 15), 10: (0, 12, 13, 14, 15), 12: (0, 1, 4, 13, 15)}
