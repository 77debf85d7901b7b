"""The real contracts through the wrappers: deployment, a whole round, decoded refusals, signatures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import (
    BASE,
    LEAVES,
    MODEL,
    PARAMS,
    SHARDS,
    SHEET,
    Network,
    deployed_network,
    found_project,
    stake,
)

from chain_proxy import Backend, Behind, ChainProxy
from jepanet.chain.contracts.all import Attestation, Contracts, Deployment, Result
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
from jepanet.chain.devchain.deploy import TOKEN, DeployParameters, contract_address, deploy
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.counters import LogTally, read_counters
from jepanet.chain.following.follower import Follower
from jepanet.chain.following.logs_to_facts import decode
from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.protocol import facts
from jepanet.protocol.commitment import (
    Leaf,
    commitment,
    merkle_proof,
    merkle_root,
    result_leaf,
)
from jepanet.protocol.documents.typed_data import result_data
from jepanet.types import Address, Digest, Phase, RoundId, Standing, Verdict

pytestmark = pytest.mark.integration


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        yield network


async def test_deployment_file_round_trips_and_validates(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "net" / "deployment.json"
    network.deployment.save(path)
    assert Deployment.load(path) == network.deployment
    await network.deployment.validate(network.chain.rpc)
    elsewhere = replace(network.deployment, rounds=Address("0x" + "11" * 20))
    with pytest.raises(Fatal, match="no contract for: rounds") as caught:
        await elsewhere.validate(network.chain.rpc)
    assert caught.value.code is Exit.CONFIG
    with pytest.raises(Fatal) as caught:
        await replace(network.deployment, chain_id=1).validate(network.chain.rpc)
    assert caught.value.code is Exit.WRONG_CHAIN
    with pytest.raises(Transient, match="no ProjectRegistry") as caught:  # it may be an endpoint that lags
        wrong = replace(network.deployment, registry=Address("0x" + "11" * 20))
        await Contracts.of(network.chain.rpc, wrong).registry.count("latest")
    assert caught.value.code is Exit.INCOMPATIBLE and caught.value.remedy


async def patiently(question: Callable[[], Awaitable[Any]]) -> Any:
    """As a node asks: what passes is asked again, anything else ends it."""
    for _ in range(30):
        try:
            return await question()
        except Transient:
            continue
    pytest.fail("it did not pass")


async def test_endpoints_that_know_nothing_of_the_contracts_end_no_node(network: Network) -> None:
    """An endpoint that is still behind the deployment shows no code and answers every read with nothing."""
    url, chain_id = network.chain.anvil.url, network.deployment.chain_id
    await network.chain.mine(3)
    born = network.deployment.block_number
    far = (await network.chain.rpc.head()).ref.number - born + 2
    async with ChainProxy(url, seed=3) as proxy, AnvilProcess(port=free_port(), chain_id=chain_id) as copy:
        for urls, backends in (
            ((proxy.url, url), (Backend((Behind(blocks=far),)),)),
            ((proxy.url,), (Backend(), Backend((Behind(blocks=far),)))),
            ((copy.url, url), (Backend(),)),
        ):
            proxy.balance(*backends)
            rpc = Rpc(urls, chain_id, cooldown=0.0)
            try:
                assert await patiently(lambda rpc=rpc: network.deployment.validate(rpc)) is None
                registry = Contracts.of(rpc, network.deployment).registry
                for _ in range(4):
                    assert await patiently(lambda registry=registry: registry.count("latest")) == 0
            finally:
                await rpc.close()
        proxy.set(Behind(blocks=far))
        rpc = Rpc([proxy.url], chain_id, cooldown=0.0)
        try:
            await network.deployment.validate(rpc)  # behind, not elsewhere
        finally:
            await rpc.close()


async def test_a_copy_of_the_chain_is_named_only_when_no_endpoint_may_know_better(network: Network) -> None:
    chain_id, gone = network.deployment.chain_id, f"http://127.0.0.1:{free_port()}"
    async with AnvilProcess(port=free_port(), chain_id=chain_id) as copy:
        born = network.deployment.block_number
        for urls, kind in (((copy.url,), Fatal), ((copy.url, gone), Transient)):
            rpc = Rpc(urls, chain_id, cooldown=0.0)
            try:
                await rpc.request("anvil_mine", [hex(born + 1)])
                with pytest.raises(kind):
                    await network.deployment.validate(rpc)
            finally:
                await rpc.close()


async def test_contract_addresses_are_computed_from_nonces(network: Network) -> None:
    deployer = network.wallet(0).address
    assert contract_address(deployer, 0) == network.deployment.token
    assert contract_address(deployer, 4) == network.deployment.rounds


async def test_an_existing_token_can_be_used(network: Network) -> None:
    parameters = replace(
        DeployParameters.for_devnet(network.wallet(3).address), token=network.deployment.token
    )
    second = await deploy(network.chain.rpc, network.wallet(3), parameters)
    assert second.token == network.deployment.token
    assert second.rounds != network.deployment.rounds
    await second.validate(network.chain.rpc)


async def test_refusals_carry_the_custom_error(network: Network) -> None:
    vault, token = network.contracts.vault, network.contracts.token
    with pytest.raises(Rejected) as caught:
        await network.do(1, vault.deposit(TOKEN))
    assert caught.value.reason == "ERC20InsufficientAllowance"
    with pytest.raises(Rejected) as caught:
        await network.do(1, vault.request_unbond(TOKEN))
    assert caught.value.reason == "InsufficientStake"
    with pytest.raises(Rejected) as caught:
        await network.do(1, token.mint(network.wallet(1).address, 1))
    assert caught.value.reason == "OwnableUnauthorizedAccount"
    with pytest.raises(Rejected) as caught:
        await network.do(1, network.contracts.rounds.settle(99))
    assert caught.value.reason == "WrongPhase"


async def test_reads_are_of_the_block_they_name(network: Network) -> None:
    before = await network.chain.block()
    await stake(network, 1, 5 * TOKEN)
    account = network.wallet(1).address
    vault = network.contracts.vault
    assert (await vault.account(account, before.hash)).free == 0
    assert (await vault.account(account, before.number)).free == 0
    assert (await vault.account(account, "latest")).free == 5 * TOKEN


async def test_a_whole_round(network: Network) -> None:
    await found_project(network)
    rounds, chain_id = network.contracts.rounds, network.deployment.chain_id
    await network.do(0, rounds.open_round(PARAMS))
    round_id = RoundId(1)
    view = await rounds.round(round_id, "latest")
    assert (view.phase, view.base, view.budget, view.commit_end) == (
        Phase.COMMIT,
        BASE,
        PARAMS.budget,
        view.opened_at + PARAMS.commit_duration,
    )

    digests = {who: Digest(bytes([who + 16]) * 32) for who in (3, 4)}
    salts = {who: bytes([who + 32]) * 32 for who in (3, 4)}
    for who in (3, 4):
        solver = network.wallet(who).address
        hashed = commitment(chain_id, network.deployment.rounds, round_id, solver, digests[who], salts[who])
        await network.do(who, rounds.commit(round_id, hashed))
        committed = await rounds.commitment(round_id, solver, "latest")
        assert (committed.commitment, committed.standing) == (hashed, Standing.COMMITTED)

    # The second commit filled the round, so the gap began; the beacon needs a later second.
    closed = await network.chain.block()
    assert await rounds.phase(round_id, "latest") is Phase.GAP
    await network.at(closed.timestamp + 1)
    await network.do(1, rounds.draw_beacon(round_id))
    index = (await rounds.round(round_id, "latest")).evaluation_index
    _, shard, blinding = SHARDS[index]
    await network.do(0, rounds.unseal(round_id, shard, blinding, merkle_proof(LEAVES, index)))

    await network.at((await rounds.round(round_id, "latest")).reveal_start)
    with pytest.raises(Rejected) as caught:
        await network.do(3, rounds.reveal(round_id, digests[3], bytes(32)))
    assert caught.value.reason == "CommitmentMismatch"
    for who in (3, 4):
        await network.do(who, rounds.reveal(round_id, digests[who], salts[who]))
    assert await rounds.phase(round_id, "latest") is Phase.VERIFY

    leaves = [
        Leaf(network.wallet(3).address, digests[3], Verdict.ACCEPTED, 700, 60 * TOKEN),
        Leaf(network.wallet(4).address, digests[4], Verdict.EXCLUDED, -20, 0),
        Leaf(network.wallet(1).address, Digest(bytes(32)), Verdict.FEE, 0, 5 * TOKEN),
    ]
    hashes = [result_leaf(round_id, leaf) for leaf in leaves]
    root, payout = merkle_root(hashes), 65 * TOKEN
    attestations = []
    for who, improvement in ((1, 900), (2, 500)):
        result = Result(round_id, root, MODEL, SHEET, payout, improvement)
        typed = result_data(
            chain_id,
            network.deployment.rounds,
            round_id=round_id,
            root=root,
            model=MODEL,
            sheet=SHEET,
            payout=payout,
            improvement=improvement,
        )
        signature = network.wallet(who).sign_typed(typed)
        assert recover_typed(typed, signature) == network.wallet(who).address
        assert len(await rounds.result_hash(result, "latest")) == 32
        attestations.append(Attestation(improvement, signature))
    outsider = Attestation(600, network.wallet(3).sign_typed(typed))
    with pytest.raises(Rejected) as caught:
        await network.do(
            3, rounds.record_training(round_id, root, MODEL, SHEET, payout, [attestations[0], outsider])
        )
    assert caught.value.reason == "NotVerifier"
    await network.do(3, rounds.record_training(round_id, root, MODEL, SHEET, payout, attestations))
    view = await rounds.round(round_id, "latest")
    assert (view.phase, view.improvement, view.model) == (Phase.CHALLENGE, 500, MODEL)

    await network.at(view.challenge_end)
    await network.do(4, rounds.settle(round_id))
    assert (await network.contracts.registry.project(1, "latest")).model == MODEL
    for position, leaf in enumerate(leaves):
        await network.do(4, rounds.claim(round_id, leaf, merkle_proof(hashes, position)))
    balance = await network.contracts.token.balance(network.wallet(3).address, "latest")
    assert await rounds.credit(network.wallet(3).address, "latest") == 60 * TOKEN
    await network.do(3, rounds.withdraw_credit())
    assert await network.contracts.token.balance(network.wallet(3).address, "latest") == balance + 60 * TOKEN
    for who in (3, 4):
        stake = await network.contracts.vault.account(network.wallet(who).address, "latest")
        assert (stake.free, stake.locked) == (1_000 * TOKEN, 0)
        standing = (await rounds.commitment(round_id, network.wallet(who).address, "latest")).standing
        assert standing is Standing.RELEASED

    decoded = await _followed(network)
    kinds = [type(item) for item in decoded]
    assert kinds == [
        facts.ChainVerifierSetCreated,
        facts.ChainProjectCreated,
        facts.ChainRoundOpened,
        facts.ChainCommitted,
        facts.ChainCommitted,
        facts.ChainCommitsClosed,
        facts.ChainBeaconDrawn,
        facts.ChainShardUnsealed,
        facts.ChainRevealed,
        facts.ChainRevealed,
        facts.ChainRevealsClosed,
        facts.ChainTrainingRecorded,
        *kinds[12:],
    ]
    assert set(kinds[12:]) >= {facts.ChainModelAdvanced, facts.ChainRoundSettled, facts.ChainClaimed}
    opened = next(item for item in decoded if isinstance(item, facts.ChainRoundOpened))
    assert opened.params == PARAMS
    assert opened.proposer == network.wallet(0).address
    created = next(item for item in decoded if isinstance(item, facts.ChainVerifierSetCreated))
    assert set(created.members) == {network.wallet(1).address, network.wallet(2).address}

    # The contracts' counters agree with these logs, and with no set of logs that lacks one of them.
    head = await network.chain.block()
    counters = await read_counters(network.contracts, head.hash)
    blocks = [(fact.block.number, [fact]) for fact in decoded]
    assert LogTally(blocks).missing_since(counters) is None
    uncounted = (facts.ChainCommitsClosed, facts.ChainRevealsClosed, facts.ChainModelAdvanced)
    follow_up = (*uncounted, facts.ChainClaimed, facts.ChainBondReleased, facts.ChainBlock)
    for position, fact in enumerate(decoded):
        if not isinstance(fact, follow_up):
            since = LogTally(blocks[:position] + blocks[position + 1 :]).missing_since(counters)
            assert since is not None, f"a missing {type(fact).__name__} is noticed"
            assert since <= fact.block.number
    assert LogTally([]).missing_since(counters) == 0


async def _followed(network: Network) -> list[Any]:
    """Everything the follower and the decoder make of the chain so far."""
    follower = Follower(
        network.chain.rpc, network.deployment.followed, network.deployment.anchor, decode, poll=0.05
    )
    head = await network.chain.block()
    decoded: list[Any] = []
    async with asyncio.timeout(20):
        async for step in follower.steps():
            for block in step.blocks:
                decoded += block.facts
            if follower.position.hash == head.hash:
                break
    return decoded


async def test_the_contract_hashes_results_as_wallets_do(network: Network) -> None:
    from eth_account.messages import _hash_eip191_message, encode_typed_data

    result = Result(RoundId(3), b"\1" * 32, MODEL, SHEET, 7 * TOKEN, -42)
    typed = result_data(
        network.deployment.chain_id,
        network.deployment.rounds,
        round_id=3,
        root=result.root,
        model=result.model,
        sheet=result.sheet,
        payout=result.payout,
        improvement=result.improvement,
    )
    expected = _hash_eip191_message(encode_typed_data(full_message=typed))
    assert await network.contracts.rounds.result_hash(result, "latest") == expected


async def test_slashing_and_cancelling(network: Network) -> None:
    await found_project(network)
    rounds = network.contracts.rounds
    await network.do(0, rounds.open_round(replace(PARAMS, max_solvers=0)))
    hashed = commitment(
        network.deployment.chain_id,
        network.deployment.rounds,
        1,
        network.wallet(3).address,
        bytes([9]) * 32,
        bytes(32),
    )
    await network.do(3, rounds.commit(1, hashed))
    with pytest.raises(Rejected) as caught:
        await network.do(1, rounds.commit(1, b"\xff" * 32))
    assert caught.value.reason == "VerifierCannotCommit"
    view = await rounds.round(1, "latest")
    await network.at(view.reveal_end)
    assert await rounds.phase(1, "latest") is Phase.CANCELLABLE
    await network.do(4, rounds.slash_non_reveal(1, network.wallet(3).address))
    await network.do(4, rounds.cancel(1))
    stake = await network.contracts.vault.account(network.wallet(3).address, "latest")
    assert stake.free + stake.locked == 995 * TOKEN
    reporter = await network.contracts.vault.account(network.wallet(4).address, "latest")
    assert reporter.free == 1_000 * TOKEN + TOKEN // 2
    decoded = await _followed(network)
    assert any(isinstance(item, facts.ChainBondSlashed) for item in decoded)
    assert [item.cause for item in decoded if isinstance(item, facts.ChainRoundCancelled)] == [3]
