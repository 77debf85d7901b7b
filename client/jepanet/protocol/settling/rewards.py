"""Pay for measured gain, in integers: equal to Solidity's `Payouts` on `tests/vectors/payouts.json`.

Widths are Solidity's: gain and standard error int64 (micro-nats per direction), price uint128 (wei per
micro-nat), amounts uint128 (wei). A value that would make Solidity revert raises here.
"""

from __future__ import annotations

from collections.abc import Sequence

UINT128_MAX = (1 << 128) - 1
UINT32_MAX = (1 << 32) - 1
INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)


def earned(gain: int, stderr: int, price: int, shrink_milli: int) -> int:
    """`price * max(0, gain - shrink_milli * stderr / 1000)` in wei, before the budget's cap.

    The gain is shrunk by its standard error (`shrink_milli` thousandths of it, division rounding down), so
    that noise around zero earns next to nothing. The price is absolute: a pot shared out whatever the gain
    would pay noise once gains are small.

    Raises:
        OverflowError: an argument or the result exceeds its Solidity width.
        ValueError: a negative standard error.
    """
    _int64("gain", gain)
    _int64("stderr", stderr)
    _uint(price, UINT128_MAX, "price", "uint128")
    _uint(shrink_milli, UINT32_MAX, "shrink_milli", "uint32")
    if stderr < 0:
        raise ValueError("a standard error is never negative")
    shrunk = gain - shrink_milli * stderr // 1000
    amount = price * max(0, shrunk)
    _uint(amount, UINT128_MAX, "earned amount", "uint128")
    return amount


def capped(amount: int, total: int, budget: int) -> int:
    """`amount` when everything earned fits the budget, else its proportional part, rounded down.

    Rounding down keeps the sum of all parts within the budget.

    Raises:
        OverflowError: an argument or the result exceeds uint128.
    """
    _uint(amount, UINT128_MAX, "amount", "uint128")
    _uint(total, UINT128_MAX, "total", "uint128")
    _uint(budget, UINT128_MAX, "budget", "uint128")
    if total <= budget:
        return amount
    part = amount * budget // total
    _uint(part, UINT128_MAX, "capped amount", "uint128")
    return part


def at_most(amount: int, pay_cap: int | None) -> int:
    """What is left of an amount under a cap on one delta's pay; None: there is none."""
    return amount if pay_cap is None else min(amount, pay_cap)


def settle_payouts(
    gains: Sequence[tuple[int, int]],
    *,
    price: int,
    shrink_milli: int,
    budget: int,
    pay_cap: int | None = None,
) -> tuple[int, ...]:
    """Wei for each (gain, stderr), in order; the sum never exceeds `budget`. What is not earned rolls over.

    `pay_cap`: wei that nobody is paid more than. It holds before the budget is shared out, so that what one
    delta would have earned beyond it takes nothing from the others.

    Raises:
        OverflowError: an argument, an amount or their sum exceeds its Solidity width.
        ValueError: a negative standard error.
    """
    amounts = [at_most(earned(gain, stderr, price, shrink_milli), pay_cap) for gain, stderr in gains]
    total = sum(amounts)
    return tuple(capped(amount, total, budget) for amount in amounts)


def _int64(name: str, value: int) -> None:
    if not INT64_MIN <= value <= INT64_MAX:
        raise OverflowError(f"{name} {value} does not fit int64")


def _uint(value: int, maximum: int, name: str, width: str) -> None:
    if not 0 <= value <= maximum:
        raise OverflowError(f"{name} {value} does not fit {width}")
