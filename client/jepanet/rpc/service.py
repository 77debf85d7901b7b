"""The server with a node's lifetime: it begins after the node, ends with it, and never ends it.

Where it cannot listen the log says so (`rpc.blocked`), the node's status names the cause, and it is tried
again: a port may become free, a token file be mended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from jepanet.errors import JepanetError
from jepanet.operations.views.funds import Account
from jepanet.rpc.handles.running import RunningNode
from jepanet.settings.config import Config
from jepanet.settings.paths import Paths, make_private
from jepanet.telemetry import get_logger

if TYPE_CHECKING:
    from jepanet.rpc.subscribing.hub import Hub

log = get_logger("rpc")

_AGAIN_SECONDS: Final = 30.0


class RpcService:
    """Serves one node. `standing` is what its status says of the server: None where it is not asked for."""

    def __init__(self) -> None:
        self._standing: Mapping[str, object] | None = None
        self._hub: Hub | None = None

    def standing(self) -> Mapping[str, object] | None:
        """`url` while it listens, `problem` while it cannot."""
        return self._standing

    async def farewell(self, why: JepanetError | None) -> None:
        """Ends every WebSocket with the exit code and the cause, as `16: no room on the disk`; takes a
        second at most."""
        if self._hub is not None:
            said = "0: the node was stopped" if why is None else f"{int(why.code)}: {why.message}"
            await self._hub.farewell(said)

    async def run(self, node: RunningNode) -> None:
        """Until it is cancelled, or at once where the configuration does not ask for a server."""
        if not node.config.rpc.enabled:
            return
        while True:
            try:
                await self._serve(node)
            except (OSError, JepanetError) as error:
                why = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
                self._unavailable(node.config, why)
            except Exception as error:
                log.exception("rpc.crashed")
                self._unavailable(node.config, type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _serve(self, node: RunningNode) -> None:
        # Here: a node that serves nobody does not load what serving takes.
        from jepanet.operations.access import ChainAccess, SendingAccess
        from jepanet.operations.funds.stake import balances
        from jepanet.rpc.dispatcher import Dispatcher
        from jepanet.rpc.handles.holdings import Holdings
        from jepanet.rpc.handles.recent import Recent, RecentStatus
        from jepanet.rpc.handles.sending import sendings_of
        from jepanet.rpc.offered.node import Probes
        from jepanet.rpc.offered.table import methods_of
        from jepanet.rpc.subscribing.hub import Hub
        from jepanet.rpc.transport.bearer import open_tokens
        from jepanet.rpc.transport.invitations import Invitations
        from jepanet.rpc.transport.pages import read_pages
        from jepanet.rpc.transport.server import listening

        section, folder = node.config.rpc, Paths(node.config.node.data_dir).rpc
        make_private(folder)
        recent = RecentStatus(node.status)
        probes = Probes(node, recent)
        invitations = Invitations()

        def chain() -> ChainAccess:
            return ChainAccess.of(node.config.chain, node.rpc, node.deployment)

        async def account() -> Account:
            return await balances(chain(), node.state.me.address)

        sendings = sendings_of(lambda: SendingAccess(chain(), node.sender), node.config.proposer)
        dispatcher = Dispatcher(
            methods_of(node, recent, probes, invitations, Holdings(account), sendings),
            seconds=section.timeout_seconds,
            max_batch=section.max_batch,
        )
        tokens = await asyncio.to_thread(open_tokens, folder)
        pages = await asyncio.to_thread(read_pages)
        hub = Hub(node, most=max(1, section.max_connections // 2))
        metrics = Recent(node.metrics).get if node.config.metrics.enabled else None
        async with (
            aclosing(sendings),
            listening(
                section,
                dispatcher,
                tokens,
                health=probes.health,
                ready=probes.ready,
                hub=hub,
                pages=pages,
                invitations=invitations,
                metrics=metrics,
            ) as server,
        ):
            self._standing = {"url": server.url, "problem": None}
            log.info("rpc.opened", url=server.url, tokens=str(folder))
            self._hub = hub
            try:
                await hub.run()
            finally:
                self._hub = None

    def _unavailable(self, config: Config, why: str) -> None:
        self._standing = {"url": None, "problem": why}
        log.warning("rpc.blocked", host=config.rpc.host, port=config.rpc.port, why=why,
                    remedy="free the port or change rpc.port; the node goes on, and tries again")  # fmt: skip
