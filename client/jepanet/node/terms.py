"""Round terms from configuration: tokens as decimal text become wei, exactly."""

from __future__ import annotations

from decimal import Decimal, localcontext

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.node.config import ProposerSection
from jepanet.protocol.fields import checksum_address
from jepanet.roles.context import RoundTerms
from jepanet.types import Address

_WEI = Decimal(10) ** 18
_DIGITS = 120
"""Enough that no amount below 2**120 wei is ever rounded; the default of 28 would lose digits silently."""


def round_terms(section: ProposerSection) -> RoundTerms:
    """The `[proposer]` section in base units.

    Raises:
        Fatal: an amount or address is malformed (exit code `CONFIG`).
    """
    return RoundTerms(
        budget=wei(section.budget, "proposer.budget"),
        fee=wei(section.fee, "proposer.fee"),
        bond=wei(section.bond, "proposer.bond"),
        unseal_bond=wei(section.unseal_bond, "proposer.unseal_bond"),
        price=wei(section.price, "proposer.price"),
        shrink_milli=section.shrink_milli,
        inner_steps=section.inner_steps,
        codec=section.codec,
        max_delta_bytes=section.max_delta_mb << 20,
        outer_lr_milli=section.outer_lr_milli,
        outer_momentum_milli=section.outer_momentum_milli,
        commit_seconds=section.commit_seconds,
        gap_seconds=section.gap_seconds,
        reveal_seconds=section.reveal_seconds,
        verify_seconds=section.verify_seconds,
        challenge_seconds=section.challenge_seconds,
        max_solvers=section.max_solvers,
        aggregators=tuple(_address(item) for item in section.aggregators),
    )


def wei(text: str, key: str) -> int:
    """A decimal number of tokens as wei.

    Raises:
        Fatal: not a number, negative, or finer than one wei.
    """
    try:
        with localcontext(prec=_DIGITS):
            amount = Decimal(text) * _WEI
    except ArithmeticError as error:
        raise _bad(f"{key}: {text!r} is not a number of tokens") from error
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value() or amount >= 1 << 120:
        raise _bad(f"{key}: {text!r} is negative, too large or finer than 18 decimals")
    return int(amount)


def _address(text: str) -> Address:
    try:
        return checksum_address(text)
    except (Rejected, ValueError) as error:
        raise _bad(f"proposer.aggregators: {text!r} is not an address") from error


def _bad(message: str) -> Fatal:
    return Fatal(message, remedy='write it like "12.5" or "0x…"', code=Exit.CONFIG)
