"""What an operator has a real node do over JSON-RPC, with the real contracts: by the node's one sender."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import Network, configured, deployed_network, found_project

from jepanet.chain.deploying.parameters import TOKEN
from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Exit
from jepanet.operations.status import read_status
from jepanet.rpc.calling.client import every, open_client
from jepanet.rpc.calling.declined import Declined
from jepanet.rpc.codes import Code
from jepanet.rpc.method import Scope
from jepanet.settings.config import Config, load_config

pytestmark = pytest.mark.integration

JUDGE, SOLVER = 1, 3


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        await found_project(network)
        await network.chain.rpc.request("evm_setIntervalMining", [1])
        yield network


@asynccontextmanager
async def running(network: Network, who: int, folder: Path, role: str) -> AsyncIterator[Config]:
    """A node's process that answers JSON-RPC and has read the chain."""
    file = configured(network, who, folder, role)
    more = f'listen = "/ip4/127.0.0.1/tcp/{free_port()}"\n[rpc]\nenabled = true\nport = {free_port()}\n'
    file.write_text(file.read_text() + more)
    config = load_config(file)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jepanet", "node", "run", "--config", str(file), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(120):
            while not await _answers(config):
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.2)
        yield config
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(config: Config) -> bool:
    if not (config.node.data_dir / "status.json").exists():
        return False
    status = read_status(config.node.data_dir)
    if not status.running or status.rpc is None or status.rpc.url is None:
        return False
    async with open_client(config, Scope.READ) as node:
        position = (await node.node_status()).chain
        return bool(position.confirmed and [item async for item in every(node.projects_list)])


async def ran(config: Config, *words: str) -> tuple[int, Any, str]:
    """A command's exit code, what it printed as JSON, and what it said beside."""
    file = config.node.data_dir.parent / "node.toml"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jepanet", *words, "--config", str(file), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, json.loads(out or b"null"), said.decode()


async def test_attack_two_withdrawals_at_once_send_one_transaction(network: Network, tmp_path: Path) -> None:
    me, lens = network.wallet(SOLVER).address, network.contracts.lens
    async with running(network, SOLVER, tmp_path, "solver") as config:
        nonce = await network.chain.rpc.transaction_count(me, "latest")
        amount = str(3 * TOKEN)
        async with open_client(config, Scope.READ) as reader:
            with pytest.raises(Declined) as refused:
                await reader.stake_withdraw(amount)
            assert refused.value.known is Code.OUT_OF_SCOPE
        async with open_client(config, Scope.OPERATE) as node:
            first, second = await asyncio.gather(node.stake_withdraw(amount), node.stake_withdraw(amount))
            assert first == second and first.account is not None
            assert await network.chain.rpc.transaction_count(me, "latest") == nonce + 1
            assert (await lens.account(me, "latest")).free == 997 * TOKEN == first.account.stake_free
            sent = [item async for item in every(node.transactions_list)]
            assert [item.what.partition("/")[0] for item in sent] == ["command"] and sent[0].state == "mined"
            hung_up = asyncio.create_task(node.stake_withdraw(str(7 * TOKEN)))
            await asyncio.sleep(0.3)
            hung_up.cancel()
            await asyncio.gather(hung_up, return_exceptions=True)
        async with open_client(config, Scope.OPERATE) as node:
            again = await node.stake_withdraw(str(7 * TOKEN))
        assert again.account is not None and again.account.stake_free == 990 * TOKEN, "sent once"
        code, made, said = await ran(config, "stake", "deposit", "3")
        assert code == 0 and made["stake_free"] == str(993 * TOKEN) and "the node runs" in said
        code, made, said = await ran(config, "verifiers", "create", me, "--threshold", "1", "--cap", "50")
        assert code == 0 and made["curator"] == me and "the node runs" in said
        number = str(made["set"])
        code, made, _ = await ran(config, "verifiers", "admit", number, network.wallet(JUDGE).address)
        assert code == 0 and made["admitted"]
        code, made, _ = await ran(config, "verifiers", "join", "4711")
        assert code == Exit.REJECTED, "the cause is that of a command without a node"
        code, _, said = await ran(config, "stake", "collect")
        assert code == Exit.REJECTED
        nonce = await network.chain.rpc.transaction_count(me, "latest")
        code, made, said = await ran(config, "stake", "withdraw")
        assert code == 0 and made["stake_free"] == made["withdrawable"] == "0" and "the node runs" in said
        code, _, said = await ran(config, "stake", "withdraw")
        assert code == Exit.REJECTED and "free stake" in said
        assert await network.chain.rpc.transaction_count(me, "latest") == nonce + 1
        assert not (config.node.data_dir / "commands.sqlite").exists()


