"""What a node says of itself, at most a second old: however many ask, it is put together once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Generic, TypeVar

from jepanet.operations.status import status_view
from jepanet.operations.views.node import NodeStatus

_LASTS: Final = 1.0
_TAKES: Final = 5.0
T = TypeVar("T")


class Recent(Generic[T]):
    """Callers that come while it is put together wait for the same one, also where that fails."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._turn = asyncio.Lock()
        self._last: T | Exception | None = None
        self._at = 0.0

    async def get(self) -> T:
        """Raises: TimeoutError: the node, or the thread of its network, does not answer; or as `make`."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if self._last is None or loop.time() - self._at >= _LASTS:
                try:
                    async with asyncio.timeout(_TAKES):
                        self._last = await self._make()
                except Exception as error:
                    self._last = error
                self._at = loop.time()
            if isinstance(self._last, Exception):
                raise self._last
            return self._last


class RecentStatus(Recent[NodeStatus]):
    """Of a node's status."""

    def __init__(self, status: Callable[[], Awaitable[Mapping[str, object]]]) -> None:
        async def make() -> NodeStatus:
            return status_view(await status())

        super().__init__(make)
