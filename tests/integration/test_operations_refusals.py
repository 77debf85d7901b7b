"""What a contract would refuse is refused before anything is signed, in words and tokens, with a remedy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import PARAMS, TOKEN, Network, configured, deployed_network, found_project, signed

from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.operations.auditing import rounds
from jepanet.operations.funds import stake, verifier_sets
from jepanet.operations.funds.precheck import check_members
from jepanet.operations.views.funds import CreatedSet, JoinedSet, VerifierSet
from jepanet.operations.views.rounds import Challenged
from jepanet.settings.terms import wei

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        yield network


async def refused(network: Network, who: int, work: Awaitable[Any], code: Exit, *words: str) -> None:
    """`work` fails with these words, a remedy and this exit code, and sends nothing."""
    address = network.wallet(who).address
    before = await network.chain.rpc.transaction_count(address, "latest")
    with pytest.raises(Fatal) as caught:
        await work
    assert caught.value.code is code, caught.value
    assert caught.value.remedy
    for word in words:
        assert word in caught.value.message
    assert not re.search(r"[1-9]0{15,}\b", caught.value.message), "amounts are in tokens"
    assert await network.chain.rpc.transaction_count(address, "latest") == before


async def create_set(config: Path, members: Sequence[str], threshold: int) -> CreatedSet:
    addresses = check_members(members, threshold)
    return await signed(config, lambda access: verifier_sets.create_set(access, addresses, threshold))


async def join_set(config: Path, set_id: int) -> JoinedSet:
    return await signed(config, lambda access: verifier_sets.join_set(access, set_id))


async def show_set(network: Network, set_id: int) -> VerifierSet:
    chain = ChainAccess(network.chain.rpc, network.deployment, network.contracts, 1)
    return await verifier_sets.show_set(chain, set_id)


async def challenge(config: Path, evidence: str) -> Challenged:
    digest = rounds.evidence_digest(evidence)
    return await signed(config, lambda access: rounds.challenge(access, 1, digest))


async def test_stake_commands_refuse_what_the_vault_would(network: Network, tmp_path: Path) -> None:
    config = configured(network, 1, tmp_path)
    rejected = Exit.REJECTED
    await refused(
        network, 1, signed(config, lambda a: stake.deposit(a, wei("0", "AMOUNT"))), rejected, "zero"
    )
    await refused(
        network,
        1,
        signed(config, lambda a: stake.deposit(a, wei("10001", "AMOUNT"))),
        rejected,
        "10,000 tokens",
        "10,001",
    )
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("1", "AMOUNT"))),
        rejected,
        "0 tokens of free stake",
    )
    await refused(network, 1, signed(config, stake.withdraw), rejected, "no stake back")
    await signed(config, lambda a: stake.deposit(a, wei("20", "AMOUNT")))
    await refused(network, 1, signed(config, lambda a: stake.unbond(a, wei("0", "AMOUNT"))), rejected, "zero")
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("20.5", "AMOUNT"))),
        rejected,
        "20 tokens",
        "20.5",
    )
    for _ in range(16):
        await network.do(1, network.contracts.vault.request_unbond(TOKEN))
    await refused(
        network,
        1,
        signed(config, lambda a: stake.unbond(a, wei("1", "AMOUNT"))),
        rejected,
        "16 unbonding requests",
    )
    await refused(network, 1, signed(config, stake.withdraw), rejected, "is ripe before", "UTC")
    await network.at((await network.chain.block()).timestamp + 61)
    assert (await signed(config, stake.withdraw)).account.stake_unbonding == 0
    await network.do(0, network.contracts.rounds.pause())
    await refused(
        network, 1, signed(config, lambda a: stake.deposit(a, wei("1", "AMOUNT"))), rejected, "paused"
    )


async def test_verifier_commands_refuse_what_the_contract_would(network: Network, tmp_path: Path) -> None:
    config = configured(network, 1, tmp_path)
    a, b, c = (network.wallet(who).address for who in (1, 2, 3))
    usage = Exit.USAGE
    for members, threshold, word in (
        ([a, b], 1, "over half"),
        ([a, b], 3, "at most all"),
        ([a, a.lower()], 2, "all different"),
        (["0x" + "0" * 40], 1, "zero address"),
        ([f"0x{n:040x}" for n in range(1, 34)], 17, "not 33"),
        (["0x12"], 1, "not an address"),
    ):
        await refused(network, 1, create_set(config, members, threshold), usage, word)
    await refused(network, 1, join_set(config, 1), Exit.NOT_FOUND, "no verifier set 1")
    made = await create_set(config, [b, c], 2)
    await refused(network, 1, join_set(config, made.set), Exit.REJECTED, "no seat")
    await refused(network, 1, show_set(network, 2), Exit.NOT_FOUND, "no verifier set 2")
    seat = await create_set(config, [a], 1)
    assert not (await join_set(config, seat.set)).joined_before
    nonce = await network.chain.rpc.transaction_count(a, "latest")
    assert (await join_set(config, seat.set)).joined_before
    assert await network.chain.rpc.transaction_count(a, "latest") == nonce


async def test_a_challenge_outside_its_window_is_refused(network: Network, tmp_path: Path) -> None:
    config = configured(network, 3, tmp_path)
    evidence = "ab" * 32
    await refused(network, 3, challenge(config, evidence), Exit.NOT_FOUND, "no round 1")
    await found_project(network)
    await network.do(0, network.contracts.rounds.open_round(PARAMS))
    await refused(network, 3, challenge(config, evidence), Exit.REJECTED, "phase commit")
    await refused(network, 3, challenge(config, "x"), Exit.USAGE)
