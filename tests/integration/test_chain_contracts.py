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
    draw,
    found_project,
    stake,
)

from chain_proxy import Backend, Behind, ChainProxy
from jepanet.chain.contracts.all import Attestation, Contracts, Deployment, Result
from jepanet.chain.deploying.create2 import DEPLOYER
from jepanet.chain.deploying.deploy import deploy
from jepanet.chain.deploying.parameters import TOKEN, DeployParameters
from jepanet.chain.deploying.plan import plan
from jepanet.chain.devchain.anvil import AnvilProcess, free_port
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
    shard_proof,
)
from jepanet.protocol.documents.allow_list import allow_list_of
from jepanet.protocol.documents.typed_data import result_data, signing_hash
from jepanet.types import Address, Digest, Phase, Readiness, RoundId, Standing, Verdict

pytestmark = pytest.mark.integration

EXTENSION = bytes(32)
NOTHING = facts.RecordedResult(bytes(32), BASE, SHEET, EXTENSION, 0, 0, 0)


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
    with pytest.raises(Transient, match="no RoundLens") as caught:  # it may be an endpoint that lags
        wrong = replace(network.deployment, lens=Address("0x" + "11" * 20))
        await Contracts.of(network.chain.rpc, wrong).lens.project_count("latest")
    assert caught.value.code is Exit.INCOMPATIBLE and caught.value.remedy


async def test_attack_a_deployment_file_whose_contracts_do_not_belong_together(network: Network) -> None:
    """Every address holds code of the real contracts, so code alone says nothing."""
    mine, rpc = network.deployment, network.chain.rpc
    other = await deploy(
        rpc,
        network.wallet(3),
        replace(DeployParameters.for_devnet(network.wallet(3).address), salt=b"\3" * 32),
    )
    for wrong, words in (
        (replace(mine, token=mine.rounds, rounds=mine.token), "is no TrainingRounds"),
        (replace(mine, rounds=mine.lens, lens=mine.rounds), "is no TrainingRounds"),
        (replace(mine, token=mine.lens, lens=mine.token), "pays in token"),
        (replace(mine, lens=mine.token), "is no RoundLens"),
        (replace(mine, token=other.token), f"pays in token {mine.token}"),
        (replace(mine, lens=other.lens), f"reads the rounds at {other.rounds}"),
        (replace(mine, rounds=other.rounds), f"pays in token {other.token}"),
        (replace(mine, rounds=other.rounds, token=other.token), f"reads the rounds at {mine.rounds}"),
    ):
        with pytest.raises(Fatal, match=words) as caught:
            await wrong.validate(rpc)
        assert caught.value.code is Exit.CONFIG and caught.value.remedy, words
    await other.validate(rpc)


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
                lens = Contracts.of(rpc, network.deployment).lens
                for _ in range(4):
                    assert await patiently(lambda lens=lens: lens.project_count("latest")) == 0
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


async def test_contracts_are_where_the_plan_says_and_another_salt_moves_them(network: Network) -> None:
    deployer = network.wallet(0)
    parameters = DeployParameters.for_devnet(deployer.address)
    planned, deployment = plan(parameters, deployer.address), network.deployment
    assert (planned.token, planned.rounds) == (deployment.token, deployment.rounds)
    assert planned.lens == deployment.lens
    other = plan(replace(parameters, salt=b"\1" * 32), deployer.address)
    assert {item.address for item in planned.creations}.isdisjoint(item.address for item in other.creations)
    found = await deploy(network.chain.rpc, deployer, parameters)
    assert (found.rounds, found.lens) == (deployment.rounds, deployment.lens), "nothing is made twice"


async def test_an_interrupted_deployment_is_taken_up(network: Network) -> None:
    deployer, rpc = network.wallet(0), network.chain.rpc
    parameters = replace(DeployParameters.for_devnet(deployer.address), salt=b"\2" * 32)
    planned = plan(parameters, deployer.address)
    for item in planned.creations[:3]:
        await network.do(0, item.call())
    again = await deploy(rpc, deployer, parameters)
    assert (again.token, again.rounds, again.lens) == (planned.token, planned.rounds, planned.lens)
    await again.validate(rpc)
    assert (await Contracts.of(rpc, again).rounds.configuration("latest")).beacon_delay == 2


