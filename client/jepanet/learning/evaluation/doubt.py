"""Thresholds on measured numbers, which honest machines do not measure alike to the last digit.

What lies so close to a threshold that another machine may find it on the other side is in doubt: it is
decided as it was measured here, and whoever holds the decisions of others against its own agrees to either.
"""

from __future__ import annotations

from dataclasses import dataclass

from jepanet.errors import Rejected

SURE = 2e-3
"""Nats: two machines do not measure the same score further apart. As much as gains may differ by usually."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A threshold that is hardly met, or hardly missed."""

    why: str
    """As a refusal is reported: reason and message."""
    refused: bool
    """On which side it was measured here."""


def held(found: float, least: float, band: float, refusal: Rejected) -> Doubt | None:
    """Holds a measured number to be above `least`; None where no machine doubts it.

    Raises:
        Rejected: `refusal`, where no machine would find it above: it is none, or `band` below or more.
    """
    if not found > least - band:
        raise refusal
    if found > least + band:
        return None
    return Doubt(f"{refusal.reason}: {refusal.message}", not found > least)


def first_doubt(*found: Doubt | None) -> Doubt | None:
    """The one that decides: a refusal before what passed."""
    there = sorted((item for item in found if item is not None), key=lambda item: not item.refused)
    return there[0] if there else None
