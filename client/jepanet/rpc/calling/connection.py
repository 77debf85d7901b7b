"""One call after another over HTTP, and what came of each."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from jepanet.errors import Exit, Fatal, JepanetError, Rejected, Transient
from jepanet.nesting import Json, check_nesting
from jepanet.operations.views.json_form import json_form
from jepanet.rpc.calling.declined import declined_by
from jepanet.rpc.calling.results import Unlike, record_from
from jepanet.rpc.messages import VERSION
from jepanet.telemetry import Secret

_LONGEST_ANSWER: Final = (4 << 20) + 4096
"""Bytes: what a server of ours answers to one call at most, with its frame."""
_BEAT_SECONDS: Final = 30.0
"""Whoever sends nothing for so long over a WebSocket is asked for a sign of life."""
_SECONDS: Final = 40.0
"""For a whole call: longer than a server takes by itself for one, with the transfer."""


class Connection:
    """Calls the methods of one node. Made by `connected`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._ids = itertools.count(1)

    async def call(self, method: str, result: object, params: Mapping[str, object]) -> Any:
        """Calls `method` by names, and reads its result as a value of type `result`.

        Raises:
            Declined: the node answered with an error.
            Transient: nobody answers there, or not in time (exit code `NOT_RUNNING`).
            Fatal: what answers is no node of this version (`INCOMPATIBLE`).
        """
        number = next(self._ids)
        request = {"jsonrpc": VERSION, "method": method, "params": json_form(params), "id": number}
        tree = await self._sent(json.dumps(request).encode())
        if not isinstance(tree, dict) or tree.get("jsonrpc") != VERSION:
            raise self.stranger("its answer is no JSON-RPC")
        if "error" in tree:
            raise declined_by(tree["error"]) or self.stranger("its error has no code")
        if tree.get("id") != number or "result" not in tree:
            raise self.stranger("its answer is not one to the call")
        try:
            return record_from(result, tree["result"])
        except Unlike as unlike:
            raise self.stranger(f"of {method}, {unlike}") from None

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket to the same node, with the same token.

        Raises: Transient: nobody answers there (exit code `NOT_RUNNING`), or the node has no place for it.
        """
        try:
            socket = await self._session.ws_connect(
                self._url, heartbeat=_BEAT_SECONDS, max_msg_size=_LONGEST_ANSWER
            )
        except aiohttp.WSServerHandshakeError as error:
            raise Transient(
                f"the node's JSON-RPC at {self._url} takes no WebSocket now: HTTP {error.status}",
                remedy="call again, or raise rpc.max_connections",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._silent(error) from error
        async with socket:
            yield socket

    async def _sent(self, body: bytes) -> Json:
        heads = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._url, data=body, headers=heads, allow_redirects=False
            ) as answer:
                text = await answer.content.read(_LONGEST_ANSWER + 1)
                while len(text) <= _LONGEST_ANSWER and (more := await answer.content.readany()):
                    text += more
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._silent(error) from error
        if status == 503:
            raise Transient(
                "every connection of the node's JSON-RPC is at work",
                remedy="call again, or raise rpc.max_connections",
            )
        if len(text) > _LONGEST_ANSWER:
            raise self.stranger(f"its answer has more than {_LONGEST_ANSWER} bytes")
        return self.parsed(text, status)

    def parsed(self, text: bytes, status: int) -> Json:
        """An answer, or a message, that came with this HTTP status. Raises: Fatal (`INCOMPATIBLE`)."""
        try:
            check_nesting(text, "an answer")
            tree: Json = json.loads(text)
        except (ValueError, RecursionError, Rejected):
            raise self.stranger(f"its answer, HTTP {status}, is no JSON") from None
        return tree

    def _silent(self, error: Exception) -> JepanetError:
        return Transient(
            f"the node's JSON-RPC at {self._url} does not answer: {str(error) or type(error).__name__}",
            remedy="is the node running, with [rpc] enabled? `jepanet status` says where it listens",
            code=Exit.NOT_RUNNING,
        )

    def stranger(self, why: str) -> JepanetError:
        """The error that what answers is no node of this version."""
        return Fatal(
            f"what answers at {self._url} is no node of this version: {why}",
            remedy="use the client that the node runs; `jepanet version` tells its version",
            code=Exit.INCOMPATIBLE,
        )


@asynccontextmanager
async def connected(url: str, token: Secret[str]) -> AsyncIterator[Connection]:
    """A connection that sends `token` to `url` and nowhere else: no proxy, no redirection."""
    heads = {"Authorization": f"Bearer {token.reveal()}"}
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    straight = aiohttp.TraceConfig()  # a WebSocket's handshake has no option for it
    straight.on_request_redirect.append(_refuse_redirection)
    async with aiohttp.ClientSession(
        headers=heads, timeout=limit, trust_env=False, trace_configs=[straight]
    ) as session:
        yield Connection(session, url)


async def _refuse_redirection(*_: object) -> None:
    raise aiohttp.ClientError("it redirects to another address")
