"""One WebSocket: requests and answers as over HTTP, in order, and events between them.

Nothing is kept for who does not read: an answer or event that is not taken in time ends the connection, and
while an answer is made no further request is read. Between two messages everybody else has a turn, however
many have come.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import WSCloseCode, WSMsgType
from aiohttp.web import BaseRequest, WebSocketResponse

from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Scope
from jepanet.rpc.subscribing.hub import Subscriber
from jepanet.rpc.transport.bearer import SPOKEN
from jepanet.telemetry import get_logger

log = get_logger("rpc")

_TAKEN_SECONDS: Final = 10.0
"""For a message of ours to be read."""
_LONGEST_REASON: Final = 123
"""Bytes, beside the code, of a close frame (RFC 6455, section 5.5)."""
_PING_SECONDS: Final = 20.0
"""Whoever answers none of these is gone."""


async def converse(
    request: BaseRequest,
    dispatcher: Dispatcher,
    subscriber: Subscriber,
    scopes: frozenset[Scope],
    *,
    most: int,
    heads: dict[str, str],
) -> tuple[WebSocketResponse, bool]:
    """Speaks with one client until either side ends it; whether it ended in good order.

    `dispatcher` has the methods of this connection. `most`: bytes of a request.
    """
    socket = WebSocketResponse(
        heartbeat=_PING_SECONDS,
        autoping=False,
        compress=False,
        max_msg_size=most,
        timeout=_TAKEN_SECONDS,
        protocols=(SPOKEN,),
    )
    socket.headers.update(heads)
    await socket.prepare(request)
    turn = asyncio.Lock()

    async def send(text: str) -> None:
        async with turn, asyncio.timeout(_TAKEN_SECONDS):
            await socket.send_str(text)

    async def answer() -> bool:
        async for message in socket:
            # Messages that are here already are read, and most are answered, without waiting for anything.
            await asyncio.sleep(0)
            if message.type is WSMsgType.TEXT:
                text = await dispatcher.answer(message.data.encode(), scopes)
                if text is not None:
                    await send(text)
            elif message.type is WSMsgType.PING:
                async with turn, asyncio.timeout(_TAKEN_SECONDS):
                    await socket.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
                return True
        return True

    async def tell() -> bool:
        while (event := await subscriber.next()) is not None:
            await send(event)
        return False

    async def drop() -> bool:
        await subscriber.until_dropped()  # also while an event is on its way that it does not read
        return False

    async def part() -> bool:
        reason = (await subscriber.until_ended()).encode()
        if len(reason) > _LONGEST_REASON:
            # A letter that is cut in two would be no text, which a close frame has to carry.
            reason = f"{reason[: _LONGEST_REASON - 3].decode(errors='ignore')}…".encode()
        async with turn:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=reason, drain=False)
        return True

    tasks = [asyncio.create_task(item()) for item in (answer, tell, drop, part)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return socket, all(item.result() for item in done)
    except (TimeoutError, ConnectionError):
        log.warning("subscriber.dropped", why="it did not read an answer or an event in time")
        return socket, False
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
