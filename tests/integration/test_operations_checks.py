"""What `jepanet node check` says of endpoints, peers and a wallet's standing, against a real chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from chain_fixtures import running_chain
from contract_fixtures import (
    CAP,
    MAX_HOLD,
    TOKEN,
    Network,
    configured,
    deployed_network,
    found_project,
    stake,
)

from chain_proxy import Behind, ChainProxy
from jepanet.chain.devchain.anvil import free_port
from jepanet.errors import Exit, Transient
from jepanet.operations.access import open_chain
from jepanet.operations.checks.bootstrap import check_peers
from jepanet.operations.checks.endpoints import check_endpoints
from jepanet.operations.checks.findings import Finding, Level, failures
from jepanet.operations.checks.machine import check_machine
from jepanet.operations.checks.standing import AccountChecks
from jepanet.operations.reading import library as library_module
from jepanet.operations.reading.library import open_library
from jepanet.operations.reading.visit import open_visit
from jepanet.p2p.host import probe_listen
from jepanet.settings.config import ChainSection, Config, P2PSection, load_config

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        yield network


def named(rows: Iterable[Finding], check: str) -> Finding:
    """The gravest row of that name."""
    order = list(Level)
    return max((row for row in rows if row.check == check), key=lambda row: order.index(row.level))


def sound(rows: list[Finding]) -> list[Finding]:
    assert all(row.remedy for row in rows if row.level is not Level.OK), "each fault names its remedy"
    assert not failures(rows, final=True), "nothing that chain or peers say ends a start"
    return rows


async def standing(config: Config, address: str) -> list[Finding]:
    async with open_chain(config.chain) as chain:
        return sound(await AccountChecks(config, chain, address).findings())  # type: ignore[arg-type]  # as text here


def changed(path: Path, old: str, new: str, **sections: str) -> Config:
    text = path.read_text().replace(old, new)
    for section, keys in sections.items():
        text += f"\n[{section}]\n{keys}\n"
    (path.parent / "changed.toml").write_text(text)
    return load_config(path.parent / "changed.toml", {})


async def test_each_endpoint_is_asked_by_itself(network: Network, tmp_path: Path) -> None:
    await network.chain.mine(3)
    url, dead = network.chain.anvil.url, f"http://127.0.0.1:{free_port()}"
    section = ChainSection(endpoints=(url,), deployment=tmp_path / "none")
    assert {row.level for row in await check_endpoints(section, network.deployment)} == {Level.OK}

    rows = sound(await check_endpoints(replace(section, endpoints=(url, dead)), network.deployment))
    assert sorted(row.level for row in rows if row.check.startswith("endpoint")) == [Level.OK, Level.WARNING]
    rows = await check_endpoints(replace(section, endpoints=(dead,)), network.deployment)
    assert [row.code for row in failures(rows)] == [Exit.CHAIN_UNREACHABLE]

    section = replace(section, websocket=network.chain.anvil.ws_url)
    assert named(await check_endpoints(section, network.deployment), "websocket").level is Level.OK
    section = replace(section, websocket=f"ws://127.0.0.1:{free_port()}/a-secret-key")
    row = named(sound(await check_endpoints(section, network.deployment)), "websocket")
    assert row.level is Level.WARNING and "secret" not in row.text


async def test_an_endpoint_of_another_chain_hides_behind_no_other(network: Network, tmp_path: Path) -> None:
    await network.chain.mine(3)
    async with running_chain() as other:
        await other.mine(20)
        both = (network.chain.anvil.url, other.anvil.url)
        section = ChainSection(endpoints=both, deployment=tmp_path / "none")
        row = named(await check_endpoints(section, network.deployment), "endpoints")
        assert row.code is Exit.WRONG_CHAIN and "different chains with one id" in (row.remedy or "")
        # The id alone tells, where the deployment names another.
        rows = await check_endpoints(section, replace(network.deployment, chain_id=7))
        assert {row.code for row in failures(rows)} == {Exit.WRONG_CHAIN}


async def test_a_deployment_of_another_fork_is_refused(network: Network, tmp_path: Path) -> None:
    config = configured(network, 1, tmp_path)
    replace(network.deployment, block_hash=bytes(32)).save(tmp_path / "deployment.json")
    with pytest.raises(Exception, match="in the deployment file") as caught:
        async with open_chain(load_config(config).chain):
            pass
    assert caught.value.code is Exit.WRONG_CHAIN  # type: ignore[attr-defined]  # a Fatal


async def test_an_endpoint_that_stands_still_is_told(network: Network, tmp_path: Path) -> None:
    async with ChainProxy(network.chain.anvil.url) as proxy:
        await network.chain.mine()
        proxy.set(Behind())
        section = ChainSection(endpoints=(network.chain.anvil.url, proxy.url), deployment=tmp_path / "none")
        await check_endpoints(section, network.deployment)
        await network.at((await network.chain.block()).timestamp + 600)
        rows = sound(await check_endpoints(section, network.deployment))
        assert any("behind" in row.text and row.level is Level.WARNING for row in rows)


async def test_solver_and_wallet(network: Network, tmp_path: Path) -> None:
    config = configured(network, 4, tmp_path)
    address = network.wallet(4).address
    rows = await standing(load_config(config, {}), address)
    assert named(rows, "projects").level is Level.WARNING
    assert named(rows, "gas").level is Level.OK and named(rows, "solver").level is Level.OK

    await network.chain.rpc.request("anvil_setBalance", [address, hex(10**12)])
    rows = await standing(load_config(config, {}), address)
    assert named(rows, "gas").code is Exit.UNFUNDED
    await network.chain.rpc.request("anvil_setBalance", [address, hex(10**19)])
    nobody = "0x000000000000000000000000000000000000dEaD"
    rows = await standing(load_config(config, {}), nobody)
    assert {row.check for row in failures(rows)} == {"gas", "solver"}

    for follow, level in (("[1]", Level.FAILURE), ("[]", Level.WARNING)):
        rows = await standing(changed(config, "", "", projects=f"follow = {follow}"), address)
        assert named(rows, "projects").level is level
    await found_project(network)
    rows = await standing(changed(config, "", "", projects="follow = [1]"), address)
    assert named(rows, "projects").level is Level.OK
    rows = await standing(changed(config, "", "", projects="follow = [1, 2]"), address)
    assert named(rows, "projects").code is Exit.NOT_FOUND and " 2" in named(rows, "projects").text


async def test_coordinator_needs_seat_consent_and_stake(network: Network, tmp_path: Path) -> None:
    config = load_config(configured(network, 1, tmp_path, "coordinator"), {})
    address = network.wallet(1).address
    rows = await standing(config, address)
    assert "no verifier set names" in named(rows, "coordinator").text
    assert named(rows, "coordinator stake").code is Exit.UNFUNDED
    assert named(rows, "coordinator stake").remedy == "jepanet stake deposit 100"
    members = [address, network.wallet(2).address]
    await network.do(0, network.contracts.rounds.create_verifier_set(members, 2, CAP, MAX_HOLD))
    rows = await standing(config, address)
    assert named(rows, "coordinator").remedy == "jepanet verifiers join 1"
    await network.do(1, network.contracts.rounds.join(1))
    await stake(network, 1, 100 * TOKEN)
    rows = await standing(config, address)
    assert not failures(rows)


async def test_proposer_needs_its_dataset_and_funds(network: Network, tmp_path: Path) -> None:
    await found_project(network)
    path = configured(network, 0, tmp_path, "proposer")
    (tmp_path / "dataset" / "project").mkdir(parents=True)
    terms = 'dataset = "dataset"\nrounds = 3\nbudget = "10"\nfee = "1"\nunseal_bond = "1"'
    owner, stranger = network.wallet(0).address, network.wallet(3).address
    rows = await standing(changed(path, "", "", proposer=terms), owner)
    assert named(rows, "own projects").code is Exit.DATASET
    assert "funds" not in {row.check for row in failures(rows)}
    assert (
        "no project of"
        in named(await standing(changed(path, "", "", proposer=terms), stranger), "own projects").text
    )
    assert not any("fewer evaluation shards" in row.text for row in rows)
    many = await standing(changed(path, "", "", proposer=terms.replace("= 3", "= 300")), owner)
    (few,) = (row for row in many if "fewer evaluation shards than 300 rounds" in row.text)
    assert few.level is Level.WARNING
    bad = terms + '\naudit_segments = 8\nbond = "1"'  # what the file alone shows hides nothing of the account
    assert named(await standing(changed(path, "", "", proposer=bad), owner), "gas")
    dear = terms.replace('"10"', '"1000000000"')
    assert named(await standing(changed(path, "", "", proposer=dear), owner), "funds").code is Exit.UNFUNDED


async def test_bootstrap_peers_are_dialled(network: Network, tmp_path: Path) -> None:
    async with open_visit(network.deployment, tmp_path / "peer", ()) as peer:
        alive = peer.addresses[0]
        dead = alive.replace(alive.split("/")[4], str(free_port()))
        other = alive.rsplit("/", 1)[0] + "/16Uiu2HAkyqpcnrmzZWhoJHBNxpyXbXpj6nGmkw39YgYt6BCPhYvg"
        rows = sound(await check_peers(P2PSection(bootstrap=(alive,)), network.deployment))
        assert [row.level for row in rows] == [Level.OK]
        rows = sound(await check_peers(P2PSection(bootstrap=(alive, dead, other)), network.deployment))
        assert [row.level for row in rows] == [Level.OK, Level.WARNING, Level.WARNING]
        rows = sound(await check_peers(P2PSection(bootstrap=(dead,)), network.deployment))
        assert [row.code for row in rows] == [Exit.NO_PEERS]
        named_badly = P2PSection(announce=("/dns4/nowhere.invalid/tcp/4701",))
        assert [row.code for row in await check_peers(named_badly, network.deployment)] == [Exit.CONFIG]

        taken = alive.split("/p2p/")[0]
        with pytest.raises(Exception, match="cannot listen"):
            probe_listen(taken)
        path = configured(network, 1, tmp_path / "node")
        config = changed(path, "allow_isolated = true", f'allow_isolated = true\nlisten = "{taken}"')
        rows = list(check_machine(config))
        assert named(rows, "listen").code is Exit.PORT_IN_USE
        assert named(check_machine(config, running=True), "listen").level is Level.OK


async def test_nobody_to_ask_and_nobody_who_has_it_are_told_apart(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_module, "_TRIES", 1)
    async with open_visit(network.deployment, tmp_path / "peer", ()) as peer:
        alive = peer.addresses[0]
        dead = alive.replace(alive.split("/")[4], str(free_port()))
        for address, code in ((dead, Exit.NO_PEERS), (alive, Exit.NOT_FOUND)):
            async with open_library(
                network.deployment, tmp_path / "in", peers=(address,), offline=False
            ) as library:
                if address is alive:
                    await library._join()
                    await library._network.connect(address)  # type: ignore[union-attr]
                with pytest.raises(Transient) as caught:
                    await library.get("score sheet", bytes(32), "dag-json", max_bytes=1000)
            assert caught.value.code is code and caught.value.remedy
        async with open_library(network.deployment, tmp_path / "in", peers=(), offline=True) as library:
            with pytest.raises(Transient) as caught:
                await library.get("score sheet", bytes(32), "dag-json", max_bytes=1000)
        assert caught.value.code is Exit.NOT_FOUND
