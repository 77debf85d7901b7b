"""A coordinator commits once and opens once, whatever dies in between: with a real journal and real blobs."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jepanet.chain.keys.wallet_files import Wallet, recover_typed
from jepanet.protocol.documents.messages import SayCommitment, SayScores
from jepanet.protocol.documents.openings import HeardCommitment
from jepanet.protocol.documents.score_commitments import check_opening, commitment_of
from jepanet.protocol.documents.scores import ScoreReport, decode_report, encode_report
from jepanet.protocol.documents.typed_data import score_commitment_data
from jepanet.protocol.duties import OpenScores, PublishScores
from jepanet.protocol.facts import LocalScoresOpened
from jepanet.protocol.off_chain import OffChain
from jepanet.protocol.state import Own
from jepanet.roles.coordinator import Coordinator
from jepanet.roles.steps.opening_scores import commit_to, committed
from jepanet.storage.blobs.store import BlobStore
from jepanet.storage.journal import Journal
from jepanet.telemetry import Secret
from jepanet.types import Address, Digest
from round_samples import CHAIN, CONTRACT, GOOD, digest, report_of, some_facts

pytestmark = pytest.mark.unit


def wallet(name: str) -> Wallet:
    return Wallet.from_key(Secret(sha256(f"jepanet test {name}".encode()).digest()))


WALLET, FIRST, SECOND = wallet("coordinator"), wallet("first"), wallet("second")
FACTS = some_facts(2, 3)
REPORT = report_of(FACTS, WALLET.address, [GOOD, GOOD], lambda typed, who: WALLET.sign_typed(typed))
ROUND = REPORT.round_id


class Killed(Exception):
    """Stands for SIGKILL at a named step."""


class Desk:
    """A coordinator's node over files that outlive it."""

    def __init__(self, folder: Path, dies_at: str = "") -> None:
        self.said: list[Any] = []
        self.own = Own(prepared=True)
        self.off_chain = OffChain()
        self.dies_at = dies_at
        numbers = count()
        self.context: Any = SimpleNamespace(
            me=WALLET.address, wallet=WALLET, chain_id=CHAIN, rounds_address=CONTRACT,
            journal=Journal.open(folder / "journal.sqlite"), blobs=BlobStore(folder / "blobs", 1 << 20),
            random_bytes=lambda size: bytes([next(numbers)]) * size, trace=self.trace, say=self.say,
            own=lambda _: self.own, off_chain=lambda _: self.off_chain,
            round=lambda _: SimpleNamespace(id=ROUND, project_id=1),
        )  # fmt: skip
        self.coordinator = Coordinator(self.context)

    def trace(self, step: str) -> None:
        if step == self.dies_at:
            raise Killed(step)

    async def say(self, body: Any) -> None:
        self.said.append(body)

    def measures(self) -> Digest:
        scores = self.context.blobs.put_bytes(encode_report(REPORT))
        commit_to(self.context, REPORT)
        self.own = Own(prepared=True, scores=scores, committed=True)
        return Digest(scores)

    def dies(self) -> None:
        self.context.journal.close()
        self.context.blobs.close()

    def has_said(self) -> ScoreReport:
        (said,) = self.said
        assert isinstance(said, SayScores)
        return decode_report(said.report)


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    return lambda **changes: Desk(tmp_path, **changes)


def heard(*who: Wallet) -> OffChain:
    """Commitments that have arrived."""
    found = []
    for item in who:
        word = digest(item.address)
        typed = score_commitment_data(CHAIN, CONTRACT, round_id=ROUND, commitment=word)
        found.append(HeardCommitment(item.address, word, item.sign_typed(typed)))
    return OffChain(commitments=tuple(found))


def listed(report: ScoreReport) -> set[Address]:
    assert report.opening is not None
    return {item.coordinator for item in report.opening.heard}


async def test_until_it_opens_it_says_its_commitment_alone(desk: Callable[..., Desk]) -> None:
    node = desk()
    node.measures()
    await node.coordinator.publish_scores(PublishScores(ROUND))
    (said,) = node.said
    kept = committed(node.context, ROUND)
    assert kept is not None and isinstance(said, SayCommitment)
    assert said.commitment == commitment_of(REPORT, kept.salt, CHAIN, CONTRACT)
    assert len(kept.salt) == 32 and kept.salt not in said.commitment + said.signature


async def test_its_opening_lists_whom_it_had_heard(desk: Callable[..., Desk]) -> None:
    node = desk()
    node.measures()
    node.off_chain = heard(SECOND, FIRST)
    (fact,) = await node.coordinator.open_scores(OpenScores(ROUND))
    assert isinstance(fact, LocalScoresOpened)
    report = node.has_said()
    assert report.scores == REPORT.scores and listed(report) == {FIRST.address, SECOND.address}
    check_opening(report, CHAIN, CONTRACT, recover_typed)
    node.own = Own(prepared=True, scores=node.own.scores, committed=True, opened=fact.scores)
    await node.coordinator.publish_scores(PublishScores(ROUND, 1))
    assert node.said[1] == node.said[0]


async def test_attack_a_restart_after_the_opening_adds_nobody_to_its_list(desk: Callable[..., Desk]) -> None:
    """A copier's commitment that arrives while the node is down must not stand in what it then says."""
    node = desk(dies_at="scores:opened")
    scores = node.measures()
    node.off_chain = heard(FIRST)
    with pytest.raises(Killed):
        await node.coordinator.open_scores(OpenScores(ROUND))
    node.dies()
    again = desk()
    again.own = Own(prepared=True, scores=scores, committed=True)
    again.off_chain = heard(FIRST, SECOND)
    await again.coordinator.open_scores(OpenScores(ROUND))
    assert listed(again.has_said()) == {FIRST.address}


async def test_a_restart_after_the_commitment_says_the_same_one(desk: Callable[..., Desk]) -> None:
    node = desk(dies_at="scores:committed")
    with pytest.raises(Killed):
        node.measures()
    node.dies()
    again = desk()
    kept = committed(again.context, ROUND)
    assert kept is not None
    again.own = Own(prepared=True, scores=digest("scores"), committed=True)
    await again.coordinator.publish_scores(PublishScores(ROUND))
    assert again.said == [SayCommitment(ROUND, kept.commitment, kept.signature)]


async def test_scores_that_are_not_committed_to_are_said_at_once(desk: Callable[..., Desk]) -> None:
    node = desk()
    node.own = Own(prepared=True, scores=node.context.blobs.put_bytes(encode_report(REPORT)))
    await node.coordinator.publish_scores(PublishScores(ROUND))
    assert node.has_said() == REPORT
