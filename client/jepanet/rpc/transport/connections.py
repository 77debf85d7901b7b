"""How many connections are open, and for how long one may say nothing.

Whoever only opens connections, or sends a byte now and then, holds places that others need. There are few, so
a new connection takes the place of another: of one that never showed a token, also at work, since whoever
does not read what its probes are answered is so without an end; else of the one that has waited longest
without a request under way. Only where every place is at work for somebody known is the new one turned away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp.web import BaseRequest, RequestHandler, Server, StreamResponse

HEAD_SECONDS: Final = 10.0
"""How long a connection may take for the head of its first request, and stay idle after an answer."""
_MOST_HEADERS: Final = 64
NAME: Final = {"Server": "jepanet"}
"""Instead of the versions of the interpreter and the library."""
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection(RequestHandler):
    """One connection. `known`: it has shown a token; `busy`: a request is under way."""

    __slots__ = ("_doors", "_turned_away", "busy", "known")

    def __init__(self, doors: Doors, **options: Any) -> None:
        super().__init__(doors, loop=asyncio.get_running_loop(), **options)
        self._doors = doors
        self._turned_away = False
        self.known = False
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._doors.admit(self):
            self._turned_away = True
            assert isinstance(transport, asyncio.Transport)
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._turned_away:
            super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._doors.leave(self)
        if not self._turned_away:
            super().connection_lost(exc)

    def answered(self) -> None:
        """A request of it was served, or given up."""
        self.busy = False
        self._doors.answered(self)

    def force_close(self) -> None:
        """Ends it now, also where the other side does not read what was written."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        super().force_close()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """What is no HTTP, or a defect of ours: the text of neither goes out."""
        self._doors.tell(status, exc)
        answer = StreamResponse(status=status, headers=NAME)
        answer.content_length = 0
        answer.force_close()
        return answer


class Doors(Server):
    """All connections of a server, of which `most` are open at once."""

    def __init__(
        self,
        handler: Callable[[BaseRequest], Awaitable[StreamResponse]],
        *,
        most: int,
        tell: Callable[[int, BaseException | None], None],
    ) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._most = most
        self._open: dict[Connection, None] = {}
        """In the order in which they were opened, or answered last."""
        self.tell = tell

    def __call__(self) -> Connection:
        return Connection(
            self, keepalive_timeout=HEAD_SECONDS, lingering_time=0.0, access_log=None,
            max_headers=_MOST_HEADERS, auto_decompress=False,
        )  # fmt: skip

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Makes a place for a new connection; False where all others are at work for somebody known."""
        if len(self._open) >= self._most:
            last = self._last()
            if last is None:
                return False
            del self._open[last]
            last.force_close()
        self._open[connection] = None
        return True

    def _last(self) -> Connection | None:
        """Who makes place: the longest-waiting of strangers that say nothing, of strangers, of the known."""
        strangers = [item for item in self._open if not item.known]
        idle = [item for item in self._open if not item.busy]
        return next((item for item in strangers if not item.busy), next(iter(strangers or idle), None))

    def answered(self, connection: Connection) -> None:
        """It was served: of those that wait, it is now the one that has waited least."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        self._open.pop(connection, None)
