"""The HTTP server: `POST /` and WebSockets at `/` for JSON-RPC with a token; `GET /health`, `GET /ready` and
the files of the dashboard without one; `GET /metrics` for Prometheus, without one at a loopback address.

    host, origin ─▶ token ─▶ type, length ─▶ body ─▶ dispatcher        everything within one deadline

The first that is wrong ends the request, with a JSON-RPC error and the HTTP status of its code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from aiohttp.web import BaseRequest, Response, StreamResponse, WebSocketResponse

from jepanet.rpc.codes import MEANINGS, Code, Refused
from jepanet.rpc.dispatcher import REQUEST_TAKES, Dispatcher
from jepanet.rpc.messages import error_text
from jepanet.rpc.method import Scope
from jepanet.rpc.offered import subscriptions
from jepanet.rpc.subscribing.hub import Hub
from jepanet.rpc.transport.admission import check_host, check_length, check_type, hosts_of
from jepanet.rpc.transport.bearer import SPOKEN, Tokens, bearer_of_socket
from jepanet.rpc.transport.connections import NAME, Connection, Doors
from jepanet.rpc.transport.invitations import MOST_BYTES, Invitations, code_of
from jepanet.rpc.transport.pages import ENTRANCE, PREFIX, PageFile
from jepanet.rpc.transport.sockets import converse
from jepanet.settings.rpc_section import RpcSection
from jepanet.telemetry import get_logger

log = get_logger("rpc")

Probe = Callable[[], Awaitable[tuple[bool, dict[str, object]]]]
"""Whether all is well, and what is said of it to whoever asks."""

Figures = Callable[[], Awaitable[bytes]]
"""What Prometheus reads."""

_HEADS: Final = (
    *("Host", "Origin", "Authorization", "Content-Type", "Content-Length", "Content-Encoding"),
    *("Accept-Encoding", "Sec-WebSocket-Protocol"),
)
_TRANSFER_SECONDS: Final = 10.0
"""Beside what the calls take: for a body to come, and for an answer to be read."""
_BACKLOG: Final = 128
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ALWAYS: Final = {**NAME, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_NOT_BUILT: Final = (
    b"This node was installed without its dashboard. In a checkout, scripts/setup builds it.\n"
)


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that answers: at `host` and `port`, on `connections` connections now."""

    host: str
    port: int
    doors: Doors

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


@asynccontextmanager
async def listening(
    section: RpcSection,
    dispatcher: Dispatcher,
    tokens: Tokens,
    *,
    health: Probe,
    ready: Probe,
    hub: Hub | None = None,
    pages: Mapping[str, PageFile] | None = None,
    invitations: Invitations | None = None,
    metrics: Figures | None = None,
) -> AsyncIterator[Listening]:
    """Serves for as long as the block runs. Port 0 takes any that is free. No WebSocket without a `hub`, no
    dashboard without `pages`, no entrance by a code without `invitations`, no `/metrics` without that.

    Raises: OSError: the address cannot be listened at.
    """
    heard = _Heard(
        section,
        dispatcher,
        tokens,
        {"/health": health, "/ready": ready},
        hub,
        pages or {},
        invitations,
        metrics,
    )
    doors = Doors(heard.handle, most=section.max_connections, tell=_tell)
    server = await asyncio.get_running_loop().create_server(
        doors, section.host, section.port, backlog=_BACKLOG, reuse_address=True
    )
    try:
        port = server.sockets[0].getsockname()[1]
        yield Listening(section.host, port, doors)
    finally:
        server.close()
        doors.pre_shutdown()
        await doors.shutdown(1.0)


