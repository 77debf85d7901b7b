"""Stake taken out into the node's wallet: one withdrawal at a time, however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from jepanet.errors import Exit, Fatal, JepanetError, Rejected
from jepanet.operations.views.funds import Sent
from jepanet.rpc.codes import Code, Refused
from jepanet.telemetry import get_logger

log = get_logger("rpc")

WAITS: Final = 20.0
"""Seconds that a caller waits for the end; the withdrawal goes on without it."""
UNTOLD: Final = 600.0
"""Seconds for which a success is kept that nobody was there to hear of."""


@dataclass(eq=False)
class _Withdrawal:
    amount: int | None
    task: asyncio.Task[Sent | Refused]


class Withdrawals:
    """A caller's timeout, or its end, cancels nothing that may be signed. Who calls again means the same
    withdrawal, until somebody was told how it ended: that is how one call has one effect.

    `withdraw` takes wei, or None for all there is.
    """

    def __init__(self, withdraw: Callable[[int | None], Awaitable[Sent]]) -> None:
        self._withdraw = withdraw
        self._last: _Withdrawal | None = None
        self._succeeded_at = 0.0

    async def carry_out(self, amount: int | None) -> Sent:
        """Begins a withdrawal, or joins the one of the same amount that is under way.

        Raises:
            Refused: `UNDER_WAY`, also while one of another amount is; `NOT_ALLOWED` by the contracts;
                `UNAVAILABLE`: nothing was sent, and it may be tried again.
        """
        mine = self._joined(amount)
        await asyncio.wait({mine.task}, timeout=WAITS)
        if not mine.task.done():
            raise Refused(Code.UNDER_WAY, "the withdrawal is being sent, and is not mined yet")
        if self._last is mine:
            self._last = None
        outcome = mine.task.result()
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Ends with the node: what was signed is in its journal, and the next withdrawal takes it up."""
        if self._last is not None:
            self._last.task.cancel()
            await asyncio.gather(self._last.task, return_exceptions=True)

    def _joined(self, amount: int | None) -> _Withdrawal:
        last = self._last
        if last is not None and not last.task.done():
            if last.amount != amount:
                raise Refused(Code.UNDER_WAY, "another amount is being withdrawn: wait for its end")
            return last
        if last is not None and last.amount == amount and self._untold(last):
            return last
        task = asyncio.create_task(self._carried_out(amount), name="withdrawal")
        self._last = _Withdrawal(amount, task)
        return self._last

    def _untold(self, last: _Withdrawal) -> bool:
        """Whether it succeeded just now and nobody heard of it; what failed is tried again instead."""
        if asyncio.get_running_loop().time() - self._succeeded_at > UNTOLD:
            return False
        return (
            not last.task.cancelled()
            and last.task.exception() is None
            and isinstance(last.task.result(), Sent)
        )

    async def _carried_out(self, amount: int | None) -> Sent | Refused:
        try:
            sent = await self._withdraw(amount)
            self._succeeded_at = asyncio.get_running_loop().time()
            return sent
        except (JepanetError, OSError) as error:
            log.info("withdrawal.refused", why=str(error))
            return refusal_of(error)


def refusal_of(error: Exception) -> Refused:
    """What a caller is told: words of others, as those of an endpoint, stay in the log."""
    match error:
        case JepanetError(code=Exit.UNRESOLVED):
            return Refused(
                Code.UNDER_WAY, "it was signed, and nobody can say yet whether it takes effect: call again"
            )
        case Fatal(code=Exit.REJECTED):  # found before anything was signed, and worded there
            return Refused(Code.NOT_ALLOWED, str(error))
        case Rejected():
            return Refused(Code.NOT_ALLOWED, "the contracts refuse it; the node's log says why")
        case JepanetError(code=Exit.UNFUNDED):
            return Refused(
                Code.UNAVAILABLE, "the wallet has too little ether to pay for it; nothing was sent"
            )
    return Refused(
        Code.UNAVAILABLE, "it was not sent: no endpoint takes it, or fees are above the cap; the log says why"
    )
