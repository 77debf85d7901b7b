"""Development chains: where anvil is looked for, and that starting and stopping keep their word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chain_fixtures import CHAIN_ID, deploy_pinger, eventually, require_anvil, running_chain

from jepanet.chain.devchain import anvil as module
from jepanet.chain.devchain.anvil import (
    ENVIRONMENT,
    AnvilProcess,
    find_anvil,
    free_port,
    public_test_accounts,
)
from jepanet.chain.endpoints.failover import Rpc
from jepanet.errors import Exit, Fatal

pytestmark = pytest.mark.integration


def _fake(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 3\n")
    path.chmod(0o755)
    return path


def test_lookup_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = _fake(tmp_path / "named" / "anvil")
    local = _fake(tmp_path / "project" / "node_modules" / ".bin" / "anvil")
    on_path = _fake(tmp_path / "bin" / "anvil")
    inside = tmp_path / "project" / "deep" / "inside"
    inside.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # As if the package were installed outside a checkout.
    monkeypatch.setattr(module, "__file__", str(tmp_path / "site" / "anvil.py"))
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv(ENVIRONMENT, str(named))
    monkeypatch.chdir(inside)
    assert find_anvil() == named
    monkeypatch.delenv(ENVIRONMENT)
    assert find_anvil() == local
    monkeypatch.chdir(elsewhere)
    assert find_anvil() == on_path
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(Fatal) as caught:
        find_anvil()
    assert caught.value.code is Exit.TOOL_MISSING
    for word in (ENVIRONMENT, "node_modules", "PATH"):
        assert word in str(caught.value)


def test_a_wrong_setting_is_not_silently_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "missing"))
    with pytest.raises(Fatal, match=ENVIRONMENT) as caught:
        find_anvil()
    assert caught.value.code is Exit.TOOL_MISSING


async def test_a_taken_port_is_refused() -> None:
    require_anvil()
    async with AnvilProcess(port=free_port()) as first:
        with pytest.raises(Fatal, match="already in use") as caught:
            await AnvilProcess(port=first.port).start()
        assert caught.value.code is Exit.PORT_IN_USE


async def test_an_anvil_that_ends_at_once_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(_fake(tmp_path / "anvil")))
    with pytest.raises(Fatal, match="ended with code 3"):
        await AnvilProcess(port=free_port(), log=tmp_path / "log").start()


async def test_state_survives_a_stop(tmp_path: Path) -> None:
    state, log = tmp_path / "state.json", tmp_path / "logs" / "anvil.log"
    async with running_chain(state=state) as chain:
        pinger = await deploy_pinger(chain)
        process = chain.anvil.pid
        assert process is not None
    assert state.stat().st_size > 0
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    async with running_chain(state=state, log=log) as chain:
        assert await chain.rpc.code(pinger.address, "latest")
        assert (await chain.block(pinger.born.number)).hash == pinger.born.hash
    assert log.stat().st_size > 0


async def test_chain_id_and_block_time() -> None:
    require_anvil()
    async with AnvilProcess(port=free_port(), chain_id=777, block_time=1) as anvil:
        rpc = Rpc([anvil.url], 777)
        first = await rpc.head()

        async def mined() -> bool:
            return (await rpc.head()).ref.number > first.ref.number

        await eventually(mined)
        await rpc.close()


async def test_the_public_accounts_are_those_anvil_funds() -> None:
    async with running_chain() as chain:
        funded = await chain.rpc.request("eth_accounts", [])
    assert [account.address.lower() for account in public_test_accounts(10)] == [a.lower() for a in funded]
    assert CHAIN_ID == 31337
