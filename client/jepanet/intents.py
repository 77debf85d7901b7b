"""A transaction's life as values, and where it is kept.

    intended ──broadcast──▶ sent ──mined, deep enough──▶ mined
        │                     └──mined but reverted────▶ failed (block_number set): may be tried anew
        └──nonce proven to be used by another transaction──▶ failed (no block_number): gets a new nonce

An intent is stored before its transaction leaves the process. After a crash the same key finds it and goes on
with the same nonce, so one key can never take effect twice. No refusal, silence or time-out of an endpoint
ends it: somebody may have it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jepanet.types import Address


class IntentState(StrEnum):
    """How far a transaction got; values are what the store keeps."""

    INTENDED = "intended"
    SENT = "sent"
    MINED = "mined"
    FAILED = "failed"


OPEN_STATES = frozenset({IntentState.INTENDED, IntentState.SENT})


@dataclass(frozen=True, slots=True)
class Intent:
    """One duty's transaction, with every signed form it ever had.

    `hashes[i]` belongs to `raws[i]`; later ones replace earlier ones at the same nonce with higher fees.
    Fees are those of the newest form, in wei per gas. `to` is empty for a contract creation. `created` is
    unix seconds.
    """

    key: str
    sender: Address
    chain_id: int
    nonce: int
    to: str
    data: bytes
    value: int
    gas: int
    max_fee: int
    max_priority_fee: int
    hashes: tuple[bytes, ...]
    raws: tuple[bytes, ...]
    state: IntentState
    block_number: int | None
    error: str | None
    created: float

    def asks(self, to: str | None, data: bytes, value: int) -> bool:
        """Whether it makes that call."""
        return (self.to.lower(), self.data, self.value) == ((to or "").lower(), data, value)


class IntentStore(Protocol):
    """Durable: `put` has reached the disk when it returns."""

    def intents(self, sender: str) -> Sequence[Intent]:
        """Every intent of an account, oldest first."""

    def put(self, intent: Intent) -> None:
        """Stores an intent, replacing the one of the same key."""
