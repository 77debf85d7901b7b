"""What the node's wallet holds: asked of an endpoint only when somebody asks here, and then seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from jepanet.errors import JepanetError
from jepanet.operations.views.funds import Account
from jepanet.rpc.codes import Code, Refused
from jepanet.telemetry import get_logger

log = get_logger("rpc")

LASTS: Final = 15.0
"""Seconds for which an answer, or a failure, is told again."""
_TAKES: Final = 5.0


class Holdings:
    """Callers that come while an endpoint is asked wait for the same answer."""

    def __init__(self, read: Callable[[], Awaitable[Account]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._last: Account | None = None
        self._at: float | None = None

    async def get(self) -> Account:
        """Raises: Refused (`UNAVAILABLE`): no endpoint told it in time."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._at is None or loop.time() - self._at >= LASTS:
                self._last = None
                try:
                    async with asyncio.timeout(_TAKES):
                        self._last = await self._read()
                except (JepanetError, TimeoutError, OSError) as error:
                    log.info("account.unread", why=str(error) or type(error).__name__)
                finally:
                    self._at = loop.time()
            if self._last is None:
                raise Refused(Code.UNAVAILABLE, "no endpoint of the chain tells what the wallet holds")
            return self._last