class _Heard:
    """One request after another, as they are handed over by connections."""

    def __init__(
        self,
        section: RpcSection,
        dispatcher: Dispatcher,
        tokens: Tokens,
        probes: dict[str, Probe],
        hub: Hub | None,
        pages: Mapping[str, PageFile],
        invitations: Invitations | None,
        metrics: Figures | None,
    ) -> None:
        self._hub = hub
        self._metrics = metrics
        self._at_loopback = ip_address(section.host).is_loopback
        self._invitations = invitations
        self._pages = pages
        self._dispatcher = dispatcher
        self._tokens = tokens
        self._probes = probes
        self._hosts = hosts_of(section)
        self._most = section.max_body_kb << 10
        self._seconds = REQUEST_TAKES * section.timeout_seconds + _TRANSFER_SECONDS

    async def handle(self, request: BaseRequest) -> StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.busy = True
        try:
            if self._hub is not None and _wants_socket(request):
                return await self._spoken_with(request, connection, self._hub)
            async with asyncio.timeout(self._seconds):
                answer = await self._answer(request, connection)
                # Here and not by the library, for which a caller that does not read may take for ever.
                await answer.prepare(request)
                await answer.write_eof()
                return answer
        except TimeoutError:
            log.warning("request.refused", why="it did not come, or its answer was not read, in time")
            connection.force_close()
            raise ConnectionResetError from None
        finally:
            connection.answered()

    async def _spoken_with(self, request: BaseRequest, connection: Connection, hub: Hub) -> StreamResponse:
        """A WebSocket, for as long as it lasts."""
        heads = _heads(request)
        try:
            check_host(heads, self._hosts)
            scopes = self._let_in(
                bearer_of_socket(heads.get("Authorization"), heads.get("Sec-WebSocket-Protocol")), connection
            )
        except Refused as refusal:
            log.warning("request.refused", why=MEANINGS[refusal.code].message)
            return _refusal(refusal)
        if not WebSocketResponse(protocols=(SPOKEN,)).can_prepare(request).ok:
            return _plain(HTTPStatus.BAD_REQUEST)
        subscriber = hub.join(Scope.OPERATE if Scope.OPERATE in scopes else Scope.READ)
        if subscriber is None:
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE)
        dispatcher = self._dispatcher.beside(subscriptions.methods(subscriber))
        try:
            socket, in_order = await converse(
                request, dispatcher, subscriber, scopes, most=self._most, heads=NAME
            )
            if not in_order:
                connection.force_close()
            return socket
        finally:
            hub.leave(subscriber)

    def _let_in(self, authorization: str | None, connection: Connection) -> frozenset[Scope]:
        """Raises: Refused (`UNAUTHORIZED`)."""
        scopes = self._tokens.scopes(authorization)
        if scopes is None:
            raise Refused(Code.UNAUTHORIZED)
        connection.known = True
        return scopes

    async def _answer(self, request: BaseRequest, connection: Connection) -> Response:
        heads = _heads(request)
        try:
            check_host(heads, self._hosts)
            if request.path in self._probes:
                return await self._probed(request)
            if request.path == "/metrics" and self._metrics is not None:
                if not self._at_loopback:
                    self._let_in(heads.get("Authorization"), connection)
                return await self._scraped(request, self._metrics)
            if request.path == ENTRANCE and request.method == "POST" and self._invitations is not None:
                return await self._entered(request, heads, self._invitations)
            if request.path.startswith(PREFIX) or request.path == PREFIX.rstrip("/"):
                return self._page(request, heads)
            if request.path != "/":
                return _plain(HTTPStatus.NOT_FOUND)
            if request.method != "POST":
                return _plain(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "POST"})
            return await self._called(request, heads, self._let_in(heads.get("Authorization"), connection))
        except Refused as refusal:
            log.warning("request.refused", why=MEANINGS[refusal.code].message)
            return _refusal(refusal)

    async def _called(
        self, request: BaseRequest, heads: dict[str, str], scopes: frozenset[Scope]
    ) -> Response:
        check_type(heads)
        check_length(heads, self._most)
        text = await self._dispatcher.answer(await self._body(request, self._most), scopes)
        if text is None:
            return _plain(HTTPStatus.NO_CONTENT)
        return Response(body=text.encode(), content_type="application/json", headers=_ALWAYS)

    async def _entered(
        self, request: BaseRequest, heads: dict[str, str], invitations: Invitations
    ) -> Response:
        """The token that a code of the dashboard's link stands for.

        Raises: Refused (`UNAUTHORIZED`): the code is unknown, too old or was used.
        """
        check_type(heads)
        check_length(heads, MOST_BYTES)
        scope = invitations.take(code_of(await self._body(request, MOST_BYTES)))
        if scope is None:
            raise Refused(Code.UNAUTHORIZED)
        told = json.dumps({"token": self._tokens.of(scope).reveal(), "scope": scope.value})
        return Response(body=told.encode(), content_type="application/json", headers=_ALWAYS)

    async def _body(self, request: BaseRequest, most: int) -> bytes:
        """Also of a body whose length nobody announced. Raises: Refused (`BODY_TOO_LARGE`)."""
        parts, size = [], 0
        async with asyncio.timeout(_TRANSFER_SECONDS):
            while part := await request.content.readany():
                size += len(part)
                if size > most:
                    raise Refused(Code.BODY_TOO_LARGE)
                parts.append(part)
        return b"".join(parts)

    def _page(self, request: BaseRequest, heads: dict[str, str]) -> Response:
        """A file of the dashboard; it shows no token and tells nothing of the node."""
        if request.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
        if not self._pages:
            return Response(
                status=HTTPStatus.NOT_FOUND, body=_NOT_BUILT, content_type="text/plain", headers=_ALWAYS
            )
        if request.path == PREFIX.rstrip("/"):
            return _plain(HTTPStatus.PERMANENT_REDIRECT, {"Location": PREFIX})
        if request.path not in self._pages:
            return _plain(HTTPStatus.NOT_FOUND)
        body, told = self._pages[request.path].answer(heads.get("Accept-Encoding", ""))
        return Response(body=body, headers={**_ALWAYS, **told})

    async def _scraped(self, request: BaseRequest, metrics: Figures) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
        try:
            page = await metrics()
        except Exception as error:  # a network thread that is gone, a full disk, a defect: the scrape fails
            log.error("metrics.failed", exc_info=error)
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(body=page, headers=_ALWAYS | {"Content-Type": METRICS_TYPE})

    async def _probed(self, request: BaseRequest) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
        well, told = await self._probes[request.path]()
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(
            status=status, body=json.dumps(told).encode(), content_type="application/json", headers=_ALWAYS
        )


def _heads(request: BaseRequest) -> dict[str, str]:
    return {name: ", ".join(request.headers.getall(name)) for name in _HEADS if name in request.headers}


def _wants_socket(request: BaseRequest) -> bool:
    asked = request.headers.get("Upgrade", "").lower() == "websocket"
    return asked and request.method == "GET" and request.path == "/"


def _refusal(refusal: Refused) -> Response:
    """The whole request ends here: so does the connection, with what is still to come of the body."""
    answer = Response(
        status=MEANINGS[refusal.code].status,
        body=error_text(None, refusal).encode(),
        content_type="application/json",
        headers=_ALWAYS,
    )
    if refusal.code is Code.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    answer.force_close()
    return answer


def _plain(status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    answer = Response(status=status, headers=_ALWAYS | (headers or {}))
    if status >= HTTPStatus.BAD_REQUEST:
        answer.force_close()
    return answer


def _tell(status: int, error: BaseException | None) -> None:
    """A request that the HTTP library could not read, or a defect of ours."""
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request.refused", why="not HTTP as this server reads it")
    else:
        log.error("request.crashed", exc_info=error)
