"""Trainings that are drawn for an audit and cannot show what they say: each in its own way, all in one round.

Every solver is drawn. What is done to trained weights, a state to which no training leads, a transcript
written after the delta, and one that nobody may see: each costs the whole bond and is paid nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attackers import Attacker, Peer, attacker, peer
from network import CHAIN_ID, TERMS, TOKEN, Network, new_wallet
from rows import NETWORK, Played
from test_audited_rounds import SEGMENTS, Made, Outcome, audits, bonds_lost, made_by

from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.cid import blake3_of, digest_of
from jepanet.federation.deltas.delta import DeltaHeader, delta_bytes, transcript_of
from jepanet.types import Digest, Phase, RoundId
from jepanet.work.transcript import decode_transcript, encode_transcript

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(1500)]

DEFENCES = {
    "scaled": "the delta is held against what the last segment gives",
    "another-seed": "each step is done again with the seed that the salt gives",
    "false-state": "each segment has to lead from one state that was committed to, to the next",
    "traced-afterwards": "the delta names its transcript, and the commitment names the delta",
    "shut": "who does not open is treated as who is caught",
}
FINDINGS = {
    "scaled": "not-reproduced",
    "another-seed": "not-reproduced",
    "false-state": "not-reproduced",
    "traced-afterwards": "not-opened",
    "shut": "not-opened",
}


def naming(network: Network, number: int, made: Made, transcript: Digest) -> bytes:
    """The same delta, that names another transcript."""
    round_, project = network.round(number), network.project
    assert project is not None
    _, parts = transcript_of(made.honest, max_bytes=1 << 24)
    recipe = network.state().projects[round_.project_id].recipe
    return delta_bytes(parts, DeltaHeader(round_.base, recipe, transcript), network_codec(made))


def network_codec(made: Made) -> str:
    """Of the round, as the delta's own header says it."""
    from jepanet.tensors import header_of

    return str(header_of(made.honest, what="delta")["codec"])


async def prepared(network: Network, server: Peer, who: Attacker, number: int, folder: Path) -> bytes:
    """What `who` reveals; on the server's shelf what it opens."""
    shelf = server.shelf
    folder.mkdir()  # noqa: ASYNC240
    seed = os.urandom(32) if who.name == "another-seed" else None
    made = await made_by(network, server, who, number, folder / "made", seed=seed)
    states = list(made.states)
    if who.name == "false-state":
        other = await made_by(network, server, who, number, folder / "other", seed=os.urandom(32))
        spec = network.round(number).params.spec
        mine, theirs = (decode_transcript(item.transcript, spec=spec) for item in (made, other))
        # From the first segment's end to the third's, over a state of another training.
        segments = (mine.segments[0], theirs.segments[1], *mine.segments[2:])
        transcript = encode_transcript(replace(mine, segments=segments))
        shelf.put(transcript)
        states += other.states
        made = replace(made, honest=naming(network, number, made, digest_of(transcript)))
    elif who.name == "traced-afterwards":
        promised = Digest(os.urandom(32))
        shelf.put(made.transcript, promised)  # when it was drawn: under the name that it had promised
        made = replace(made, honest=naming(network, number, made, promised))
    elif who.name != "shut":
        shelf.put(made.transcript)
    if who.name != "shut":
        for state in states:
            shelf.put(state, blake3_of([state]))
    return made.scaled if who.name == "scaled" else made.honest


async def play(network: Network, folder: Path) -> Outcome:
    """One audited round of an honest node and the cheats, until it is settled and all is claimed."""
    network.run_nodes()
    wallets = {}
    for name in DEFENCES:
        new_wallet(folder / name)
        wallets[name] = load_wallet(folder / name / "wallet", read_password(folder / name / "password"), None)
    await asyncio.to_thread(network.fund, [wallet.address for wallet in wallets.values()], 100)
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    cast = {name: attacker(network, rpc, name, wallet) for name, wallet in wallets.items()}
    await asyncio.gather(*(item.stake() for item in cast.values()))
    terms = {"audit_segments": SEGMENTS, "audit_probability_milli": 1000, "audit_opened": 2}
    number = await asyncio.to_thread(network.play, commits=1 + len(cast), **terms)
    round_id = RoundId(number)

    async def until(what: str, condition: Callable[[], Any]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    try:
        async with peer(network, folder / "peer") as server:
            for who in cast.values():
                delta = await prepared(network, server, who, number, folder / f"by {who.name}")
                await who.commit(round_id, server.shelf.put(delta))
            await until("the end of commits", lambda: network.phase(number) is Phase.REVEAL)
            await asyncio.gather(*(who.reveal(round_id) for who in cast.values()))
            await until("every reveal", lambda: len(network.round(number).reveals) == 1 + len(cast))
            await until("the unsealed shard", lambda: network.round(number).shard)
            if network.phase(number) is Phase.REVEAL:
                network.warp(TERMS["reveal_seconds"])
            await until("the verification", lambda: network.phase(number) is Phase.VERIFY)
            for who in cast.values():
                assert who.digest is not None
                await server.provide(who.wallet, round_id, who.digest)
            opened = 1 + sum(reason != "not-opened" for reason in FINDINGS.values())
            await until("the audits of what is open", lambda: audits(network, number) >= opened)
            await asyncio.to_thread(network.out_of_patience, number)
            await asyncio.to_thread(network.wait_finished, number)
            shown = await asyncio.to_thread(network.receipts, number)
    finally:
        await rpc.close()
    return Outcome(network, number, cast, {row["solver"]: row for row in shown["receipts"]})


@pytest.fixture(scope="module")
def audited(new_network: Callable[..., Network], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return asyncio.run(play(new_network(solvers=1), tmp_path_factory.mktemp("traces")))


@pytest.mark.parametrize("name", sorted(DEFENCES))
def test_attack_what_cannot_be_shown_costs_the_bond(audited: Outcome, name: str, rows: list[Played]) -> None:
    who = audited.cast[name].wallet.address
    row = audited.receipts[who]
    assert (row["verdict"], row["reason"], row["paid"]) == ("invalid", FINDINGS[name], "0"), row
    assert bonds_lost(audited)[who] == 10 * TOKEN
    rows.append(Played(name.replace("-", " "), DEFENCES[name], NETWORK, 1.0, 0.0, 1.0, False, row["reason"]))


def test_honest_work_beside_them_is_audited_and_keeps_its_bond(audited: Outcome) -> None:
    (node,) = audited.network.solvers
    row = audited.receipts[node.address]
    assert (row["verdict"], row["reason"]) in {("accepted", "accepted"), ("excluded", "harm")}, row
    assert node.address not in bonds_lost(audited)
