"""What an operator has a real node do over JSON-RPC, with the real contracts: by the node's one sender."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
        code, made, said = await ran(config, "stake", "withdraw")
        assert code == 0 and made["stake_free"] == made["withdrawable"] == "0" and "the node runs" in said
        code, _, said = await ran(config, "stake", "withdraw")
        assert code == Exit.REJECTED and "free stake" in said
        assert await network.chain.rpc.transaction_count(me, "latest") == nonce + 3
        assert not (config.node.data_dir / "commands.sqlite").exists()


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
