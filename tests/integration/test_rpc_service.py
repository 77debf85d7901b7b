"""The server beside a node: it comes and goes with it, waits where it cannot listen, and says so."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jepanet.errors import Exit, Fatal
from jepanet.rpc import service as service_module
from jepanet.rpc.method import Scope
from jepanet.rpc.service import RpcService
from jepanet.rpc.transport.bearer import token_file
from jepanet.settings.config import Config, config_from
from jepanet.settings.paths import Paths

pytestmark = pytest.mark.integration


class ANode:
    """As much of a node as the service itself asks of it; methods have tests of their own."""

    def __init__(self, folder: Path, port: int, *, enabled: bool = True) -> None:
        tree = {
            "node": {"data_dir": "data", "roles": ["solver"]},
            "wallet": {"directory": "wallets"},
            "chain": {"endpoints": ["http://127.0.0.1:8545"], "deployment": "deployment.json"},
            "rpc": {"enabled": enabled, "port": port},
        }
        self.config: Config = config_from(tree, base=folder, environment={})
        self.journal: Any = type("Kept", (), {"database": None})()
        self.deployment: Any = None
        self.blobs: Any = None
        self.state: Any = None
        self.caught_up = False

    async def status(self) -> dict[str, object]:
        raise RuntimeError("a defect that must not reach the caller")

    async def surroundings(self) -> Any:
        raise RuntimeError("a defect that must not reach the caller")

    async def metrics(self) -> bytes:
        raise RuntimeError("a defect that must not reach the caller")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_listens_while_the_node_runs_and_no_longer(tmp_path: Path) -> None:
    port = free_port()
    node, service = ANode(tmp_path, port), RpcService()
    assert service.standing() is None
    running = asyncio.create_task(service.run(node))
    await until(service.standing)
    url = f"http://127.0.0.1:{port}/"
    assert service.standing() == {"url": url, "problem": None}
    folder = Paths(node.config.node.data_dir).rpc
    assert folder.stat().st_mode & 0o777 == 0o700
    token = token_file(folder, Scope.READ).read_text().strip()
    heads = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=heads) as client:
        call = {"jsonrpc": "2.0", "method": "rpc.discover", "id": 1}
        async with client.post(url, json=call) as answer:
            assert (await answer.json())["result"]["openrpc"]
        async with client.post(url, json=call | {"method": "node.status"}) as answer:
            told = await answer.text()
            assert "-32603" in told and "defect" not in told
        async with client.get(url + "health") as answer:
            assert answer.status == 503, "a node that cannot speak for itself is not healthy"
            assert "defect" not in await answer.text()
        await ended(running)
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.post(url, json=call)


async def test_a_port_that_is_taken_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_AGAIN_SECONDS", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        node, service = ANode(tmp_path, port), RpcService()
        running = asyncio.create_task(service.run(node))
        await until(service.standing)
        standing = service.standing()
        assert standing is not None and standing["url"] is None and "in use" in str(standing["problem"])
        assert not running.done()
    await until(lambda: (service.standing() or {}).get("url"))
    await ended(running)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (Fatal("no room: " + "ä" * 90, code=Exit.DISK_FULL), "16: no room: " + "ä" * 53 + "…"),
        (None, "0: the node was stopped"),
    ],
)
async def test_who_listens_is_told_why_the_node_ends(tmp_path: Path, why: Fatal | None, said: str) -> None:
    node, service = ANode(tmp_path, free_port()), RpcService()
    await service.farewell(why)  # to nobody, before it serves
    running = asyncio.create_task(service.run(node))
    await until(service.standing)
    token = token_file(Paths(node.config.node.data_dir).rpc, Scope.READ).read_text().strip()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as client,
        client.ws_connect(str((service.standing() or {})["url"])) as socket,
    ):
        leaving = asyncio.create_task(service.farewell(why))
        message = await socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert message.extra == said
        await leaving
    await ended(running)


async def test_a_token_that_others_may_know_is_told_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_AGAIN_SECONDS", 0.02)
    node, service = ANode(tmp_path, free_port()), RpcService()
    folder = Paths(node.config.node.data_dir).rpc
    folder.mkdir(parents=True)
    token_file(folder, Scope.READ).write_text("A" * 43)
    token_file(folder, Scope.READ).chmod(0o644)
    running = asyncio.create_task(service.run(node))
    await until(service.standing)
    standing = service.standing()
    assert standing is not None and "open to other accounts" in str(standing["problem"])
    token_file(folder, Scope.READ).unlink()
    await until(lambda: (service.standing() or {}).get("url"))
    await ended(running)


async def test_a_defect_of_the_server_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, service = ANode(tmp_path, free_port()), RpcService()
    node.journal = None  # methods cannot be put together
    running = asyncio.create_task(service.run(node))
    await until(service.standing)
    assert service.standing() == {"url": None, "problem": "AttributeError"}
    assert not running.done()
    await ended(running)


async def test_nobody_is_served_unless_asked_for(tmp_path: Path) -> None:
    node, service = ANode(tmp_path, free_port(), enabled=False), RpcService()
    await asyncio.wait_for(service.run(node), 20)
    assert service.standing() is None
    assert not Paths(node.config.node.data_dir).rpc.exists()
    assert replace(node.config.rpc, enabled=True).enabled
