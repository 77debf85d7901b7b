"""An observer's server: the same transport as a node's, on loopback, with one token that only reads."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from jepanet.errors import Exit, Fatal
from jepanet.rpc.dispatcher import Dispatcher
from jepanet.rpc.method import Scope
from jepanet.rpc.observing.methods import methods_of
from jepanet.rpc.observing.outlook import Outlook
from jepanet.rpc.transport.bearer import Tokens
from jepanet.rpc.transport.invitations import Invitations
from jepanet.rpc.transport.pages import PREFIX, read_pages
from jepanet.rpc.transport.server import listening
from jepanet.settings.rpc_section import RpcSection
from jepanet.telemetry import Secret

PORT: Final = 4781
"""Beside a node's."""
_CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class PageServed:
    """Where it listens. `link` makes a link that lets one browser in, once and soon."""

    url: str
    link: Callable[[], str]


@asynccontextmanager
async def serving(outlook: Outlook, port: int, options: str) -> AsyncIterator[PageServed]:
    """Serves for as long as the block runs. Port 0 takes any that is free.

    The token lives as long as the process, in its memory alone. `options` are as `methods_of` takes them.

    Raises: Fatal: something else listens there (`PORT_IN_USE`), or there is no built page (`TOOL_MISSING`).
    """
    pages = await asyncio.to_thread(read_pages)
    if not pages:
        raise Fatal(
            "this installation has no dashboard",
            remedy="build it with scripts/setup, or install a wheel, which carries it",
            code=Exit.TOOL_MISSING,
        )
    section = RpcSection(port=port, max_connections=_CONNECTIONS)
    dispatcher = Dispatcher(
        methods_of(outlook, options), seconds=section.timeout_seconds, max_batch=section.max_batch
    )
    invitations = Invitations()
    tokens = Tokens({Scope.READ: Secret(secrets.token_urlsafe(32))})

    async def well() -> tuple[bool, dict[str, object]]:
        return True, {"healthy": True}

    async def ready() -> tuple[bool, dict[str, object]]:
        return outlook.ready, {"ready": outlook.ready}

    async with AsyncExitStack() as exits:
        try:
            server = await exits.enter_async_context(
                listening(
                    section,
                    dispatcher,
                    tokens,
                    health=well,
                    ready=ready,
                    pages=pages,
                    invitations=invitations,
                )
            )
        except OSError as error:
            raise Fatal(
                f"port {port} cannot be listened at: {error.strerror}",
                remedy="choose another with --port, or any that is free with --port 0",
                code=Exit.PORT_IN_USE,
            ) from error
        url = server.url + PREFIX.lstrip("/")
        yield PageServed(url, lambda: f"{url}#code={invitations.make(Scope.READ)}")
