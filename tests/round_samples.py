"""Specs, reports and sheets for tests of the score sheet; a stand-in wallet makes the signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from eth_hash.auto import keccak

from jepanet.addresses import checksum_address
from jepanet.errors import Rejected
from jepanet.protocol.documents.scores import ScoreReport, SignedScore, score_message
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.documents.typed_data import TypedData, signing_hash
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts
from jepanet.types import Address, Digest, ProjectId, RoundId, Verdict

CHAIN = 31337


def account(label: str, number: int = 0) -> Address:
    return checksum_address("0x" + keccak(f"{label} {number}".encode())[12:].hex())


def digest(label: str) -> Digest:
    return Digest(sha256(label.encode()).digest())


CONTRACT = account("contract")


def sign(typed: TypedData, who: Address) -> bytes:
    """65 bytes that only `recover` below accepts: this account, this message."""
    seal = signing_hash(typed)
    return bytes.fromhex(who[2:]) + seal + bytes(13)


def recover(typed: TypedData, signature: bytes) -> Address:
    if signature[20:52] != signing_hash(typed):
        raise Rejected("the signature is over other data", reason="bad-signature")
    return checksum_address("0x" + signature[:20].hex())


def a_spec(**changes: object) -> RoundSpec:
    spec = RoundSpec(
        project=ProjectId(1),
        base=digest("base"),
        recipe=digest("recipe"),
        dataset=digest("dataset"),
        inner_steps=40,
        start_step=80,
        total_steps=320,
        codec="int8",
        max_delta_bytes=1 << 20,
        price=10**12,
        aggregators=(account("aggregator"),),
    )
    return replace(spec, **changes)  # type: ignore[arg-type]  # keyword names are checked at run time


def some_facts(
    solvers: int = 4, coordinators: int = 3, *, budget: int = 10**18, fee: int = 3 * 10**15
) -> RoundFacts:
    members = sorted((account("coordinator", i) for i in range(coordinators)), key=str.lower)
    return RoundFacts(
        chain_id=CHAIN,
        contract=CONTRACT,
        round_id=RoundId(7),
        project_id=ProjectId(1),
        spec=digest("spec"),
        base=digest("base"),
        shard=digest("shard"),
        budget=budget,
        fee=fee,
        members=tuple(members),
        threshold=coordinators // 2 + 1,
        reveals=tuple(RevealedDelta(account("solver", i), digest(f"delta {i}"), i) for i in range(solvers)),
    )


Vote = tuple[Verdict, str, int, int]
GOOD: Vote = (Verdict.ACCEPTED, "accepted", 40_000, 2_000)
FAULT: Vote = (Verdict.INVALID, "non-finite", 0, 0)
MISSING: Vote = (Verdict.EXCLUDED, "unavailable", 0, 0)
HARM: Vote = (Verdict.EXCLUDED, "harm", -50_000, 2_000)


Sign = Callable[[TypedData, Address], bytes]


def report_of(facts: RoundFacts, who: Address, votes: Sequence[Vote], signed: Sign = sign) -> ScoreReport:
    """A signed report; `votes` in order of commitment."""
    scores = []
    for item, (verdict, reason, gain, stderr) in zip(facts.reveals, votes, strict=True):
        score = SignedScore(item.solver, item.digest, verdict, reason, gain, stderr, bytes(65))
        typed = score_message(facts.chain_id, facts.contract, facts.round_id, score)
        scores.append(replace(score, signature=signed(typed, who)))
    return ScoreReport(facts.round_id, who, tuple(sorted(scores, key=lambda score: score.solver.lower())))


def reports_of(
    facts: RoundFacts, votes: Sequence[Sequence[Vote]], signed: Sign = sign
) -> tuple[ScoreReport, ...]:
    """One report for each row of `votes`, by the set's members in order."""
    return tuple(report_of(facts, who, row, signed) for who, row in zip(facts.members, votes, strict=False))


def resigned(facts: RoundFacts, report: ScoreReport, signed: Sign = sign) -> ScoreReport:
    """A report whose scores were changed, signed as they are now."""
    scores = []
    for score in report.scores:
        typed = score_message(facts.chain_id, facts.contract, facts.round_id, score)
        scores.append(replace(score, signature=signed(typed, report.coordinator)))
    return replace(report, scores=tuple(scores))
