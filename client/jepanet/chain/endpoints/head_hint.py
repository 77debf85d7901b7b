"""A WebSocket subscription that wakes the follower: it tells when to look, never what happened.

Subscriptions lose events across restarts and do not report reorganisations, so nothing they carry is used;
losing one costs latency up to five of the follower's poll intervals and nothing else.
"""

from __future__ import annotations

import asyncio
import json

import aiohttp

from jepanet.chain.endpoints.endpoint import name_of
from jepanet.telemetry import get_logger
from jepanet.traffic import Traffic

log = get_logger("chain")

_MAX_MESSAGE = 1 << 20
_RECONNECT_FIRST, _RECONNECT_LAST = 0.5, 30.0


class HeadHint:
    """Sets `event` whenever the node at `url` (ws or wss) announces a new head. Reconnects with back-off.

    `traffic` is told the bytes of the messages, under the endpoint's name.
    """

    def __init__(self, url: str, traffic: Traffic) -> None:
        self.event = asyncio.Event()
        self._flow = traffic.endpoint(name_of(url))
        self._url = url
        self._task: asyncio.Task[None] | None = None
        self.listening = False
        """Whether something was heard on the connection that is open."""

    def start(self) -> None:
        """Begins listening; does nothing if it already does."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="head-hint")

    async def stop(self) -> None:
        """Ends the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen(self) -> None:
        pause = _RECONNECT_FIRST
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.ws_connect(
                        self._url, max_msg_size=_MAX_MESSAGE, heartbeat=30
                    ) as socket:
                        request = {
                            "jsonrpc": "2.0",
                            "id": 1,
                            "method": "eth_subscribe",
                            "params": ["newHeads"],
                        }
                        text = json.dumps(request)
                        await socket.send_str(text)
                        self._flow.went(len(text))
                        async for message in socket:
                            self._flow.came(len(message.data))
                            pause = _RECONNECT_FIRST
                            self.listening = True
                            self.event.set()
                except (aiohttp.ClientError, OSError) as error:
                    log.debug("hint.lost", why=type(error).__name__)
                self.listening = False
                # The connection may have ended because a block was missed: look once.
                self.event.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RECONNECT_LAST)
