"""Whose line of a sheet does not follow from scores and chain, in words: what is disputed has to be named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TypeVar

from jepanet.protocol.settling.rows import Fee, Row
from jepanet.types import Address, Verdict

NAMED = 3
"""Of more, the first ones are named and the rest counted."""

T = TypeVar("T", Row, Fee)


def differing_rows(said: Sequence[Row], due: Sequence[Row]) -> str:
    """What the rows of a sheet say and what is due; empty where they are the same in the same order."""
    return _differing("row", said, due, lambda row: row.solver)


def differing_fees(said: Sequence[Fee], due: Sequence[Fee]) -> str:
    """The same of its fees."""
    return _differing("fee", said, due, lambda fee: fee.coordinator)


def _differing(what: str, said: Sequence[T], due: Sequence[T], account: Callable[[T], Address]) -> str:
    theirs: dict[Address, T] = {account(item): item for item in said}
    ours: dict[Address, T] = {account(item): item for item in due}
    told = []
    for who in dict.fromkeys([*ours, *theirs]):
        one, other = theirs.get(who), ours.get(who)
        if one is None or other is None:
            told.append(f"the {what} of {who} is {'missing' if one is None else 'due to nobody'}")
        elif one != other:
            told.append(f"the {what} of {who} says {_apart(one, other)}")
    if not told and tuple(said) != tuple(due):
        told.append(f"{what}s stand twice or in another order")
    more = f"; and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return "; ".join(told[:NAMED]) + more


def _apart(said: T, due: T) -> str:
    parts = [
        f"{item.name} {_shown(getattr(said, item.name))}, not {_shown(getattr(due, item.name))}"
        for item in fields(said)
        if getattr(said, item.name) != getattr(due, item.name)
    ]
    return ", ".join(parts)


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.name.lower() if isinstance(value, Verdict) else str(value)
