"""A server of JSON-RPC on a free port, as a node has it, and clients of it down to the bytes of a socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Method, Scope
from jepanet.rpc.subscribing.hub import Hub
from jepanet.rpc.transport.bearer import open_tokens, token_file
from jepanet.rpc.transport.server import Listening, listening
from jepanet.settings.rpc_section import RpcSection
from rpc_node import ANode, Asking, a_node

Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Socket = aiohttp.ClientWebSocketResponse


@dataclass
class Served:
    """`hub` looks for news all the while; the node is the tests' one."""

    node: ANode
    hub: Hub
    asking: Asking
    listening: Listening
    client: aiohttp.ClientSession
    folder: Path

    @property
    def url(self) -> str:
        return self.listening.url

    def token(self, scope: Scope = Scope.READ) -> str:
        return token_file(self.folder, scope).read_text().strip()

    def heads(self, scope: Scope = Scope.READ) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(scope)}"}

    async def open(self, **options: Any) -> Socket:
        """A WebSocket."""
        return await self.client.ws_connect(self.url, **({"headers": self.heads()} | options))

    async def post(self, method: str, **params: Any) -> Any:
        """The answer to a call over HTTP."""
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        async with self.client.post(self.url, json=body, headers=self.heads()) as answer:
            return await answer.json()

    async def raw(self, data: bytes = b"") -> Raw:
        """A connection on which `data` was sent, and of which the system keeps little that nobody reads."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (self.listening.host, self.listening.port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 12)
        writer.write(data)
        await writer.drain()
        return reader, writer

    def request(self, body: bytes, *extra: str) -> bytes:
        """One with the token; `extra` are lines of its head."""
        lines = [
            "POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json",
            f"Authorization: Bearer {self.token()}", f"Content-Length: {len(body)}", *extra,
        ]  # fmt: skip
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body

    async def raw_socket(self, *extra: str) -> tuple[Raw, bytes]:
        """A WebSocket of which we write the frames, and the head that opened it."""
        lines = [
            "GET / HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token()}",
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {'A' * 22}==", *extra,
        ]  # fmt: skip
        raw = await self.raw("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        return raw, await raw[0].readuntil(b"\r\n\r\n")


@asynccontextmanager
async def serving(
    folder: Path, *, sockets: int = 5, section: RpcSection | None = None, beside: tuple[Method, ...] = ()
) -> AsyncIterator[Served]:
    """Serves the tests' node, with at most so many `sockets`, and the methods `beside` its own."""
    node = a_node(folder)
    asking = Asking(node)
    hub = Hub(node, most=sockets)
    chosen = section or RpcSection(port=0, max_connections=2 * sockets, max_body_kb=16)
    dispatcher: Dispatcher = asking.dispatcher.beside(beside)
    async with AsyncExitStack() as opened:
        found = await opened.enter_async_context(
            listening(
                chosen,
                dispatcher,
                open_tokens(folder),
                health=asking.probes.health,
                ready=asking.probes.ready,
                hub=hub,
            )
        )
        client = await opened.enter_async_context(aiohttp.ClientSession())
        looking = asyncio.create_task(hub.run())
        yield Served(node, hub, asking, found, client, folder)
        assert not looking.done()
        looking.cancel()
    node.journal.close()
    node.blobs.close()


def frame(payload: bytes, first: int = 0x81, *, length: int | None = None) -> bytes:
    """One frame of a WebSocket as a client sends it: `first` is its first byte, the mask is zero; it may
    announce another `length` than it has."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2)
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8)
    return head + bytes(4) + payload


async def call(connection: Socket, method: str, number: int = 1, **params: Any) -> Any:
    """The answer to a call over a WebSocket on which nothing else is told."""
    await connection.send_json({"jsonrpc": "2.0", "method": method, "params": params, "id": number})
    return await received(connection)


async def received(connection: Socket) -> Any:
    message = await asyncio.wait_for(connection.receive(), 20)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return json.loads(message.data)


async def until(reached: Callable[[], bool]) -> None:
    """Waits; no event of the server tells a test that it got there."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
