"""The score sheet: one document from which anyone can recompute what a round paid and why.

It holds every signed score, the decisions derived from them, what each account gets, and the root that the
verifiers sign. Everything in it except `improvement`, `model`, `note` and `metrics` follows from the reports
by `tally`; those four come from repeating the merge and the measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from jepanet.errors import Rejected
from jepanet.protocol.commitment import Leaf, merkle_proof, merkle_root, result_leaf
from jepanet.protocol.documents.fields import SAFE_INTEGER, Fields, parse_document
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    MAX_DETAIL,
    MAX_GAIN,
    MAX_REASON,
    Metrics,
    Recover,
    ScoreReport,
    check_signatures,
    metrics_value,
    read_metrics,
    read_report,
    report_value,
)
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.settling.rewards import UINT128_MAX
from jepanet.protocol.settling.tally import Fee, RoundFacts, Row, decide, leaves_of, pay
from jepanet.tensors import canonical_json
from jepanet.types import Address, Digest, ProjectId, RoundId, Verdict

VERSION = 1
MAX_SHEET_BYTES = 32 << 20
MAX_REPORTS = 32


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """The outcome of one round. `improvement`: the author's measurement of the merged model, micro-nats."""

    chain_id: int
    contract: Address
    round_id: RoundId
    project_id: ProjectId
    spec: Digest
    base: Digest
    shard: Digest
    model: Digest
    """The new global model; the base when the merge did not improve on it."""
    improvement: int
    note: str
    """Why the merge was withheld, empty when it was published."""
    metrics: Metrics
    reports: tuple[ScoreReport, ...]
    rows: tuple[Row, ...]
    fees: tuple[Fee, ...]
    root: bytes
    payout: int

    @property
    def published(self) -> bool:
        return self.model != self.base

    @property
    def accepted(self) -> tuple[Digest, ...]:
        """Digests of the merged deltas, in the order in which they are added."""
        return tuple(sorted(row.digest for row in self.rows if row.verdict is Verdict.ACCEPTED))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return leaves_of(self.rows, self.fees)

    def leaf_of(self, account: Address) -> tuple[Leaf, tuple[bytes, ...]] | None:
        """An account's leaf and its Merkle proof: the arguments of `claim`. None if it has none."""
        leaves = self.leaves
        hashes = [result_leaf(self.round_id, leaf) for leaf in leaves]
        for i, leaf in enumerate(leaves):
            if leaf.account == account:
                return leaf, merkle_proof(hashes, i)
        return None


def derive_sheet(
    facts: RoundFacts,
    spec: RoundSpec,
    reports: Sequence[ScoreReport],
    *,
    model: Digest,
    improvement: int,
    note: str = "",
    metrics: Metrics = (),
) -> ScoreSheet:
    """The sheet that follows from the reports and from one measurement of the merge.

    `model` is the merged model's digest, or the base's when the merge is withheld; then `improvement` must
    not be positive (a merge withheld by a state guard is recorded as min(0, measured)).

    Raises:
        Rejected: reason `bad-reports` (see `tally.decide`) or `bad-merge`: model, improvement and accepted
            deltas contradict each other.
    """
    ordered = tuple(sorted(reports, key=lambda report: report.coordinator.lower()))
    decisions = decide(facts, ordered)
    published = model != facts.base
    if published != (improvement > 0):
        raise Rejected(
            f"improvement {improvement} with {'a new' if published else 'the old'} model", reason="bad-merge"
        )
    if published and not any(item.verdict is Verdict.ACCEPTED for item in decisions):
        raise Rejected("a new model without an accepted delta", reason="bad-merge")
    rows, fees = pay(facts, spec, ordered, decisions, published=published)
    leaves = leaves_of(rows, fees)
    return ScoreSheet(
        chain_id=facts.chain_id,
        contract=facts.contract,
        round_id=facts.round_id,
        project_id=facts.project_id,
        spec=facts.spec,
        base=facts.base,
        shard=facts.shard,
        model=model,
        improvement=improvement,
        note=note,
        metrics=metrics,
        reports=ordered,
        rows=rows,
        fees=fees,
        root=merkle_root([result_leaf(facts.round_id, leaf) for leaf in leaves]),
        payout=sum(leaf.amount for leaf in leaves),
    )


