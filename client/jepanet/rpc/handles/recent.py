"""A node's status, at most a second old: however many ask, it is put together once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from jepanet.operations.status import status_view
from jepanet.operations.views.node import NodeStatus

_LASTS: Final = 1.0
_TAKES: Final = 5.0


class RecentStatus:
    """Callers that come while it is put together wait for the same one, also where that fails."""

    def __init__(self, status: Callable[[], Awaitable[Mapping[str, object]]]) -> None:
        self._status = status
        self._turn = asyncio.Lock()
        self._last: NodeStatus | Exception | None = None
        self._at = 0.0

    async def get(self) -> NodeStatus:
        """Raises: TimeoutError: the node, or the thread of its network, does not answer; or as `status`."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._last is None or loop.time() - self._at >= _LASTS:
                try:
                    async with asyncio.timeout(_TAKES):
                        self._last = status_view(await self._status())
                except Exception as error:
                    self._last = error
                self._at = loop.time()
            if isinstance(self._last, Exception):
                raise self._last
            return self._last
