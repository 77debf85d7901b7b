"""How large a bond has to be: against counting, against what a cheat comes to, and at its edges."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest

from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.bond_rule import (
    UNIT,
    Lottery,
    deterrence,
    least_bond,
    lottery_of,
    most_paid,
)

pytestmark = pytest.mark.unit

TOKEN = 10**18
QUARTER = Lottery(probability_milli=250, opened=1, segments=32)


@pytest.mark.parametrize("opened", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("cheated", range(7))
def test_the_chance_to_be_found_is_what_counting_gives(cheated: int, opened: int) -> None:
    lottery = Lottery(250, opened, 8)
    draws = list(combinations(range(lottery.between), min(opened, lottery.between)))
    met = sum(any(place < cheated for place in draw) for draw in draws)
    assert lottery.chance(cheated) == Fraction(1, 4) * Fraction(met, len(draws))


def test_what_is_always_met_is_found_whenever_its_solver_is_drawn() -> None:
    assert QUARTER.chance(0, ends=True) == QUARTER.chance(30) == Fraction(1, 4)
    assert QUARTER.chance(1) == Fraction(1, 120)
    assert Lottery(250, 1, 2).chance(5) == Lottery(250, 1, 1).chance(5) == 0  # there is nothing between
    assert Lottery(250, 3, 3).chance(1) == Fraction(1, 4)


def test_the_least_bond_leaves_nothing_of_a_cheat_and_a_little_less_does() -> None:
    for most in (1, TOKEN, 100 * TOKEN, 123_456_789_012_345_678_901):
        for chance in (Fraction(1, 120), Fraction(1, 4), Fraction(999, 1000)):
            bond = least_bond(most, chance)
            assert bond is not None and bond % UNIT == 0
            assert (1 - chance) * most <= chance * bond
            assert (1 - chance) * most > chance * (bond - UNIT)


def test_with_a_quarter_it_is_three_times_what_a_delta_can_earn() -> None:
    assert least_bond(100 * TOKEN, Fraction(1, 4)) == 300 * TOKEN
    assert least_bond(100 * TOKEN, Fraction(1)) == 0
    assert least_bond(100 * TOKEN, Fraction(0)) is None


def test_a_cap_on_one_delta_s_pay_makes_the_bond_smaller() -> None:
    assert most_paid(100 * TOKEN, None) == most_paid(100 * TOKEN, 200 * TOKEN) == 100 * TOKEN
    assert most_paid(100 * TOKEN, 25 * TOKEN) == 25 * TOKEN
    found = deterrence(QUARTER, bond=75 * TOKEN, most=25 * TOKEN)
    assert found.deters and found.least == 75 * TOKEN
    assert not deterrence(QUARTER, bond=75 * TOKEN, most=100 * TOKEN).deters


def test_how_many_segments_a_cheat_must_keep_to_is_the_last_number_that_pays() -> None:
    for bond in (0, 75 * TOKEN, 200 * TOKEN, 3_000 * TOKEN):
        for lottery in (QUARTER, Lottery(250, 6, 8), Lottery(250, 2, 8), Lottery(1000, 1, 4)):
            found = deterrence(lottery, bond=bond, most=25 * TOKEN)
            pays = [
                (1 - lottery.chance(k)) * found.most > lottery.chance(k) * bond
                for k in range(1, lottery.between + 1)
            ]
            assert pays == [k <= found.undeterred for k in range(1, lottery.between + 1)]


def test_at_the_least_bond_a_cheat_between_pays_unless_all_between_is_done_again() -> None:
    found = deterrence(QUARTER, bond=75 * TOKEN, most=25 * TOKEN)
    assert (found.between, found.undeterred) == (30, 29)
    assert found.least_for_one == 119 * 25 * TOKEN
    whole = deterrence(Lottery(250, 6, 8), bond=75 * TOKEN, most=25 * TOKEN)
    assert (whole.between, whole.undeterred, whole.least_for_one) == (6, 0, 75 * TOKEN)


def test_nobody_drawn_is_deterred_by_no_bond() -> None:
    found = deterrence(Lottery(0, 1, 32), bond=10**6 * TOKEN, most=TOKEN)
    assert not found.deters and found.least is found.least_for_one is None and found.undeterred == 30


def test_segments_follow_from_steps_as_those_of_a_training_do() -> None:
    assert lottery_of(AuditRule(32, 250, 1), 152, 0) == QUARTER  # one step, 30 times 5, one step
    assert lottery_of(AuditRule(32, 250, 2), 100, 0) == Lottery(250, 2, 27)  # 24 of 4 and one of 2 between
    assert lottery_of(AuditRule(32, 250, 1), 5, 0).segments == 5
    assert lottery_of(AuditRule(32, 250, 1), 0, 0).segments == 32


def test_attack_a_guard_adds_segments_to_hide_in_and_the_rule_counts_them() -> None:
    """Else a bond would be said to deter a cheat in any of 298 segments, of which 6 are drawn."""
    lottery = lottery_of(AuditRule(8, 250, 6), 300, 1)
    assert lottery == Lottery(250, 6, 300)
    found = deterrence(lottery, bond=3 * TOKEN, most=TOKEN)
    assert (found.between, found.undeterred) == (298, 292) and found.guard_known
    unknown = deterrence(lottery_of(AuditRule(8, 250, 6), 300, None), bond=3 * TOKEN, most=TOKEN)
    assert unknown.between == 6 and not unknown.guard_known
