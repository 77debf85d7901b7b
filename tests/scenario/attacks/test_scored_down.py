"""A coordinator that scores a newcomer down, one of three: its other scores are honest. It moves no median,
the newcomer is paid as if it were not there, and it earns no fee. Then it signs two results for that round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attackers import attacker, peer
from forged_words import word
from network import CHAIN_ID, TOKEN, Network, new_wallet, run_async
from rows import NETWORK, Played
from test_copied_scores import Ears

from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.keys.wallet import Wallet
from jepanet.chain.keys.wallet_files import load_wallet, read_password
from jepanet.protocol import facts
from jepanet.protocol.documents.messages import SayScores
from jepanet.protocol.documents.scores import encode_report, score_message
from jepanet.types import Address, RoundId, SlashCause, Verdict

pytestmark = [pytest.mark.scenario, pytest.mark.slow, pytest.mark.timeout(900)]

DOWN = 50_000
"""Micro-nats; many times the tolerance."""


async def score_down(network: Network, number: RoundId, newcomer: Address, folder: Path) -> None:
    """As the third verifier: the first one's numbers, but for those of the newcomer."""
    wallet, contract, ears = network.nodes["judge-3"].wallet(), network.deployment.rounds, Ears()

    async def until(what: str, condition: Callable[[], object]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    async with peer(network, folder, ears.hears) as liar:
        for judge in network.judges[:2]:
            status = judge.status()
            assert status is not None
            await liar.node.connect(status["addresses"][0])
        await liar.meet(2)
        await until("somebody's scores", lambda: bool(ears.scores))
        report = next(iter(ears.scores.values()))
        scores = []
        for score in report.scores:
            said = score
            if score.solver == newcomer:
                said = replace(score, verdict=Verdict.ACCEPTED, reason="accepted", gain=score.gain - DOWN)
            typed = score_message(CHAIN_ID, contract, number, said)
            scores.append(replace(said, signature=wallet.sign_typed(typed)))
        said = replace(report, coordinator=wallet.address, scores=tuple(scores))
        await liar.say(wallet, SayScores(number, encode_report(said)))
        await until("the record", lambda: network.round(number).recorded is not None)


@pytest.fixture(scope="module")
def network(new_network: Callable[..., Network]) -> Network:
    return new_network(solvers=2, judges=3)


def test_attack_a_coordinator_that_scores_a_newcomer_down_earns_nothing_and_moves_nothing(
    network: Network, tmp_path: Path, rows: list[Played]
) -> None:
    network.run_nodes(*(node.name for node in network.nodes.values() if node.name != "judge-3"))
    number = network.play(commits=2, committed_scores=False)
    network.run_nodes("hub")
    newcomer, liar = network.solvers[1].address, network.nodes["judge-3"].address
    run_async(score_down(network, RoundId(number), newcomer, tmp_path / "peer"))
    network.wait_finished(number)
    shown = network.receipts(number)
    assert shown["recomputed"] is True, shown["checked"]
    (row,) = [item for item in shown["receipts"] if item["solver"] == newcomer]
    said = {item["coordinator"]: item["gain"] for item in row["scores"]}
    honest = [gain for who, gain in said.items() if who != liar]
    assert said[liar] == honest[0] - DOWN or said[liar] == honest[1] - DOWN, "its report is in the sheet"
    assert min(honest) <= row["gain"] <= max(honest), "and moves no median"
    fees = {item["coordinator"]: int(item["paid"]) for item in shown["fees"]}
    assert fees.get(liar, 0) == 0
    assert {fees[node.address] for node in network.judges[:2]} == {2 * TOKEN // 3}
    told = [item for item in network.judge.events("scores.disowned") if item["coordinator"] == liar]
    assert told and told[0]["under"] == 1
    rows.append(
        Played("a validator that scores a newcomer down", "lower medians, and no fee for who lies apart",
               NETWORK, 0.0, 0.0, 0.0, False, "under",
               effect=f"the newcomer's gain is {row['gain']} micro-nats, of {sorted(honest)} said honestly")
    )  # fmt: skip


async def report(network: Network, number: int, liar: Wallet, stranger: Wallet) -> None:
    """Two results with the liar's signature, shown by somebody who has no part in the round."""
    rpc = Rpc([network.anvil.url], CHAIN_ID)
    try:
        who = attacker(network, rpc, "stranger", stranger)
        first, second = (word(network, number, liar, payout=payout) for payout in (1, 2))
        await who.sender.send("report", who.contracts.rounds.slash_equivocation(*first, *second))
    finally:
        await rpc.close()


def test_attack_who_signs_two_results_for_one_round_loses_its_stake(
    network: Network, tmp_path: Path, rows: list[Played]
) -> None:
    number, liar = network.rounds, network.nodes["judge-3"].wallet()
    new_wallet(tmp_path / "stranger")
    password = read_password(tmp_path / "stranger" / "password")
    stranger = load_wallet(tmp_path / "stranger" / "wallet", password, None)
    network.fund([stranger.address])
    run_async(report(network, number, liar, stranger))
    slashed = network.events(facts.ChainBondSlashed, number)
    (taken,) = [item for item in slashed if item.account == liar.address]
    assert taken.cause is SlashCause.EQUIVOCATION and taken.amount > 0
    rows.append(
        Played("sign two results for one round", "anybody shows both, for a tenth of the stake", NETWORK, 0.0,
               0.0, taken.amount / (10 * TOKEN), False, "EQUIVOCATION")
    )  # fmt: skip
