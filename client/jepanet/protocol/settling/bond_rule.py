"""How large the bond of an audited round has to be, in whole numbers: what a cheat that is found costs,
against what one that is not found can bring.

After commitments close, a solver is drawn with probability p (`audit_draw`). Of a drawn one the first and the
last segment are done again, and m of those between. With d the chance to be found and R the most that one
delta is paid, a cheat brings at most (1 - d) R and costs d times the bond: nothing is left of it from a bond
of R (1 - d) / d on.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb

from jepanet.division import segment_count
from jepanet.protocol.documents.spec import AuditRule

UNIT = 10**9
"""Bonds are multiples of so many wei: the contracts keep them in billionths of a token."""
_ENDS = 2
"""The first and the last segment."""


@dataclass(frozen=True, slots=True)
class Lottery:
    """What is done again of the trainings of a round."""

    probability_milli: int
    """Thousandths, with which a solver is drawn."""
    opened: int
    """Segments between the first and the last that are done again of a drawn one, if there are as many."""
    segments: int
    """Of a training."""
    guard_known: bool = True
    """Whether those are counted that the guard of a recipe adds."""

    @property
    def between(self) -> int:
        """Segments that are neither the first nor the last."""
        return max(0, self.segments - _ENDS)

    def chance(self, between: int, *, ends: bool = False) -> Fraction:
        """To be found, for a cheat in so many of the segments between; `ends`: in the first or the last too.

        Exactly p (1 - C(n - k, m) / C(n, m)), for k of n of which m are drawn, which is near
        p (1 - (1 - k / n)^m).
        """
        drawn = Fraction(self.probability_milli, 1000)
        if ends:
            return drawn
        among, taken = self.between, min(self.opened, self.between)
        return drawn * (1 - Fraction(comb(among - min(between, among), taken), comb(among, taken)))


@dataclass(frozen=True, slots=True)
class Deterrence:
    """What the bond of a round is worth against what one delta can be paid. Amounts in wei."""

    bond: int
    most: int
    """That one delta is paid."""
    chance: Fraction
    """To be found, of whoever cheats where a cheat is always met: scaling, noise and masks come last."""
    least: int | None
    """Bond from which that does not pay; None: no bond is enough, since nobody is drawn."""
    between: int
    """Segments that are neither the first nor the last."""
    undeterred: int
    """In so many of those a cheat still pays, if it brings the most that a delta is paid."""
    guard_known: bool
    """As `Lottery`'s: else there may be more between."""
    least_for_one: int | None
    """Bond from which a cheat in a single one of them does not pay; None: no bond is enough."""

    @property
    def deters(self) -> bool:
        """Whether a cheat that is always met where it is drawn does not pay."""
        return self.least is not None and self.bond >= self.least


def lottery_of(rule: AuditRule, steps: int, measured_every: int | None) -> Lottery:
    """The lottery of a round whose solvers take so many steps; 0: not known, and the rules' most segments are
    meant. `measured_every`: steps between two measurements of the recipe's guard, 0 for none; None: the
    recipe is not known here, and no guard's segments are counted.
    """
    count = segment_count(steps, rule.segments, measured_every or 0) if steps else rule.segments
    return Lottery(rule.probability_milli, rule.opened, count, measured_every is not None and steps > 0)


def least_bond(most: int, chance: Fraction) -> int | None:
    """Wei from which a cheat that is found with `chance` and brings `most` wei does not pay; None: no such
    sum. Rounded up to what the contracts can hold.
    """
    if chance <= 0:
        return None
    return ceil(most * (1 - chance) / chance / UNIT) * UNIT


def most_paid(budget: int, pay_cap: int | None) -> int:
    """Wei that one delta can be paid at most."""
    return budget if pay_cap is None else min(budget, pay_cap)


def deterrence(lottery: Lottery, *, bond: int, most: int) -> Deterrence:
    """Holds a bond against what one delta can be paid, both in wei."""
    ends = lottery.chance(0, ends=True)
    return Deterrence(
        bond=bond,
        most=most,
        chance=ends,
        least=least_bond(most, ends),
        between=lottery.between,
        undeterred=_undeterred(lottery, bond, most),
        guard_known=lottery.guard_known,
        least_for_one=least_bond(most, lottery.chance(1)) if lottery.between else 0,
    )


def _undeterred(lottery: Lottery, bond: int, most: int) -> int:
    """The most segments between in which a cheat pays: the chance only grows with them."""
    low, high = 0, lottery.between
    while low < high:
        middle = (low + high + 1) // 2
        chance = lottery.chance(middle)
        if (1 - chance) * most > chance * bond:
            low = middle
        else:
            high = middle - 1
    return low