async def test_a_running_node_reads_blocks_again_and_has_what_it_had(
    network: Network, tmp_path: Path
) -> None:
    await network.chain.mine(300)
    async with running(network, SOLVER, tmp_path, "solver") as config:
        file, lowest = config.node.data_dir / "journal.sqlite", network.deployment.anchor.number + 1
        lost = _without_events(file)
        assert lost >= 2, "a verifier set and a project at least"
        async with open_client(config, Scope.OPERATE) as node:
            with pytest.raises(Declined) as refused:
                await node.chain_rescan(lowest - 1)
            assert refused.value.known is Code.INVALID_PARAMS and str(lowest) in str(refused.value)
            begun = await node.chain_rescan(lowest)
            assert (begun.first, begun.at) == (lowest, lowest - 1) and begun.until > lowest + 300
            with pytest.raises(Declined) as refused:
                await node.chain_rescan(lowest)
            assert refused.value.known is Code.UNDER_WAY
            async with asyncio.timeout(120):
                while (await node.chain_status()).rescan is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert _events(file) == lost, "they are there again"
            assert [item async for item in every(node.projects_list)]
        code, made, said = await ran(config, "node", "rescan", str(begun.until - 20), "--wait")
        assert code == 0 and made["at"] == made["until"] > begun.until and "waiting: block" in said
        code, _, said = await ran(config, "node", "rescan", "0")
        assert code == Exit.USAGE and "among the stored blocks" in said
        status = read_status(config.node.data_dir)
        assert status.running and status.chain.confirmed
    text = (tmp_path / "log").read_text()
    assert "method.operated" in text and "journal.mended" not in text


def _events(file: Path) -> int:
    with closing(sqlite3.connect(file)) as sql:
        return int(sql.execute("SELECT count(*) FROM events").fetchone()[0])


def _without_events(file: Path) -> int:
    """Deletes what a lying endpoint would have withheld; how many there were. The node is not told."""
    found = _events(file)
    with closing(sqlite3.connect(file, timeout=20)) as sql, sql:
        sql.execute("PRAGMA foreign_keys = OFF")
        sql.execute("DELETE FROM events")
    return found


async def test_a_verifier_withdraws_what_has_matured_and_nothing_before(
    network: Network, tmp_path: Path
) -> None:
    me, rounds = network.wallet(JUDGE).address, network.contracts.rounds
    await network.do(JUDGE, rounds.leave(1))
    await network.do(JUDGE, rounds.request_unbond(40 * TOKEN))
    async with (
        running(network, JUDGE, tmp_path, "coordinator") as config,
        open_client(config, Scope.OPERATE) as node,
    ):
        for amount, says in ((None, "ripe"), (str(TOKEN), "unbond")):
            with pytest.raises(Declined) as refused:
                await node.stake_withdraw(amount)
            assert refused.value.known is Code.NOT_ALLOWED and says in str(refused.value)
        ((_, ripe),) = await network.contracts.lens.unbond_requests(me, "latest")
        await network.at(ripe + 1)
        paid = await node.stake_withdraw()
        assert paid.account is not None and paid.account.stake_unbonding == 0
        assert paid.account.tokens == 9_040 * TOKEN
