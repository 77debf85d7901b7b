"""What a coordinator publishes: one signed score for every revealed delta of a round.

The EIP-712 signature (`typed_data.score_data`) covers verdict, reason, numbers and audit. `detail` and
`metrics` are its notes for people and receipts: unsigned, and no rule reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, ClassVar

from jepanet.errors import Rejected
from jepanet.protocol.documents.openings import Opening, heard_order
from jepanet.protocol.documents.typed_data import TypedData, score_data
from jepanet.records.codec import Codec
from jepanet.records.marks import PRINTABLE, SAFE_INTEGER, WORD, LeftOut, Name, OneOf, Range, Size
from jepanet.tensors import canonical_json
from jepanet.types import MICRO, Address, Digest, RoundId, Verdict

VERSION = 1
MAX_DELTAS = 1024
"""Revealed deltas of a round that a report, and so a sheet, can hold."""
MAX_GAIN = 10**9
"""Micro-nats: a thousand nats per direction, far above any real gain."""
MAX_REASON = 32
MAX_DETAIL = 240
MAX_METRICS = 24
MAX_REPORT_BYTES = 704 << 10
"""A report travels in one gossip message (`messages.MAX_MESSAGE_BYTES`)."""
SIGNATURE_BYTES = 65

Metrics = Annotated[
    tuple[tuple[Annotated[str, Size(1, 32), WORD], int], ...],
    Size(0, MAX_METRICS),
    "(name, value in millionths), ascending by name",
]
Reason = Annotated[str, Size(1, MAX_REASON), WORD]
Gain = Annotated[int, Range(-MAX_GAIN, MAX_GAIN), "micro-nats per direction"]
StandardError = Annotated[int, Range(0, MAX_GAIN), "of the gain"]
DeltaVerdict = Annotated[Verdict, OneOf((Verdict.ACCEPTED, Verdict.EXCLUDED, Verdict.INVALID))]
Recover = Callable[[TypedData, bytes], Address]
"""The account that signed typed data; raises Rejected for a malformed signature."""


@dataclass(frozen=True, slots=True)
class Among:
    """What a delta gains as one of fewer than were revealed: those that a coordinator finds worth paying."""

    count: Annotated[int, Range(1, MAX_DELTAS), "of the deltas; measured is base + delta / count"]
    gain: Gain
    stderr: StandardError


@dataclass(frozen=True, slots=True)
class SignedScore:
    """A coordinator's word on one delta. Gain and standard error in micro-nats per direction."""

    solver: Address
    digest: Digest
    verdict: DeltaVerdict
    reason: Reason
    gain: Gain
    stderr: StandardError
    signature: Annotated[bytes, Size(SIGNATURE_BYTES, SIGNATURE_BYTES)]
    detail: Annotated[str, Size(0, MAX_DETAIL), PRINTABLE] = ""
    metrics: Metrics = ()
    audit: Annotated[
        Digest | None,
        LeftOut(),
        "what came out of the drawn parts of its training, in this coordinator's words",
    ] = None
    among: Annotated[Among | None, LeftOut()] = None


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """All scores of one coordinator in one round, ascending by solver."""

    HEAD: ClassVar = {"version": VERSION}

    round_id: Annotated[RoundId, Name("round"), Range(0, SAFE_INTEGER)]
    coordinator: Address
    scores: Annotated[tuple[SignedScore, ...], Size(0, MAX_DELTAS)]
    opening: Annotated[
        Opening | None, LeftOut(), "in rounds whose scores are committed to: how these were"
    ] = None


REPORT = Codec(ScoreReport, "score report", max_bytes=MAX_REPORT_BYTES)


def score_message(chain_id: int, contract: Address, round_id: RoundId, score: SignedScore) -> TypedData:
    """The typed data that `score.signature` signs."""
    return score_data(
        chain_id,
        contract,
        round_id=round_id,
        solver=score.solver,
        digest=score.digest,
        verdict=score.verdict,
        reason=score.reason,
        gain=score.gain,
        stderr=score.stderr,
        audit=score.audit,
        among=None if score.among is None else (score.among.count, score.among.gain, score.among.stderr),
    )


def check_signatures(report: ScoreReport, chain_id: int, contract: Address, recover: Recover) -> None:
    """Every score of the report was signed by its coordinator, for this round on this chain.

    Raises:
        Rejected: reason `bad-signature`, or what `recover` raises.
    """
    for score in report.scores:
        signer = recover(score_message(chain_id, contract, report.round_id, score), score.signature)
        if signer != report.coordinator:
            raise Rejected(
                f"the score of {score.solver} was signed by {signer}, not by {report.coordinator}",
                reason="bad-signature",
            )


def encode_report(report: ScoreReport) -> bytes:
    """Canonical JSON of a report.

    A report too large for one message loses its notes, metrics first, then details: scores and signatures of
    `MAX_DELTAS` deltas always fit.

    Raises:
        Rejected: a field out of bounds.
    """
    check_report(report)
    for notes in ({}, {"metrics": ()}, {"metrics": (), "detail": ""}):
        scores = tuple(replace(score, **notes) for score in report.scores)
        data = canonical_json(REPORT.tree(replace(report, scores=scores)))
        if len(data) <= MAX_REPORT_BYTES:
            return data
    raise Rejected(f"score report has {len(data)} bytes, more than {MAX_REPORT_BYTES}", reason="too-large")


def decode_report(data: bytes) -> ScoreReport:
    """A report from untrusted bytes; signatures are checked apart (`check_signatures`).

    Raises:
        Rejected: too large, not canonical, or a field that is missing, unknown or out of bounds.
    """
    report = REPORT.decode(data)
    check_report(report)
    return report


def check_report(report: ScoreReport) -> None:
    """What no single field says: order and coherence.

    Raises:
        Rejected: solvers, metrics or heard commitments are not strictly ascending, an invalid delta has a
            gain, or its author lists a commitment of its own as heard.
    """
    keys = [score.solver.lower() for score in report.scores]
    if any(a >= b for a, b in pairwise(keys)):
        raise Rejected("score report: solvers are not strictly ascending", reason="bad-field")
    for index, score in enumerate(report.scores):
        where = f"score report: scores[{index}]"
        check_metrics(score.metrics, where)
        if score.verdict is Verdict.INVALID and (score.gain or score.stderr):
            raise Rejected(f"{where}: an invalid delta has no gain", reason="bad-field")
        if score.among is not None and score.verdict is not Verdict.ACCEPTED:
            raise Rejected(f"{where}: only an accepted delta gains among others", reason="bad-field")
    if report.opening is not None:
        order = [heard_order(item) for item in report.opening.heard]
        if any(a >= b for a, b in pairwise(order)):
            raise Rejected("score report: heard commitments are not strictly ascending", reason="bad-field")
        if any(item.coordinator == report.coordinator for item in report.opening.heard):
            raise Rejected("score report: it lists a commitment of its own as heard", reason="bad-field")


def check_metrics(metrics: Metrics, where: str) -> None:
    """Raises: Rejected for names that are not strictly ascending."""
    names = [name for name, _ in metrics]
    if names != sorted(set(names)):
        raise Rejected(f"{where}: metric names are not strictly ascending", reason="bad-field")


def metrics_of(values: Mapping[str, float]) -> Metrics:
    """Measured numbers as notes: millionths, by name; what is not finite or too large is left out."""
    notes = []
    for name in sorted(values):
        scaled = values[name] * MICRO
        if abs(scaled) <= SAFE_INTEGER:
            notes.append((name, round(scaled)))
    return tuple(notes[:MAX_METRICS])