def check_sheet(sheet: ScoreSheet, facts: RoundFacts, spec: RoundSpec, recover: Recover) -> None:
    """Recomputes everything in a sheet that follows from its reports. The merge itself is checked elsewhere.

    Raises:
        Rejected: reasons `bad-signature`, `bad-reports`, `bad-merge`, or `sheet-mismatch` naming a field.
    """
    again = derive_sheet(
        facts,
        spec,
        sheet.reports,
        model=sheet.model,
        improvement=sheet.improvement,
        note=sheet.note,
        metrics=sheet.metrics,
    )
    for item in fields(ScoreSheet):
        if getattr(sheet, item.name) != getattr(again, item.name):
            raise Rejected(
                f"round {facts.round_id}: {item.name} does not follow from scores and chain",
                reason="sheet-mismatch",
            )
    for report in sheet.reports:
        check_signatures(report, facts.chain_id, facts.contract, recover)


def encode_sheet(sheet: ScoreSheet) -> bytes:
    """Canonical JSON of a sheet.

    Raises:
        Rejected: a field out of bounds.
    """
    document = {
        "version": VERSION,
        "chain_id": str(sheet.chain_id),
        "contract": sheet.contract,
        "round_id": sheet.round_id,
        "project_id": sheet.project_id,
        "spec": "0x" + sheet.spec.hex(),
        "base": "0x" + sheet.base.hex(),
        "shard": "0x" + sheet.shard.hex(),
        "model": "0x" + sheet.model.hex(),
        "improvement": sheet.improvement,
        "note": sheet.note,
        "metrics": metrics_value(sheet.metrics),
        "reports": [report_value(report) for report in sheet.reports],
        "rows": [
            {
                "solver": row.solver,
                "digest": "0x" + row.digest.hex(),
                "verdict": int(row.verdict),
                "reason": row.reason,
                "gain": row.gain,
                "stderr": row.stderr,
                "amount": str(row.amount),
            }
            for row in sheet.rows
        ],
        "fees": [{"coordinator": fee.coordinator, "amount": str(fee.amount)} for fee in sheet.fees],
        "root": "0x" + sheet.root.hex(),
        "payout": str(sheet.payout),
    }
    data = canonical_json(document)
    decode_sheet(data)
    return data


def decode_sheet(data: bytes) -> ScoreSheet:
    """A sheet from untrusted bytes: well-formed and within bounds, not yet believed (see `check_sheet`).

    Raises:
        Rejected: too large, not canonical, or a field that is missing, unknown or out of bounds.
    """
    what = "score sheet"
    read = Fields(parse_document(data, max_bytes=MAX_SHEET_BYTES, what=what), what, _NAMES)
    read.integer("version", VERSION, VERSION)
    return ScoreSheet(
        chain_id=read.big("chain_id", (1 << 256) - 1),
        contract=read.address("contract"),
        round_id=RoundId(read.integer("round_id", 0, SAFE_INTEGER)),
        project_id=ProjectId(read.integer("project_id", 0, SAFE_INTEGER)),
        spec=read.digest("spec"),
        base=read.digest("base"),
        shard=read.digest("shard"),
        model=read.digest("model"),
        improvement=read.integer("improvement", -MAX_GAIN, MAX_GAIN),
        note=read.text("note", MAX_DETAIL),
        metrics=read_metrics(read.member("metrics"), what),
        reports=tuple(read_report(item) for item in read.items("reports", MAX_REPORTS)),
        rows=tuple(_row(item) for item in read.items("rows", MAX_DELTAS)),
        fees=tuple(_fee(item) for item in read.items("fees", MAX_REPORTS)),
        root=read.hex("root", 32),
        payout=read.big("payout", UINT128_MAX),
    )


def _row(value: Any) -> Row:
    read = Fields(value, "score sheet row", tuple(Row.__dataclass_fields__))
    return Row(
        solver=read.address("solver"),
        digest=read.digest("digest"),
        verdict=Verdict(read.integer("verdict", Verdict.ACCEPTED, Verdict.INVALID)),
        reason=read.token("reason", MAX_REASON),
        gain=read.integer("gain", -MAX_GAIN, MAX_GAIN),
        stderr=read.integer("stderr", 0, MAX_GAIN),
        amount=read.big("amount", UINT128_MAX),
    )


def _fee(value: Any) -> Fee:
    read = Fields(value, "score sheet fee", tuple(Fee.__dataclass_fields__))
    return Fee(read.address("coordinator"), read.big("amount", UINT128_MAX))


_NAMES = ("version", *ScoreSheet.__dataclass_fields__)
