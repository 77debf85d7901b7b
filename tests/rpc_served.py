"""A node for tests that answers JSON-RPC at a real port: in this loop, or in a thread for commands."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from jepanet.node.status import write_status
from jepanet.rpc.subscribing.hub import Hub
from jepanet.rpc.transport.bearer import open_tokens
from jepanet.rpc.transport.server import listening
from jepanet.settings.paths import Paths
from jepanet.settings.rpc_section import RpcSection
from rpc_node import TREE, ANode, Asking, a_node


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[ANode]:
    """A node that answers, and has written its status."""
    node = a_node(folder)
    asking, hub = Asking(node), Hub(node, most=5)
    paths = Paths(node.config.node.data_dir)
    paths.rpc.mkdir(parents=True, mode=0o700, exist_ok=True)
    try:
        async with listening(
            RpcSection(port=0),
            asking.dispatcher,
            open_tokens(paths.rpc),
            health=asking.probes.health,
            ready=asking.probes.ready,
            hub=hub,
        ) as server:
            node.serving = {"url": server.url, "problem": None}
            write_status(paths.status, await node.status())
            looking = asyncio.create_task(hub.run())
            yield node
            looking.cancel()
    finally:
        node.journal.close()
        node.blobs.close()


@contextmanager
def beside(folder: Path) -> Iterator[ANode]:
    """The same in another thread: commands have a loop of their own."""
    ready, end, held = threading.Event(), threading.Event(), []

    async def serve() -> None:
        async with serving(folder) as node:
            held.append(node)
            node.loop = asyncio.get_running_loop()
            ready.set()
            while not end.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield held[0]
    finally:
        end.set()
        thread.join(20)


def config_file(folder: Path) -> str:
    chain = TREE["chain"]
    file = folder / "node.toml"
    lines = ["[rpc]", "enabled = true", "[node]", f'data_dir = "{folder / "data"}"', 'roles = ["solver"]',
             "[wallet]", 'directory = "wallets"', "[chain]", f"endpoints = {json.dumps(chain['endpoints'])}",
             'deployment = "deployment.json"']  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    return str(file)
