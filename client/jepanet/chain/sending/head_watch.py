"""One poller for all who wait for the next block."""

from __future__ import annotations

import asyncio

from jepanet.chain.endpoints.answers import Header
from jepanet.chain.endpoints.requests import ChainReader


class HeadWatch:
    """Shares the newest header among waiters: a hundred pending transactions cost one request per poll.

    Without a task of its own: whoever holds the lock polls, the others find the result when it lets go.
    """

    def __init__(self, reader: ChainReader, poll: float) -> None:
        self.latest: Header | None = None
        self._reader = reader
        self._poll = poll
        self._lock = asyncio.Lock()

    async def changed(self, since: Header | None, within: float) -> None:
        """Returns when the head is no longer `since`, or after `within` seconds. Raises: Transient."""
        try:
            async with asyncio.timeout(within), self._lock:
                while self.latest is None or (since is not None and self.latest.ref.hash == since.ref.hash):
                    if self.latest is not None:
                        await asyncio.sleep(self._poll)
                    self.latest = await self._reader.head()
        except TimeoutError:
            pass

    async def refresh(self) -> Header:
        """Reads the head now. Raises: Transient."""
        self.latest = await self._reader.head()
        return self.latest
