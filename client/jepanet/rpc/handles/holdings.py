"""What an endpoint tells: it is asked only when somebody asks here, and then seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from jepanet.errors import JepanetError
from jepanet.rpc.codes import Code, Refused
from jepanet.telemetry import get_logger

log = get_logger("rpc")

LASTS: Final = 15.0
"""Seconds for which an answer, or a failure, is told again."""
_TAKES: Final = 5.0
T = TypeVar("T")


class Holdings(Generic[T]):
    """Callers that come while an endpoint is asked wait for the same answer. `what`: what it tells."""

    def __init__(self, read: Callable[[], Awaitable[T]], what: str = "what the wallet holds") -> None:
        self._read = read
        self._what = what
        self._turn = asyncio.Lock()
        self._last: T | None = None
        self._at: float | None = None

    async def get(self) -> T:
        """Raises: Refused (`UNAVAILABLE`): no endpoint told it in time."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._at is None or loop.time() - self._at >= LASTS:
                self._last = None
                try:
                    async with asyncio.timeout(_TAKES):
                        self._last = await self._read()
                except (JepanetError, TimeoutError, OSError) as error:
                    log.info("endpoint.unread", what=self._what, why=str(error) or type(error).__name__)
                finally:
                    self._at = loop.time()
            if self._last is None:
                raise Refused(Code.UNAVAILABLE, f"no endpoint of the chain tells {self._what}")
            return self._last
