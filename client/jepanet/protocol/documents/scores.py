"""What a coordinator publishes: one signed score for every revealed delta of a round.

The EIP-712 signature (`typed_data.score_data`) covers verdict, reason and numbers. `detail` and `metrics` are
its notes for people and receipts: unsigned, and no rule reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from jepanet.errors import Rejected
from jepanet.protocol.documents.fields import SAFE_INTEGER, Fields, parse_document
from jepanet.protocol.documents.typed_data import TypedData, score_data
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

Metrics = tuple[tuple[str, int], ...]
"""(name, value in millionths), ascending by name."""
Recover = Callable[[TypedData, bytes], Address]
"""The account that signed typed data; raises Rejected for a malformed signature."""


@dataclass(frozen=True, slots=True)
class SignedScore:
    """A coordinator's word on one delta. Gain and standard error in micro-nats per direction."""

    solver: Address
    digest: Digest
    verdict: Verdict
    reason: str
    gain: int
    stderr: int
    signature: bytes
    detail: str = ""
    metrics: Metrics = ()


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """All scores of one coordinator in one round, ascending by solver."""

    round_id: RoundId
    coordinator: Address
    scores: tuple[SignedScore, ...]


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
    data = canonical_json(report_value(report))
    if len(data) > MAX_REPORT_BYTES:
        data = canonical_json(report_value(_without(report, metrics=())))
    if len(data) > MAX_REPORT_BYTES:
        data = canonical_json(report_value(_without(report, metrics=(), detail="")))
    decode_report(data)
    return data


def decode_report(data: bytes) -> ScoreReport:
    """A report from untrusted bytes; signatures are checked apart (`check_signatures`).

    Raises:
        Rejected: too large, not canonical, or a field that is missing, unknown or out of bounds.
    """
    return read_report(parse_document(data, max_bytes=MAX_REPORT_BYTES, what="score report"))


def report_value(report: ScoreReport) -> dict[str, Any]:
    """The JSON value of a report, as it stands in its own document and inside a sheet."""
    return {
        "version": VERSION,
        "round": report.round_id,
        "coordinator": report.coordinator,
        "scores": [
            {
                "solver": score.solver,
                "digest": "0x" + score.digest.hex(),
                "verdict": int(score.verdict),
                "reason": score.reason,
                "gain": score.gain,
                "stderr": score.stderr,
                "signature": "0x" + score.signature.hex(),
                "detail": score.detail,
                "metrics": metrics_value(score.metrics),
            }
            for score in report.scores
        ],
    }


def read_report(value: Any) -> ScoreReport:
    """A report from a parsed JSON value of unknown origin.

    Raises:
        Rejected: a field that is missing, unknown or out of bounds.
    """
    fields = Fields(value, "score report", ("version", "round", "coordinator", "scores"))
    fields.integer("version", VERSION, VERSION)
    scores = tuple(_score(item) for item in fields.items("scores", MAX_DELTAS))
    keys = [score.solver.lower() for score in scores]
    if any(a >= b for a, b in pairwise(keys)):
        raise Rejected("score report: solvers are not strictly ascending", reason="bad-field")
    return ScoreReport(
        RoundId(fields.integer("round", 0, SAFE_INTEGER)), fields.address("coordinator"), scores
    )


def metrics_of(values: Mapping[str, float]) -> Metrics:
    """Measured numbers as notes: millionths, by name; what is not finite or too large is left out."""
    notes = []
    for name in sorted(values):
        scaled = values[name] * MICRO
        if abs(scaled) <= SAFE_INTEGER:
            notes.append((name, round(scaled)))
    return tuple(notes[:MAX_METRICS])


def metrics_value(metrics: Metrics) -> list[list[str | int]]:
    return [[name, value] for name, value in metrics]


def read_metrics(value: Any, what: str) -> Metrics:
    """Raises: Rejected for too many, unsorted or malformed metrics."""
    if not isinstance(value, list) or len(value) > MAX_METRICS:
        raise Rejected(f"{what}: not a list of at most {MAX_METRICS} metrics", reason="bad-field")
    metrics = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2:
            raise Rejected(f"{what}: a metric is a pair of name and value", reason="bad-field")
        fields = Fields({"name": item[0], "value": item[1]}, what, ("name", "value"))
        metrics.append((fields.token("name", 32), fields.integer("value", -SAFE_INTEGER, SAFE_INTEGER)))
    names = [name for name, _ in metrics]
    if names != sorted(set(names)):
        raise Rejected(f"{what}: metric names are not strictly ascending", reason="bad-field")
    return tuple(metrics)


def _without(report: ScoreReport, **notes: Any) -> ScoreReport:
    return replace(report, scores=tuple(replace(score, **notes) for score in report.scores))


def _score(value: Any) -> SignedScore:
    what = "score"
    fields = Fields(value, what, tuple(SignedScore.__dataclass_fields__))
    score = SignedScore(
        solver=fields.address("solver"),
        digest=fields.digest("digest"),
        verdict=Verdict(fields.integer("verdict", Verdict.ACCEPTED, Verdict.INVALID)),
        reason=fields.token("reason", MAX_REASON),
        gain=fields.integer("gain", -MAX_GAIN, MAX_GAIN),
        stderr=fields.integer("stderr", 0, MAX_GAIN),
        signature=fields.hex("signature", SIGNATURE_BYTES),
        detail=fields.text("detail", MAX_DETAIL),
        metrics=read_metrics(fields.member("metrics"), what),
    )
    if score.verdict is Verdict.INVALID and (score.gain or score.stderr):
        raise Rejected("score: an invalid delta has no gain", reason="bad-field")
    return score
