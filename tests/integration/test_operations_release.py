"""A restored node starts once its operator's word fits what chain, backup and network say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from contract_fixtures import Network, configured, deployed_network

from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Exit, JepanetError
from jepanet.interface.cli import cli
from jepanet.operations.beginning import node_address
from jepanet.p2p.host import P2PConfig, P2PNode
from jepanet.p2p.identity import load_or_create_node_key
from jepanet.settings.config import load_config
from jepanet.settings.network import topic_of
from jepanet.storage.journal import Journal

pytestmark = pytest.mark.integration

DEPLOYER, QUIET = 0, 4
"""An account with transactions that no folder here knows, and one that never sent any."""


class _Nothing:
    def open_public(self, digest: bytes) -> Path | None:
        return None


async def _ignore(_: object) -> Any:
    raise AssertionError("nobody gossips here")


@pytest.fixture(autouse=True)
def _logging() -> Any:
    yield
    structlog.reset_defaults()


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as made:
        yield made


async def called(*words: object) -> Any:
    """What a command printed, or the error that ended it."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, [*map(str, words), "--json"])
    if isinstance(result.exception, JepanetError):
        return result.exception
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


async def restored(network: Network, who: int, tmp_path: Path) -> Path:
    """The configuration of a node that was restored elsewhere, from a backup of one that did not run."""
    config = configured(network, who, tmp_path / "old")
    deployment = network.deployment
    with Journal.open(tmp_path / "old" / "data" / "journal.sqlite") as journal:
        journal.bind(f"{deployment.chain_id}/{deployment.rounds}")
    made = await called("backup", "--config", config, "--out", tmp_path / "a.backup")
    assert made["stopped"] is True
    told = await called("restore", tmp_path / "a.backup", "--out", tmp_path / "new")
    return Path(told["config"])


async def test_a_moved_node_whose_transactions_are_all_known_is_released_as_it_was(
    network: Network, tmp_path: Path
) -> None:
    config = await restored(network, QUIET, tmp_path)
    (config.parent / "password").touch(mode=0o600)
    (config.parent / "password").write_text("pw")
    held = await called("stake", "deposit", 1, "--config", config)
    assert held.code is Exit.HELD, "commands sign with the same nonces"
    told = await called("node", "release", "--moved", "--config", config)
    assert (told["unknown_transactions"], told["signs_after"]) == (0, None)
    assert (await called("stake", "deposit", 1, "--config", config))["stake_free"]
    again = await called("node", "release", "--moved", "--config", config)
    assert again.code is Exit.USAGE and "not held" in again.message


async def test_transactions_that_the_folder_does_not_know_contradict_a_move(
    network: Network, tmp_path: Path
) -> None:
    config = await restored(network, DEPLOYER, tmp_path)
    refused = await called("node", "release", "--moved", "--config", config)
    assert refused.code is Exit.REJECTED and "does not know" in refused.message
    assert Journal.is_held(config.parent / "data" / "journal.sqlite")
    told = await called("node", "release", "--lost", "--config", config)
    assert told["unknown_transactions"] > 0 and told["signs_after"] == 0


async def test_the_other_copy_that_answers_under_its_name_is_noticed(
    network: Network, tmp_path: Path
) -> None:
    old, port = tmp_path / "old", free_port()
    node_address(load_config(configured(network, QUIET, old)))  # makes the network key
    for name in ("wallets", "node.toml"):
        (old / name).rename(tmp_path / f"away-{name}")
    config = await restored(network, QUIET, tmp_path)
    text = config.read_text()
    config.write_text(text.replace("[p2p]", f'[p2p]\nannounce = ["/ip4/127.0.0.1/tcp/{port}"]'))
    settings = P2PConfig(
        listen=f"/ip4/127.0.0.1/tcp/{port}", bootstrap=(), directory=tmp_path / "twin",
        node_key=load_or_create_node_key(old / "data" / "p2p" / "node.key"), dial_private=True,
        topic=topic_of(network.deployment),
    )  # fmt: skip
    settings.directory.mkdir()
    twin = P2PNode(settings, _Nothing(), _ignore)
    await twin.start()
    try:
        refused = await called("node", "release", "--lost", "--config", config)
        assert refused.code is Exit.ALREADY_RUNNING and str(port) in refused.message
    finally:
        await twin.stop()
    told = await called("node", "release", "--lost", "--config", config)
    assert told["signs_after"] == 0
