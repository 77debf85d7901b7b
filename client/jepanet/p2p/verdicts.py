"""Gossip messages, the limits that hold for them first, and the application's verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

import trio

_BURST_SECONDS = 5.0
_MAX_METERS = 4096


@dataclass(frozen=True, slots=True)
class Gossip:
    """A message and the peer that signed it (not the one that relayed it)."""

    peer_id: str
    payload: bytes


class Admission(Enum):
    """The application's verdict on a message. REJECT is for what no honest node would relay: it costs
    author and relay their reputation. When in doubt, or when the answer depends on how far our view of the
    chain has got: IGNORE."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"


@dataclass(frozen=True)
class GossipRules:
    """Limits and callbacks. Of one relay at most `max_undecided` messages await their verdict; `admit`
    answers None when too busy to decide."""

    topic: str
    max_message_bytes: int
    max_messages_per_second: float
    max_undecided: int
    admit: Callable[[Gossip], Awaitable[Admission | None]]
    deliver: Callable[[Gossip], None]
    charge: Callable[[str, float, str], None]
    is_banned: Callable[[str], bool]


class Meter:
    """Token buckets by key; `rate` tokens a second, five seconds' worth at most."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._levels: dict[bytes, tuple[float, float]] = {}

    def allows(self, key: bytes) -> bool:
        now = trio.current_time()
        full = self._rate * _BURST_SECONDS
        level, since = self._levels.pop(key, (full, now))
        level = min(full, level + (now - since) * self._rate)
        allowed = level >= 1.0
        self._levels[key] = (level - 1.0 if allowed else level, now)
        if len(self._levels) > _MAX_METERS:
            self._levels.pop(next(iter(self._levels)))
        return allowed