async def test_a_constructors_refusal_keeps_its_reason(network: Network) -> None:
    """The deployer would swallow it."""
    bad = replace(DeployParameters.for_devnet(network.wallet(0).address), beacon_delay=1)
    with pytest.raises(Rejected) as caught:
        await deploy(network.chain.rpc, network.wallet(0), bad)
    assert caught.value.reason == "BadConfiguration"


async def test_a_chain_without_the_deployer_is_named(network: Network) -> None:
    await network.chain.rpc.request("anvil_setCode", [DEPLOYER, "0x"])
    with pytest.raises(Fatal, match="no deterministic deployer") as caught:
        await deploy(
            network.chain.rpc, network.wallet(1), DeployParameters.for_devnet(network.wallet(1).address)
        )
    assert caught.value.code is Exit.WRONG_CHAIN


async def test_an_existing_token_can_be_used(network: Network) -> None:
    parameters = replace(
        DeployParameters.for_devnet(network.wallet(3).address), token=network.deployment.token
    )
    second = await deploy(network.chain.rpc, network.wallet(3), parameters)
    assert second.token == network.deployment.token
    assert second.rounds != network.deployment.rounds
    await second.validate(network.chain.rpc)


async def test_a_list_of_who_may_commit_is_the_contracts(network: Network) -> None:
    """Roots and proofs as the client makes them are those that the contract checks."""
    await found_project(network)
    rounds, lens = network.contracts.rounds, network.contracts.lens
    insider, outsider = network.wallet(3).address, network.wallet(4).address
    listed = allow_list_of([insider, *(Address("0x" + f"{n:040x}") for n in range(1, 7))])
    await network.do(0, rounds.open_round(replace(PARAMS, allow_list=listed.root)))
    proof, word = listed.proof(insider), b"c" * 32
    assert proof is not None and len(proof) == 3
    for who, call in (
        (3, rounds.commit(1, word)),
        (3, rounds.commit_listed(1, word, proof[:-1])),
        (4, rounds.commit_listed(1, word, proof)),
    ):
        with pytest.raises(Rejected) as caught:
            await network.do(who, call)
        assert caught.value.reason == "NotListed"
    await network.do(3, rounds.commit_listed(1, word, proof))
    assert (await lens.commitment(1, insider, "latest")).standing is Standing.COMMITTED
    assert (await lens.commitment(1, outsider, "latest")).standing is Standing.NONE


async def test_refusals_carry_the_custom_error(network: Network) -> None:
    rounds, token = network.contracts.rounds, network.contracts.token
    with pytest.raises(Rejected) as caught:
        await network.do(1, rounds.deposit(TOKEN, network.wallet(1).address))
    assert caught.value.reason == "ERC20InsufficientAllowance"
    with pytest.raises(Rejected) as caught:
        await network.do(1, rounds.request_unbond(TOKEN))
    assert caught.value.reason == "InsufficientStake"
    with pytest.raises(Rejected) as caught:
        await network.do(1, token.mint(network.wallet(1).address, 1))
    assert caught.value.reason == "OwnableUnauthorizedAccount"
    with pytest.raises(Rejected) as caught:
        await network.do(1, rounds.settle(99, NOTHING))
    assert caught.value.reason == "WrongPhase"


async def test_reads_are_of_the_block_they_name(network: Network) -> None:
    before = await network.chain.block()
    await stake(network, 1, 5 * TOKEN)
    account = network.wallet(1).address
    lens = network.contracts.lens
    assert (await lens.account(account, before.hash)).free == 0
    assert (await lens.account(account, before.number)).free == 0
    assert (await lens.account(account, "latest")).free == 5 * TOKEN
    assert await lens.withdrawable(account, "latest") == 5 * TOKEN


