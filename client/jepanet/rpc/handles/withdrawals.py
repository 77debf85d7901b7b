"""Stake taken out into the node's wallet: one withdrawal at a time, however many ask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
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
MOST_UNTOLD: Final = 64
"""Successes that are kept so; each took a transaction."""


@dataclass(eq=False)
class _Withdrawal:
    amount: int | None
    task: asyncio.Task[Sent | Refused]
    succeeded_at: float = 0.0


class Withdrawals:
    """A caller's timeout, or its end, cancels nothing that may be signed. Who calls again means the same
    withdrawal, until somebody was told how it ended: that is how one call has one effect, also where
    somebody else takes out another amount in between.

    `withdraw` takes wei, or None for all there is.
    """

    def __init__(self, withdraw: Callable[[int | None], Awaitable[Sent]]) -> None:
        self._withdraw = withdraw
        self._last: _Withdrawal | None = None
        self._untold: OrderedDict[int | None, _Withdrawal] = OrderedDict()
        """What succeeded and nobody heard of, by amount; what failed is tried again instead."""

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
        if self._untold.get(amount) is mine:
            del self._untold[amount]
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
        untold, last = self._untold.get(amount), self._last
        if untold is not None and asyncio.get_running_loop().time() - untold.succeeded_at <= UNTOLD:
            return untold
        if last is not None and not last.task.done():
            if last.amount != amount:
                raise Refused(Code.UNDER_WAY, "another amount is being withdrawn: wait for its end")
            return last
        task = asyncio.create_task(self._carried_out(amount), name="withdrawal")
        self._last = _Withdrawal(amount, task)
        return self._last

    async def _carried_out(self, amount: int | None) -> Sent | Refused:
        try:
            sent = await self._withdraw(amount)
        except (JepanetError, OSError) as error:
            log.info("withdrawal.refused", why=str(error))
            return refusal_of(error)
        assert self._last is not None, "one is under way at a time, and this is it"
        self._last.succeeded_at = asyncio.get_running_loop().time()
        self._untold[amount] = self._last
        while len(self._untold) > MOST_UNTOLD:
            self._untold.popitem(last=False)
        return sent


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
