"""Who is drawn in a whole run, by the draw of the protocol, and what that leaves of what was paid."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from audit_lottery import account

from jepanet.protocol.documents.spec import AuditRule
from jepanet.protocol.settling.audit_draw import drawn_segments
from jepanet.protocol.settling.bond_rule import least_bond, lottery_of
from jepanet.types import RoundId

END, STEPS, NOTHING = "end", "steps", "nothing"
"""Where what was not done as told lies: in the last segment, in every one, nowhere."""
UNIT = 10**18
"""A micro-nat that is paid for, so that bonds are rounded where that does not show."""
Paid = Sequence[Sequence[int]]
"""Micro-nats by round and identity."""


@dataclass(frozen=True)
class Terms:
    """Of every round of a run. `most`: that one delta is paid, in micro-nats; `bond` in the same."""

    rule: AuditRule
    segments: int
    most: float
    bond: float

    @classmethod
    def of(cls, rule: AuditRule, steps: int, most: float) -> Terms:
        """With the least bond by which a cheat that is always met does not pay."""
        lottery = lottery_of(rule, steps, 0)
        bond = least_bond(int(most * UNIT), lottery.chance(0, ends=True))
        assert bond is not None, "somebody is drawn"
        return cls(rule, lottery.segments, most, float(Fraction(bond, UNIT)))


@dataclass(frozen=True)
class Hand:
    """One lottery over all rounds of a run, by its number."""

    terms: Terms
    number: int

    def caught(self, round_: int, identity: int, where: str, *, kept_to_one: bool = False) -> bool:
        """Whether an identity that cheats is in this round. `kept_to_one`: in one segment between the first
        and the last, another one every time."""
        if where == NOTHING:
            return False
        beacon = hashlib.sha256(f"{self.number}/beacon/{round_}".encode()).digest()
        drawn = drawn_segments(
            self.terms.rule, int.from_bytes(beacon, "big"), RoundId(round_ + 1),
            account(f"{self.number}/{identity}"), count=self.terms.segments,
        )  # fmt: skip
        last = self.terms.segments - 1
        if kept_to_one:
            wrong = {random.Random(f"{self.number}/{round_}/{identity}").randrange(1, last)}
        else:
            wrong = {last} if where == END else set(range(last + 1))
        return not wrong.isdisjoint(drawn)

    def left(self, paid: Paid, clean: int, where: str, *, kept_to_one: bool = False) -> tuple[float, int]:
        """Pay of all identities over the run, less their bonds, and how many those are: who is caught is not
        paid, and loses one."""
        left, bonds = 0.0, 0
        for number, amounts in enumerate(paid):
            for identity, amount in enumerate(amounts):
                honest = identity < clean
                lost = not honest and self.caught(number, identity, where, kept_to_one=kept_to_one)
                left += -self.terms.bond if lost else min(amount, self.terms.most)
                bonds += lost
        return left, bonds


def first_that_catches(terms: Terms, rounds: int, identities: int, clean: int, where: str) -> Hand:
    """The first lottery by which anybody is caught."""
    number = 0
    while True:
        hand = Hand(terms, number)
        if any(hand.caught(at, who, where) for at in range(rounds) for who in range(clean, identities)):
            return hand
        number += 1


@dataclass(frozen=True)
class Left:
    """Of many lotteries over one run, in what the paid amounts are in."""

    mean: float
    error: float
    """Of the mean, by how far lotteries lie apart."""
    untouched: float
    """Share of the lotteries by which nobody was caught."""
    bonds: float
    """That were lost, on the mean."""


def drawn_often(
    terms: Terms, paid: Paid, clean: int, where: str, lotteries: int, *, kept_to_one: bool = False
) -> Left:
    hands = [
        Hand(terms, number).left(paid, clean, where, kept_to_one=kept_to_one) for number in range(lotteries)
    ]
    left, lost = np.array([it for it, _ in hands]), np.array([it for _, it in hands])
    return Left(
        float(left.mean()), float(left.std(ddof=1) / lotteries**0.5), float((lost == 0).mean()),
        float(lost.mean()),
    )  # fmt: skip
