"""A node is built whole or not at all: what was opened is closed in reverse order, also when given up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.contracts.training_rounds import Rounds
from jepanet.chain.keys.wallet_files import create_wallet, password_of
from jepanet.errors import Exit, Fatal
from jepanet.node import app, opening
from jepanet.settings.config import Config, load_config
from jepanet.settings.unlock import unlock
from jepanet.types import Role

pytestmark = pytest.mark.unit

CONTRACT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
DEPLOYMENT = {
    "schema": "jepanet/deployment/2",
    "chain_id": 31337,
    "confirmations": 2,
    "block": {"number": 1, "hash": "0x" + "11" * 32, "timestamp": 5},
    "contracts": dict.fromkeys(("token", "rounds", "lens"), CONTRACT),
}


class Rooms:
    """Every room that opens something, written down: when it opens and when it closes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.chain = asyncio.Event()
        """The chain answers; unset, its check hangs."""
        self.asked = asyncio.Event()
        self.fault: str | None = None
        for name in ("Journal", "BlobStore", "Rpc", "Worker", "P2PNode"):
            # The network is opened by `opening`, everything else by `app`.
            room = opening if name == "P2PNode" else app
            monkeypatch.setattr(room, name, self._watched(name, getattr(room, name)))
        monkeypatch.setattr(Deployment, "validate", self._valid)
        monkeypatch.setattr(Rounds, "configuration", self._configuration)

    def _watched(self, name: str, kind: Any) -> Any:
        """A subclass of the room that tells of its end; of chain and network nothing real is left."""
        rooms = self

        def close(room: Any) -> None:
            rooms.steps.append(f"{name} closed")
            kind.close(room)

        async def stop(room: Any) -> None:
            rooms.steps.append(f"{name} closed")

        async def check(room: Any) -> None:
            rooms.asked.set()
            await rooms.chain.wait()
            rooms.fail_at("chain")

        async def start(room: Any) -> None:
            rooms.fail_at("network")
            rooms.steps.append("network listens")

        ends = {"Journal": {"close": close}, "BlobStore": {"close": close}, "Rpc": {"close": stop}}
        ends |= {"Worker": {"stop": stop}, "P2PNode": {"stop": stop, "start": start}}
        ends["Rpc"]["check"] = check
        return type(name, (kind,), ends[name])

    def fail_at(self, place: str) -> None:
        if self.fault == place:
            raise Fatal(f"no {place}", code=Exit.CONFIG)

    async def _valid(self, rpc: Any) -> None:
        return None

    async def _configuration(self, block: str) -> Any:
        return SimpleNamespace(resolve_duration=60, excluded_bps=1000)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    return Rooms(monkeypatch)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    create_wallet(tmp_path / "wallet", password_of("x"), scrypt_n=16)
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "deployment.json").write_text(json.dumps(DEPLOYMENT))
    (tmp_path / "node.toml").write_text("""
[node]
data_dir = "data"
roles = ["solver"]
[wallet]
directory = "wallet"
password_file = "password"
[chain]
endpoints = ["http://127.0.0.1:9"]
deployment = "deployment.json"
[p2p]
allow_isolated = true
""")
    return load_config(tmp_path / "node.toml")


async def build(config: Config, opened: AsyncExitStack) -> app.Node:
    deployment = Deployment.load(config.chain.deployment)
    return await app.build(config, unlock(config.wallet), deployment, opened, Silent())


class Silent:
    """Serves nobody."""

    async def run(self, node: app.Node) -> None:
        return None

    def standing(self) -> None:
        return None


CLOSED = ["Worker closed", "Worker closed", "Rpc closed", "BlobStore closed", "Journal closed"]


async def test_a_node_is_complete_before_anything_runs(rooms: Rooms, config: Config) -> None:
    rooms.chain.set()
    async with AsyncExitStack() as opened:
        node = await build(config, opened)
        assert all(getattr(node, item.name) is not None for item in fields(node))
        assert node.engine.state.me.roles == {Role.SOLVER}
        assert rooms.steps == ["network listens"], "the network listens last"
        with pytest.raises(AttributeError):
            node.engine = node.engine  # type: ignore[misc]  # on purpose
    assert rooms.steps[1:] == ["P2PNode closed", *CLOSED]


@pytest.mark.parametrize(("fault", "closed"), [("chain", CLOSED[2:]), ("network", CLOSED)])
async def test_what_was_opened_is_closed_when_a_later_part_fails(
    rooms: Rooms, config: Config, fault: str, closed: list[str]
) -> None:
    rooms.chain.set()
    rooms.fault = fault
    with pytest.raises(Fatal, match=f"no {fault}"):
        async with AsyncExitStack() as opened:
            await build(config, opened)
    assert rooms.steps == closed
    rooms.fault = None
    async with AsyncExitStack() as opened:
        await build(config, opened)  # the journal is free again


async def test_a_signal_ends_a_node_that_is_still_being_built(rooms: Rooms, config: Config) -> None:
    async def advise(*given: Any) -> None:
        raise AssertionError("it never started")

    running = asyncio.create_task(app.run_node(config, advise=advise, service=Silent()))
    await asyncio.wait_for(rooms.asked.wait(), 60)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 60)
    assert rooms.steps == CLOSED[2:]
