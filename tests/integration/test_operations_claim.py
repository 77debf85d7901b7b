"""Money that piles up: what `claim` takes out, with and without score sheets, for every role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
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
    TOKEN,
    Network,
    configured,
    deployed_network,
    draw,
    found_project,
    signed,
)

from jepanet.chain.contracts.all import Attestation
from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import SigningAccess
from jepanet.operations.funds import claim as action
from jepanet.operations.funds import stake
from jepanet.operations.reading.history import open_history
from jepanet.operations.reading.library import open_library
from jepanet.operations.views.funds import Claimed
from jepanet.operations.views.json_form import json_form
from jepanet.protocol.commitment import (
    Leaf,
    commitment,
    merkle_proof,
    merkle_root,
    result_leaf,
    shard_proof,
)
from jepanet.protocol.documents.typed_data import result_data
from jepanet.protocol.facts import RecordedResult
from jepanet.storage.blobs.blob_files import place_of
from jepanet.types import Digest, Phase, RoundId, Standing, Verdict

pytestmark = pytest.mark.integration

PROPOSER, JUDGE, SECOND, SOLVER, OTHER = range(5)
PAY, FEE = 60 * TOKEN, 5 * TOKEN
DELTA = Digest(b"\x10" * 32)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with deployed_network() as network:
        await found_project(network)
        yield network


async def committed(network: Network, round_id: int, *solvers: int, unseal: bool = True) -> None:
    """Opens a round and plays it until every solver has revealed."""
    rounds, deployment = network.contracts.rounds, network.deployment
    await network.do(PROPOSER, rounds.open_round(replace(PARAMS, max_solvers=len(solvers))))
    for who in solvers:
        me = network.wallet(who).address
        word = commitment(deployment.chain_id, deployment.rounds, round_id, me, DELTA, bytes(32))
        await network.do(who, rounds.commit(round_id, word))
    lens = network.contracts.lens
    await network.at((await lens.round(round_id, "latest")).commit_end)
    await draw(network, round_id, JUDGE)
    if unseal:
        index = (await lens.round(round_id, "latest")).evaluation_index
        _, shard, blinding = SHARDS[index]
        await network.do(PROPOSER, rounds.unseal(round_id, shard, blinding, shard_proof(LEAVES, index)))
    reveals = (await lens.round(round_id, "latest")).reveal_start
    await network.at(max(reveals, (await network.chain.block()).timestamp + 1))
    for who in solvers:
        await network.do(who, rounds.reveal(round_id, DELTA, bytes(32)))


async def settled(network: Network, round_id: int = 1, sheet: Digest = SHEET) -> list[Leaf]:
    """A round that paid SOLVER and JUDGE, settled; its sheet is nowhere to be had."""
    await committed(network, round_id, SOLVER)
    leaves = [
        Leaf(network.wallet(SOLVER).address, DELTA, Verdict.ACCEPTED, 700, PAY),
        Leaf(network.wallet(JUDGE).address, Digest(bytes(32)), Verdict.FEE, 0, FEE),
    ]
    await settle(network, leaves, round_id, sheet)
    return leaves


async def settle(network: Network, leaves: list[Leaf], round_id: int = 1, sheet: Digest = SHEET) -> None:
    """Has the revealed round record these leaves, and settles it."""
    rounds, deployment = network.contracts.rounds, network.deployment
    root = merkle_root([result_leaf(RoundId(round_id), leaf) for leaf in leaves])
    payout = sum(leaf.amount for leaf in leaves)
    model = MODEL if (await network.contracts.lens.project(1, "latest")).model == BASE else BASE
    typed = result_data(
        deployment.chain_id, deployment.rounds, round_id=round_id, root=root, model=model, sheet=sheet,
        payout=payout, improvement=500, extension=bytes(32),
    )  # fmt: skip
    signed = [Attestation(500, network.wallet(who).sign_typed(typed)) for who in (JUDGE, SECOND)]
    call = rounds.record_training(round_id, root, model, sheet, payout, bytes(32), signed)
    await network.do(SOLVER, call)
    await network.at((await network.contracts.lens.round(round_id, "latest")).challenge_end)
    recorded = RecordedResult(root, model, sheet, bytes(32), payout, 500, signers=0b11)
    await network.do(OTHER, rounds.settle(round_id, recorded))


async def claim(config: Path, *round_ids: int, offline: bool = False) -> Any:
    """What `jepanet claim --json` prints."""
    folder, store = config.parent / "inputs", config.parent / "data" / "blobs"

    async def act(access: SigningAccess) -> Claimed:
        deployment = access.chain.deployment
        async with (
            open_library(deployment, folder, peers=(), offline=offline, store=store) as library,
            open_history(access.chain) as history,
        ):
            return await action.claim(access, history, library, round_ids)

    return json_form(await signed(config, act))


async def test_a_proposer_on_a_first_node_needs_neither_sheets_nor_peers(
    network: Network, tmp_path: Path
) -> None:
    await settled(network)
    config = configured(network, PROPOSER, tmp_path, "proposer")
    returned = PARAMS.budget + PARAMS.fee + PARAMS.unseal_bond - PAY - FEE  # keepers earned theirs
    held = await network.contracts.token.balance(network.wallet(PROPOSER).address, "latest")
    made = await claim(config)
    assert made["missing"] == 0
    assert made["rounds"] == [{"round": 1, "reason": "what it returned is free stake"}]
    assert made["wallet"]["stake_free"] == made["wallet"]["withdrawable"] == str(returned)
    assert not (tmp_path / "inputs").exists(), "nobody was asked for anything"
    paid = await signed(config, stake.withdraw)
    assert paid.account.tokens == held + returned
    assert paid.account.withdrawable == 0


async def test_what_a_missing_sheet_holds_back_is_said_and_the_rest_is_taken(
    network: Network, tmp_path: Path
) -> None:
    leaves = await settled(network)
    config = configured(network, SOLVER, tmp_path)
    rounds, solver = network.contracts.rounds, network.wallet(SOLVER).address
    made = await claim(config)
    assert made["missing"] == 1 and made["wallet"]["stake_free"] == str(1_000 * TOKEN - PARAMS.bond)
    assert "no peer to fetch from" in made["rounds"][0]["reason"]
    offline = await claim(config, 1, offline=True)
    assert offline["missing"] == 1
    assert to_cid(SHEET, "dag-json") in offline["rounds"][0]["reason"]
    hashes = [result_leaf(RoundId(1), leaf) for leaf in leaves]
    await network.do(OTHER, rounds.claim(1, leaves[0], merkle_proof(hashes, 0)))
    paid = await claim(config)
    assert paid["rounds"] == [{"round": 1, "reason": "taken out before"}]
    assert paid["wallet"]["withdrawable"] == str(1_000 * TOKEN + PAY)
    assert (await network.contracts.lens.commitment(1, solver, "latest")).standing is Standing.RELEASED
    with pytest.raises(Fatal) as caught:
        await claim(config, 1, 7)
    assert caught.value.code is Exit.NOT_FOUND


async def test_a_spared_row_has_its_whole_bond_back_and_an_excluded_one_a_part_less(network: Network) -> None:
    await committed(network, 1, SOLVER, OTHER)
    contracts = network.contracts
    leaves = [
        Leaf(network.wallet(SOLVER).address, DELTA, Verdict.SPARED, 0, 0),
        Leaf(network.wallet(OTHER).address, DELTA, Verdict.EXCLUDED, 0, 0),
        Leaf(network.wallet(JUDGE).address, Digest(bytes(32)), Verdict.FEE, 0, FEE),
    ]
    await settle(network, leaves)
    hashes = [result_leaf(RoundId(1), leaf) for leaf in leaves]
    for place in range(2):
        await network.do(JUDGE, contracts.rounds.claim(1, leaves[place], merkle_proof(hashes, place)))
    free = [(await contracts.lens.account(leaf.account, "latest")).free for leaf in leaves[:2]]
    kept = PARAMS.bond * (await contracts.rounds.configuration("latest")).excluded_bps // 10_000
    assert free == [1_000 * TOKEN, 1_000 * TOKEN - kept] and kept > 0


@pytest.mark.parametrize("place", ["own store", "inputs"])
async def test_a_claim_finds_its_sheet_without_a_peer(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """On the first node of a network nobody else serves the sheet; its own store has it."""
    data = b"a score sheet"
    leaves = await settled(network, sheet=digest_of(data))
    hashes = [result_leaf(RoundId(1), leaf) for leaf in leaves]

    class Sheet:
        def leaf_of(self, account: str) -> Any:
            found = next(n for n, leaf in enumerate(leaves) if leaf.account == account)
            return leaves[found], merkle_proof(hashes, found)

    monkeypatch.setattr(action, "decode_sheet", lambda read: {data: Sheet()}[read])
    config = configured(network, JUDGE, tmp_path, "coordinator")
    own = place_of(tmp_path / "data" / "blobs", digest_of(data))
    other = tmp_path / "inputs" / to_cid(digest_of(data), "dag-json")
    target = own if place == "own store" else other
    await asyncio.to_thread(target.parent.mkdir, parents=True)
    await asyncio.to_thread(target.write_bytes, b"damaged" if place == "own store" else data)
    made = await claim(config, offline=True)
    if place == "own store":
        assert made["missing"] == 1, "a damaged blob is not believed"
        await asyncio.to_thread(target.write_bytes, data)
        made = await claim(config)
    assert made["rounds"] == [{"round": 1, "claimed": str(FEE), "verdict": "fee"}]
    assert made["missing"] == 0
    assert made["wallet"]["withdrawable"] == "0", "a verifier's stake leaves by unbonding"


async def test_claims_that_have_ended_leave_the_bond_alone(network: Network, tmp_path: Path) -> None:
    await settled(network)
    await network.at((await network.contracts.lens.round(1, "latest")).claim_end)
    made = await claim(configured(network, SOLVER, tmp_path / "solver"), 1)
    assert made["rounds"] == [{"round": 1, "bond_released": str(PARAMS.bond)}]
    judge = await claim(configured(network, JUDGE, tmp_path / "judge"), 1)
    assert "claims ended" in judge["rounds"][0]["reason"]
    before = await network.contracts.lens.account(network.wallet(PROPOSER).address, "latest")
    await network.do(OTHER, network.contracts.rounds.sweep(1))
    after = await network.contracts.lens.account(network.wallet(PROPOSER).address, "latest")
    # Owner, treasury and proposer are one account here: what nobody claimed is the treasury's.
    assert after.free - before.free == PAY + FEE


async def test_a_cancelled_round_gives_back_escrow_bonds_and_the_forfeited_unseal_bond(
    network: Network, tmp_path: Path
) -> None:
    await committed(network, 1, SOLVER, OTHER, unseal=False)
    rounds = network.contracts.rounds
    lens = network.contracts.lens
    await network.at((await lens.round(1, "latest")).reveal_end)
    open_yet = await claim(configured(network, SOLVER, tmp_path / "early"), 1)
    assert open_yet["rounds"] == [{"round": 1, "reason": "not ended yet (phase cancellable)"}]
    await network.do(JUDGE, rounds.cancel(1))
    assert await lens.phase(1, "latest") is Phase.CANCELLED
    solver = await claim(tmp_path / "early" / "node.toml")
    assert solver["rounds"] == [{"round": 1, "bond_released": str(PARAMS.bond)}]
    assert solver["wallet"]["stake_free"] == str(1_000 * TOKEN + PARAMS.unseal_bond // 2)
    assert solver["wallet"]["stake_locked"] == "0"
    proposer = await claim(configured(network, PROPOSER, tmp_path / "proposer"))
    assert proposer["wallet"]["stake_free"] == str(PARAMS.budget + PARAMS.fee)
    judge = await claim(configured(network, JUDGE, tmp_path / "judge"), 1)
    assert "pays no fee" in judge["rounds"][0]["reason"]


async def test_a_delta_never_revealed_is_no_failing_transaction(network: Network, tmp_path: Path) -> None:
    rounds, deployment = network.contracts.rounds, network.deployment
    await network.do(PROPOSER, rounds.open_round(PARAMS))
    me = network.wallet(SOLVER).address
    word = commitment(deployment.chain_id, deployment.rounds, 1, me, DELTA, bytes(32))
    await network.do(SOLVER, rounds.commit(1, word))
    await network.at((await network.contracts.lens.round(1, "latest")).reveal_end)
    await network.do(JUDGE, rounds.cancel(1))
    made = await claim(configured(network, SOLVER, tmp_path), 1)
    assert "not revealed" in made["rounds"][0]["reason"]
    assert json.dumps(made)
