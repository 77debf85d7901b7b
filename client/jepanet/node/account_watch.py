"""A look at the wallet's account now and then, for who watches balance and stake from outside.

The only figures that cost requests: two at each look, at a steady pace, however often they are read.
"""

from __future__ import annotations

import asyncio
import time

from jepanet.chain.contracts.all import Contracts
from jepanet.chain.endpoints.failover import Rpc
from jepanet.errors import JepanetError
from jepanet.metrics.chain import AccountReading
from jepanet.telemetry import get_logger
from jepanet.types import Address

log = get_logger("node")


class AccountWatch:
    """`minimum`: free stake in wei that the node's roles need."""

    def __init__(self, rpc: Rpc, contracts: Contracts, account: Address, minimum: int) -> None:
        self._rpc = rpc
        self._contracts = contracts
        self._account = account
        self._minimum = minimum
        self._read: tuple[float, AccountReading] | None = None

    @property
    def seen(self) -> AccountReading | None:
        """What the last look found, with its age; None before the first."""
        if self._read is None:
            return None
        at, found = self._read
        return AccountReading(
            found.native, found.free, found.locked, found.debt, found.minimum, time.monotonic() - at
        )

    async def watch(self, every: float) -> None:
        """Looks until cancelled, every so many seconds."""
        while True:
            try:
                await self._look()
            except JepanetError as error:  # also an endpoint that refuses: the figure's age tells of it
                log.debug("account.unread", why=str(error))
            await asyncio.sleep(every)

    async def _look(self) -> None:
        native = await self._rpc.balance(self._account, "latest")
        stake = await self._contracts.lens.account(self._account, "latest")
        found = AccountReading(native, stake.free, stake.locked, stake.debt, self._minimum, 0.0)
        self._read = (time.monotonic(), found)
