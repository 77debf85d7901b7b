"""A project with many rounds on a real chain: rounds by the real contracts, with made-up score sheets that
they take. What the rounds name lies in a folder, as peers would have served it."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chain_fixtures import FEES, MemoryIntents
from contract_fixtures import CAP, MAX_HOLD, PARAMS, TOKEN, Network, deployed_network, draw

from jepanet.chain.contracts.all import Attestation, error_decoder
from jepanet.chain.devchain.anvil import public_test_accounts
from jepanet.chain.keys.wallet_files import Wallet
from jepanet.chain.sending.sender import Sender
from jepanet.cid import Codec, digest_of, to_cid
from jepanet.protocol.commitment import commitment, evaluation_leaf, shard_proof, shard_root
from jepanet.protocol.documents.spec import encode_spec
from jepanet.protocol.documents.typed_data import result_data
from jepanet.protocol.facts import RecordedResult
from jepanet.protocol.settling.sheet import ScoreSheet, derive_sheet, encode_sheet
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts
from jepanet.types import Digest, ProjectId, RoundId, Verdict
from round_samples import HARM, Vote, a_spec, reports_of

PROPOSER, JUDGE, SECOND = range(3)
SOLVERS = (3, 4, 5, 6)
TOOK_PART = 3
"""Solvers of a round."""
WITHHELD, CANCELLED = 6, 4
"""Rounds whose merge was no improvement, and in which nobody committed."""
ROUNDS = 11
"""The last one has a result that is open to challenge; all others are over."""
NOTE = "no improvement: -0.002100 nats per direction"
_SHARDS = [(n, bytes([50 + n]) * 32, bytes([90 + n]) * 32) for n in range(40)]
_LEAVES = [evaluation_leaf(*shard) for shard in _SHARDS]


@dataclass
class Played:
    """The chain, the folder of what its rounds name, and the model after each round that left one."""

    network: Network
    folder: Path
    first: Digest
    model: Digest
    sheets: dict[int, Digest]

    def keep(self, data: bytes, codec: Codec = "dag-json") -> Digest:
        digest = digest_of(data)
        (self.folder / to_cid(digest, codec)).write_bytes(data)
        return digest

    @property
    def deployment(self) -> Path:
        return self.folder.parent / "deployment.json"

    @property
    def url(self) -> str:
        return str(self.network.chain.anvil.url)


@asynccontextmanager
async def played_project(folder: Path, rounds: int = ROUNDS) -> AsyncIterator[Played]:
    """With `rounds` rounds of one project, below `folder`."""
    async with deployed_network() as network:
        inputs = folder / "inputs"
        inputs.mkdir(parents=True)
        _add_wallets(network)
        first = digest_of(b"the first model")
        played = Played(network, inputs, first, first, {})
        network.deployment.save(played.deployment)
        await _found(network, first)
        for number in range(1, rounds + 1):
            await _play(played, number, rounds)
        yield played


def _add_wallets(network: Network) -> None:
    more = tuple(Wallet.from_key(item.key) for item in public_test_accounts(max(SOLVERS) + 1)[5:])
    network.chain = replace(network.chain, wallets=(*network.chain.wallets, *more))
    rpc = network.chain.rpc
    network.senders += [
        Sender(rpc, item, MemoryIntents(), FEES, 1, error_decoder(), poll=0.05) for item in more
    ]


async def _found(network: Network, model: Digest) -> None:
    contracts, rounds = network.contracts, network.contracts.rounds
    for who in SOLVERS[2:]:
        await network.do(0, contracts.token.transfer(network.wallet(who).address, 5_000 * TOKEN))
    for who in (JUDGE, SECOND, *SOLVERS):
        await network.do(who, contracts.token.approve(network.deployment.rounds, 1_000 * TOKEN))
        await network.do(who, rounds.deposit(1_000 * TOKEN, network.wallet(who).address))
    members = [network.wallet(who).address for who in (JUDGE, SECOND)]
    await network.do(0, rounds.create_verifier_set(members, 2, CAP, MAX_HOLD))
    await network.do(JUDGE, rounds.join(1))
    await network.do(SECOND, rounds.join(1))
    await network.do(
        0,
        rounds.create_project(
            recipe=digest_of(b"recipe"), dataset=digest_of(b"dataset"), model=model,
            evaluation_root=shard_root(_LEAVES), evaluation_count=len(_LEAVES), verifier_set=1,
            metadata=digest_of(b"metadata"),
        ),
    )  # fmt: skip
    await network.do(0, contracts.token.approve(network.deployment.rounds, 10_000 * TOKEN))


async def _play(played: Played, number: int, last: int) -> None:
    network, rounds = played.network, played.network.contracts.rounds
    spec = a_spec(base=played.model, recipe=digest_of(b"recipe"), dataset=digest_of(b"dataset"),
                  aggregators=(), price=5 * 10**14)  # fmt: skip
    params = replace(
        PARAMS, spec=played.keep(encode_spec(spec)), budget=60 * TOKEN, fee=2 * TOKEN, max_solvers=0,
        challenge_duration=100_000 if number == last else 100,
    )  # fmt: skip
    await network.do(PROPOSER, rounds.open_round(params))
    solvers = [SOLVERS[(number + n) % len(SOLVERS)] for n in range(TOOK_PART)]
    if number == CANCELLED:
        await network.at(await _field(network, number, "commit_end") + 1)
        await network.do(PROPOSER, rounds.cancel(number))
        return
    deltas = {who: digest_of(f"delta {number} {who}".encode()) for who in solvers}
    deployment = network.deployment
    for who in solvers:
        mine = network.wallet(who).address
        word = commitment(
            deployment.chain_id, deployment.rounds, RoundId(number), mine, deltas[who], bytes(32)
        )
        await network.do(who, rounds.commit(number, word))
    await network.at(await _field(network, number, "commit_end"))
    await draw(network, number, JUDGE)
    index = await _field(network, number, "evaluation_index")
    _, shard, blinding = _SHARDS[index]
    await network.do(PROPOSER, rounds.unseal(number, shard, blinding, shard_proof(_LEAVES, index)))
    now = (await network.chain.block()).timestamp
    await network.at(max(await _field(network, number, "reveal_start"), now + 1))
    for who in solvers:
        await network.do(who, rounds.reveal(number, deltas[who], bytes(32)))
    sheet, recorded = await _record(played, number, params, spec, Digest(shard), deltas)
    if number == last:
        return
    await network.at(await _field(network, number, "challenge_end") + 1)
    await network.do(PROPOSER, rounds.settle(number, recorded))
    leaves = [sheet.leaf_of(network.wallet(who).address) for who in deltas]
    await network.do(PROPOSER, rounds.claim_many(number, [item for item in leaves if item is not None]))
    played.model = recorded.model


async def _record(
    played: Played, number: int, params: Any, spec: Any, shard: Digest, deltas: dict[int, Digest]
) -> tuple[ScoreSheet, RecordedResult]:
    network, deployment = played.network, played.network.deployment
    members = sorted((network.wallet(who).address for who in (JUDGE, SECOND)), key=str.lower)
    facts = RoundFacts(
        chain_id=deployment.chain_id, contract=deployment.rounds, round_id=RoundId(number),
        project_id=ProjectId(1), spec=params.spec, base=played.model, shard=shard, budget=params.budget,
        fee=params.fee, members=tuple(members), threshold=2,
        reveals=tuple(
            RevealedDelta(network.wallet(who).address, digest, place)
            for place, (who, digest) in enumerate(deltas.items())
        ),
    )  # fmt: skip
    luck = random.Random(number)
    gain = int(52_000 * math.exp(-number / 6) + luck.gauss(0, 1_500))
    error = 1_600 + 150 * number
    good: Vote = (Verdict.ACCEPTED, "accepted", gain, error)
    other: Vote = (Verdict.ACCEPTED, "accepted", int(gain * 0.7), error + 300)
    withheld = number == WITHHELD
    model = played.model if withheld else digest_of(f"model {number}".encode())
    improvement = -2_100 if withheld else int(gain * 1.2)
    skill = [int(1e6 * (0.62 - 0.3 * math.exp(-step / 5))) for step in (number - 1, number)]
    metrics = (
        ("after.pi", 2 * skill[1]), ("after.skill", skill[1]),
        ("before.pi", 2 * skill[0]), ("before.skill", skill[0]), ("stderr.improvement", error),
    )  # fmt: skip
    judges = {network.wallet(who).address: network.wallet(who) for who in (JUDGE, SECOND)}
    reports = reports_of(
        facts, [[good, other, HARM]] * 2, signed=lambda typed, who: judges[who].sign_typed(typed)
    )
    sheet = derive_sheet(
        facts, spec, reports, model=model, improvement=improvement,
        note=NOTE if withheld else "", metrics=metrics,
    )  # fmt: skip
    played.sheets[number] = digest = played.keep(encode_sheet(sheet))
    typed = result_data(
        deployment.chain_id, deployment.rounds, round_id=RoundId(number), root=sheet.root, model=model,
        sheet=digest, payout=sheet.payout, improvement=improvement, extension=bytes(32),
    )  # fmt: skip
    signed = [Attestation(improvement, network.wallet(who).sign_typed(typed)) for who in (JUDGE, SECOND)]
    call = network.contracts.rounds.record_training(
        number, sheet.root, model, digest, sheet.payout, bytes(32), signed
    )
    await network.do(JUDGE, call)
    shown = RecordedResult(sheet.root, model, digest, bytes(32), sheet.payout, improvement, signers=0b11)
    return sheet, shown


async def _field(network: Network, number: int, name: str) -> int:
    return int(getattr(await network.contracts.lens.round(number, "latest"), name))