async def test_a_whole_round(network: Network) -> None:
    await found_project(network)
    rounds, lens, chain_id = network.contracts.rounds, network.contracts.lens, network.deployment.chain_id
    assert await lens.can_open(1, PARAMS.budget + PARAMS.fee, "latest") is Readiness.READY
    assert await lens.is_admitted(1, network.wallet(0).address, "latest")
    await network.do(0, rounds.open_round(PARAMS))
    opened_at = (await network.chain.block()).timestamp
    round_id = RoundId(1)
    view = await lens.round(round_id, "latest")
    assert (view.phase, view.digest, view.budget, view.commit_end) == (
        Phase.COMMIT,
        PARAMS.spec,
        PARAMS.budget,
        opened_at + PARAMS.commit_duration,
    )

    digests = {who: Digest(bytes([who + 16]) * 32) for who in (3, 4)}
    salts = {who: bytes([who + 32]) * 32 for who in (3, 4)}
    for who in (3, 4):
        solver = network.wallet(who).address
        hashed = commitment(chain_id, network.deployment.rounds, round_id, solver, digests[who], salts[who])
        await network.do(who, rounds.commit(round_id, hashed))
        committed = await lens.commitment(round_id, solver, "latest")
        assert (committed.commitment, committed.standing) == (hashed[:29], Standing.COMMITTED)

    # The second commit filled the round, so COMMIT ends at its half.
    assert await lens.phase(round_id, "latest") is Phase.COMMIT
    half = (await lens.round(round_id, "latest")).commit_end
    assert half == opened_at + PARAMS.commit_duration // 2
    await network.at(half)
    await draw(network, round_id, 1)
    index = (await lens.round(round_id, "latest")).evaluation_index
    _, shard, blinding = SHARDS[index]
    await network.do(0, rounds.unseal(round_id, shard, blinding, shard_proof(LEAVES, index)))
    assert await lens.is_shard_used(1, shard, "latest")

    start = (await lens.round(round_id, "latest")).reveal_start
    if (await network.chain.block()).timestamp < start:
        await network.at(start)
    with pytest.raises(Rejected) as caught:
        await network.do(3, rounds.reveal(round_id, digests[3], bytes(32)))
    assert caught.value.reason == "CommitmentMismatch"
    for who in (3, 4):
        await network.do(who, rounds.reveal(round_id, digests[who], salts[who]))
    assert await lens.phase(round_id, "latest") is Phase.VERIFY

    leaves = [
        Leaf(network.wallet(3).address, digests[3], Verdict.ACCEPTED, 700, 60 * TOKEN),
        Leaf(network.wallet(4).address, digests[4], Verdict.EXCLUDED, -20, 0),
        Leaf(network.wallet(1).address, Digest(bytes(32)), Verdict.FEE, 0, 5 * TOKEN),
    ]
    hashes = [result_leaf(round_id, leaf) for leaf in leaves]
    root, payout = merkle_root(hashes), 65 * TOKEN
    attestations = []
    for who, improvement in ((1, 900), (2, 500)):
        result = Result(round_id, root, MODEL, SHEET, payout, improvement, EXTENSION)
        typed = result_data(
            chain_id,
            network.deployment.rounds,
            round_id=round_id,
            root=root,
            model=MODEL,
            sheet=SHEET,
            payout=payout,
            improvement=improvement,
            extension=EXTENSION,
        )
        signature = network.wallet(who).sign_typed(typed)
        assert recover_typed(typed, signature) == network.wallet(who).address
        assert await lens.result_hash(result, "latest") == signing_hash(typed)
        attestations.append(Attestation(improvement, signature))
    outsider = Attestation(600, network.wallet(3).sign_typed(typed))
    told = (round_id, root, MODEL, SHEET, payout, EXTENSION)
    with pytest.raises(Rejected) as caught:
        await network.do(3, rounds.record_training(*told, [attestations[0], outsider]))
    assert caught.value.reason == "NotVerifier"
    await network.do(3, rounds.record_training(*told, attestations))
    view = await lens.round(round_id, "latest")
    assert (view.phase, view.recorded) == (Phase.CHALLENGE, True)
    recorded = facts.RecordedResult(root, MODEL, SHEET, EXTENSION, payout, 500, 3)
    assert await lens.is_recorded(round_id, recorded, "latest")

    await network.at(view.challenge_end)
    with pytest.raises(Rejected) as caught:
        await network.do(4, rounds.settle(round_id, replace(recorded, improvement=900)))
    assert caught.value.reason == "NotRecorded"
    await network.do(4, rounds.settle(round_id, recorded))
    assert (await lens.project(1, "latest")).model == MODEL
    before = await network.chain.block()
    for position, leaf in enumerate(leaves):
        await network.do(4, rounds.claim(round_id, leaf, merkle_proof(hashes, position)))
    # An excluded delta costs a fifth of its bond, of which whoever shows its row (here itself) has a tenth.
    earned = {3: 60 * TOKEN, 4: -TOKEN * 9 // 10}
    for who in (3, 4):
        account = network.wallet(who).address
        held = await lens.account(account, "latest")
        assert (held.free, held.locked) == (1_000 * TOKEN + earned[who], 0)
        standing = (await lens.commitment(round_id, account, "latest")).standing
        assert standing is Standing.RELEASED
    assert (await lens.account(network.wallet(3).address, before.hash)).locked == PARAMS.bond
    balance = await network.contracts.token.balance(network.wallet(3).address, "latest")
    await network.do(3, rounds.withdraw(60 * TOKEN, network.wallet(3).address))
    assert await network.contracts.token.balance(network.wallet(3).address, "latest") == balance + 60 * TOKEN

    decoded = await _followed(network)
    kinds = [type(item) for item in decoded]
    assert kinds == [
        facts.ChainVerifierSetCreated,
        facts.ChainProjectCreated,
        facts.ChainRoundOpened,
        facts.ChainCommitted,
        facts.ChainCommitted,
        facts.ChainCommitsClosed,
        facts.ChainBeaconFixed,
        facts.ChainBeaconDrawn,
        facts.ChainShardUnsealed,
        facts.ChainRevealed,
        facts.ChainRevealed,
        facts.ChainRevealsClosed,
        facts.ChainTrainingRecorded,
        *kinds[13:],
    ]
    assert set(kinds[13:]) >= {facts.ChainModelAdvanced, facts.ChainRoundSettled, facts.ChainClaimed}
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
    follow_up = (*uncounted, facts.ChainBondSlashed, facts.ChainBondReleased, facts.ChainBlock)
    for position, fact in enumerate(decoded):
        counted = not isinstance(fact, facts.ChainClaimed) or fact.amount
        if counted and not isinstance(fact, follow_up):
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

    result = Result(RoundId(3), b"\1" * 32, MODEL, SHEET, 7 * TOKEN, -42, EXTENSION)
    typed = result_data(
        network.deployment.chain_id,
        network.deployment.rounds,
        round_id=3,
        root=result.root,
        model=result.model,
        sheet=result.sheet,
        payout=result.payout,
        improvement=result.improvement,
        extension=result.extension,
    )
    expected = _hash_eip191_message(encode_typed_data(full_message=typed))
    assert await network.contracts.lens.result_hash(result, "latest") == expected


async def test_slashing_and_cancelling(network: Network) -> None:
    await found_project(network)
    rounds, lens = network.contracts.rounds, network.contracts.lens
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
    view = await lens.round(1, "latest")
    await network.at(view.reveal_end)
    assert await lens.phase(1, "latest") is Phase.CANCELLABLE
    await network.do(4, rounds.slash_non_reveal(1, network.wallet(3).address))
    await network.do(4, rounds.cancel(1))
    stake = await lens.account(network.wallet(3).address, "latest")
    assert stake.free + stake.locked == 995 * TOKEN
    reporter = await lens.account(network.wallet(4).address, "latest")
    assert reporter.free == 1_000 * TOKEN + TOKEN // 2
    decoded = await _followed(network)
    assert any(isinstance(item, facts.ChainBondSlashed) for item in decoded)
    assert [item.cause for item in decoded if isinstance(item, facts.ChainRoundCancelled)] == [3]
