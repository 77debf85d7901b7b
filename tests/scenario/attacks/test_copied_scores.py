"""A coordinator that measures nothing: it waits for another's scores, and signs the same numbers.

Three verifiers, two of them honest nodes; the third is a wallet with a libp2p peer. It is paid where scores
are said as soon as they are measured, and not where they are committed to first, which holds up nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attackers import Peer, peer
from network import CHAIN_ID, TOKEN, Network, Node, run_async
from rows import NETWORK, Played

from jepanet.chain.keys.wallet import Wallet
from jepanet.protocol.documents.messages import Envelope, SayCommitment, SayScores
from jepanet.protocol.documents.openings import HeardCommitment, Opening
from jepanet.protocol.documents.score_commitments import commitment_of, in_order, opening_message
from jepanet.protocol.documents.scores import ScoreReport, decode_report, encode_report, score_message
from jepanet.protocol.documents.typed_data import score_commitment_data
from jepanet.types import Address, RoundId

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def network(new_network: Callable[..., Network]) -> Network:
    return new_network(solvers=2, judges=3)


class Ears:
    """What the copier hears of a round."""

    def __init__(self) -> None:
        self.scores: dict[Address, ScoreReport] = {}
        self.commitments: dict[Address, HeardCommitment] = {}

    def hears(self, envelope: Envelope) -> None:
        body, who = envelope.body, envelope.binding.wallet
        if isinstance(body, SayScores):
            self.scores.setdefault(who, decode_report(body.report))
        if isinstance(body, SayCommitment):
            self.commitments.setdefault(who, HeardCommitment(who, body.commitment, body.signature))


def copied(network: Network, wallet: Wallet, report: ScoreReport) -> ScoreReport:
    """Another's numbers under the copier's signature."""
    contract = network.deployment.rounds
    scores = []
    for score in report.scores:
        typed = score_message(CHAIN_ID, contract, report.round_id, score)
        scores.append(replace(score, signature=wallet.sign_typed(typed)))
    return ScoreReport(report.round_id, wallet.address, tuple(scores))


async def say_committed(
    network: Network, copier: Peer, wallet: Wallet, report: ScoreReport, ears: Ears
) -> None:
    """Everything that an honest one says, too late: a commitment to the copy, and its opening."""
    contract, salt = network.deployment.rounds, os.urandom(32)
    word = commitment_of(report, salt, CHAIN_ID, contract)
    typed = score_commitment_data(CHAIN_ID, contract, round_id=report.round_id, commitment=word)
    await copier.say(wallet, SayCommitment(report.round_id, word, wallet.sign_typed(typed)))
    opened = replace(report, opening=Opening(salt, in_order(tuple(ears.commitments.values())), bytes(65)))
    assert opened.opening is not None
    signature = wallet.sign_typed(opening_message(opened, CHAIN_ID, contract))
    opened = replace(opened, opening=replace(opened.opening, signature=signature))
    await copier.say(wallet, SayScores(report.round_id, encode_report(opened)))


def play(network: Network, folder: Path, *, committed: bool) -> tuple[int, Ears]:
    """A round in which the third verifier copies."""
    honest = [node for node in network.nodes.values() if node.name != "judge-3"]
    network.run_nodes(*(node.name for node in honest))
    round_id = network.play(commits=2, committed_scores=committed)
    network.run_nodes("hub")
    ears = run_async(copy(network, RoundId(round_id), folder, network.nodes["judge-3"], committed=committed))
    network.wait_finished(round_id)
    return round_id, ears


async def copy(network: Network, number: RoundId, folder: Path, node: Node, *, committed: bool) -> Ears:
    wallet, ears = node.wallet(), Ears()

    async def until(what: str, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(network.wait, what, condition)

    async with peer(network, folder, ears.hears) as copier:
        for judge in network.judges[:2]:
            status = judge.status()
            assert status is not None
            await copier.node.connect(status["addresses"][0])
        await copier.meet(2)
        if committed:
            # Both honest ones have measured and wait for the third, which has nothing to commit to.
            await until("both commitments", lambda: len(ears.commitments) == 2)
            assert not ears.scores, "nobody has said a number"
            round_ = network.round(number)
            await asyncio.to_thread(network.warp, round_.scores_opened_from - network.state().now)
        await until("somebody's scores", lambda: bool(ears.scores))
        copy = copied(network, wallet, next(iter(ears.scores.values())))
        if committed:
            await say_committed(network, copier, wallet, copy, ears)
        else:
            await copier.say(wallet, SayScores(number, encode_report(copy)))
        await until("the record", lambda: network.round(number).recorded is not None)
    return ears


def fees(network: Network, round_id: int) -> dict[str, int]:
    """What was paid, by coordinator."""
    told = network.receipts(round_id)["fees"]
    return {item["coordinator"]: int(item["paid"]) for item in told if int(item["paid"])}


def test_attack_a_copier_is_paid_where_scores_are_said_at_once(
    network: Network, tmp_path: Path, rows: list[Played]
) -> None:
    round_id, ears = play(network, tmp_path / "peer", committed=False)
    assert not ears.commitments
    assert set(fees(network, round_id)) == {node.address for node in network.judges}
    rows.append(
        Played("copied scores, said at once", "rounds may ask for commitments to scores", NETWORK, 0.0, 1.0,
               0.0, False, "", open=True)
    )  # fmt: skip


def test_attack_a_copier_is_unpaid_where_scores_are_committed_to(
    network: Network, tmp_path: Path, rows: list[Played]
) -> None:
    round_id, ears = play(network, tmp_path / "peer", committed=True)
    judge, second, copier = (node.address for node in network.judges)
    assert set(ears.commitments) >= {judge, second}
    shown = network.receipts(round_id)
    assert fees(network, round_id) == dict.fromkeys((judge, second), 2 * TOKEN // 3)
    assert shown["recomputed"] is True, shown["checked"]
    scored = {item["coordinator"] for item in shown["receipts"][0]["scores"]}
    assert scored == {judge, second, copier}, "its report is in the sheet, and counts for the medians"
    rows.append(
        Played("copied scores, committed to too late", "scores are committed to before any is said", NETWORK,
               0.0, 0.0, 0.0, False, "late")
    )  # fmt: skip
