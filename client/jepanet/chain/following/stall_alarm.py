"""Whether the chain's head still moves, and the follower with it."""

from __future__ import annotations

import time

from jepanet.chain.endpoints.answers import Header
from jepanet.telemetry import get_logger
from jepanet.types import BlockRef

log = get_logger("chain")


class StallAlarm:
    """Logs an alarm once when the head or the follower has stood still for too long.

    Args:
        stall_after: seconds the head may move without a step of the follower before `stalled` is set.
        head_alarm: seconds without a new head after which `head_old` is set.
    """

    def __init__(self, stall_after: float, head_alarm: float) -> None:
        self._stall_after = stall_after
        self._head_alarm = head_alarm
        self._progress_at = time.monotonic()
        self._progress_head: int | None = None
        self._head_at = time.monotonic()
        self.head: BlockRef | None = None
        """The newest block that the last answered look saw."""
        self.stalled = False
        self.head_old = False
        self.clock_ahead: float | None = None
        """Seconds that this machine's clock was ahead of a block when that was new; None before one was."""

    @property
    def head_age(self) -> float:
        """Seconds since the newest block that any look saw was first seen, or since the start."""
        return time.monotonic() - self._head_at

    def forget_head(self) -> None:
        """The head that was seen left the chain, or never was on it: any other one is news."""
        self.head = None

    def saw(self, head: Header | None) -> None:
        """One look at the chain is over; `head` is None if no node answered.

        Only a higher block is news: one address may lead to several machines, whose heads go back and forth.
        """
        if head is not None and (self.head is None or head.ref.number > self.head.number):
            if self.head_old:
                log.info("head.moved", head=head.ref.number, after=round(self.head_age))
            if self.head is not None:  # the first may have been there for hours
                self.clock_ahead = time.time() - head.ref.timestamp
            self.head, self._head_at, self.head_old = head.ref, time.monotonic(), False
        elif not self.head_old and self.head_age > self._head_alarm:
            self.head_old = True
            log.error("head.stopped", head=None if self.head is None else self.head.number,
                      seconds=round(self.head_age),
                      remedy="the chain or every endpoint stands still: compare with a block explorer, add "
                      "another endpoint to chain.endpoints")  # fmt: skip

    def followed(self, position: BlockRef, head: Header, *, moved: bool) -> None:
        """The follower stands at `position`; `moved`: it made a step, or has nothing left to do."""
        now = time.monotonic()
        if moved or self._progress_head is None:
            self._progress_at, self._progress_head = now, head.ref.number
            self.stalled = False
        elif not self.stalled and head.ref.number != self._progress_head:
            self.stalled = now - self._progress_at > self._stall_after
            if self.stalled:
                log.error("follower.stalled", at=position.number, head=head.ref.number)
