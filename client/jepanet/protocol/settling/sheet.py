"""The score sheet: one document from which anyone can recompute what a round paid and why.

It holds every signed score, the decisions derived from them, what each account gets, and the root that the
verifiers sign. Everything in it except `improvement`, `model`, `update`, `reference`, `note`, `metrics` and
what is `dropped` follows from the reports by `tally`; those seven come from repeating the merge and
the measurement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar

from jepanet.errors import Rejected
from jepanet.protocol.commitment import Leaf, merkle_proof, merkle_root, result_leaf
from jepanet.protocol.documents.score_commitments import check_opening
from jepanet.protocol.documents.scores import (
    MAX_DELTAS,
    MAX_DETAIL,
    Among,
    Gain,
    Metrics,
    Recover,
    ScoreReport,
    check_metrics,
    check_report,
    check_signatures,
)
from jepanet.protocol.documents.spec import MAX_REFERENCE, MAX_WORTH, RoundSpec
from jepanet.protocol.settling.audit_reports import check_audits
from jepanet.protocol.settling.caps import usual_of
from jepanet.protocol.settling.differing_rows import differing_fees, differing_rows
from jepanet.protocol.settling.dropping import without
from jepanet.protocol.settling.reference import next_reference
from jepanet.protocol.settling.rows import Amount, Fee, Row, leaves_of, pay
from jepanet.protocol.settling.shares import as_paid
from jepanet.protocol.settling.tally import RoundFacts, decide, drawn_solvers
from jepanet.records.codec import Codec
from jepanet.records.marks import PRINTABLE, SAFE_INTEGER, DecimalText, LeftOut, Range, Size
from jepanet.types import Address, Digest, ProjectId, RoundId, Verdict

VERSION = 1
MAX_SHEET_BYTES = 32 << 20
MAX_REPORTS = 32
IMPROVEMENT_ERROR = "stderr.improvement"
"""Among the notes of a sheet: the standard error of the improvement, as its author measured it."""


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """The outcome of one round."""

    HEAD: ClassVar = {"version": VERSION}

    chain_id: Annotated[int, DecimalText((1 << 256) - 1)]
    contract: Address
    round_id: Annotated[RoundId, Range(0, SAFE_INTEGER)]
    project_id: Annotated[ProjectId, Range(0, SAFE_INTEGER)]
    spec: Digest
    base: Digest
    shard: Digest
    model: Annotated[Digest, "the new global model; the base when the merge did not improve on it"]
    improvement: Annotated[Gain, "the author's measurement of the merged model, micro-nats"]
    note: Annotated[
        str, Size(0, MAX_DETAIL), PRINTABLE, "why the merge was withheld, empty when it was published"
    ]
    metrics: Metrics
    reports: Annotated[tuple[ScoreReport, ...], Size(0, MAX_REPORTS)]
    rows: Annotated[tuple[Row, ...], Size(0, MAX_DELTAS)]
    fees: Annotated[tuple[Fee, ...], Size(0, MAX_REPORTS)]
    root: Annotated[bytes, Size(32, 32)]
    payout: Amount
    update: Annotated[
        Digest | None, LeftOut(), "the coded update from base to model, where the spec has an update rule"
    ] = None
    reference: Annotated[
        int,
        Range(0, MAX_REFERENCE),
        LeftOut(),
        "norm against which the next round holds its deltas (`settling.reference`), in billionths of the "
        "base's, where the spec has such a rule and the merge is published",
    ] = 0
    usual: Annotated[
        int,
        Range(0, MAX_WORTH),
        LeftOut(),
        "what a delta of the round was usually worth, in micro-nats (`settling.caps`), where that is to "
        "follow from round to round and the merge is published",
    ] = 0
    dropped: Annotated[
        tuple[Digest, ...],
        Size(0, MAX_DELTAS),
        LeftOut(),
        "accepted deltas that were left out of the merge, since it is worse with them, in the order in which "
        "they were dropped: who signs repeats that way, not one of their own",
    ] = ()

    @property
    def published(self) -> bool:
        return self.model != self.base

    @property
    def accepted(self) -> tuple[Digest, ...]:
        """Digests of the merged deltas, in the order in which they are added."""
        return tuple(sorted(row.digest for row in self.rows if row.verdict is Verdict.ACCEPTED))

    @property
    def among(self) -> dict[Address, Among]:
        """What deltas are paid for by solver, where the rules pay as merged."""
        return {row.solver: row.among for row in self.rows if row.among is not None}

    @property
    def usual_count(self) -> int:
        """As one of how many deltas one was usually worth `usual`; 0 where nothing is said."""
        among = next((row.among.count for row in self.rows if row.among is not None), None)
        return (among or len({row.digest for row in self.rows})) if self.usual else 0

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return leaves_of(self.rows, self.fees)

    def leaf_of(self, account: Address) -> tuple[Leaf, tuple[bytes, ...]] | None:
        """An account's leaf and its Merkle proof: the arguments of `claim`. None if it has none."""
        return self.proven({account}).get(account)

    def proven(self, accounts: Collection[Address]) -> dict[Address, tuple[Leaf, tuple[bytes, ...]]]:
        """The same of several accounts, without those that have none: all leaves are hashed once."""
        leaves = self.leaves
        hashes = [result_leaf(self.round_id, leaf) for leaf in leaves]
        found: dict[Address, tuple[Leaf, tuple[bytes, ...]]] = {}
        for i, leaf in enumerate(leaves):
            if leaf.account in accounts and leaf.account not in found:
                found[leaf.account] = leaf, merkle_proof(hashes, i)
        return found


SHEET = Codec(ScoreSheet, "score sheet", max_bytes=MAX_SHEET_BYTES)


def derive_sheet(
    facts: RoundFacts,
    spec: RoundSpec,
    reports: Sequence[ScoreReport],
    *,
    model: Digest,
    improvement: int,
    note: str = "",
    metrics: Metrics = (),
    update: Digest | None = None,
    dropped: Sequence[Digest] = (),
    norms: Mapping[Digest, int] | None = None,
    reference: int = 0,
) -> ScoreSheet:
    """The sheet that follows from the reports and from one measurement of the merge.

    `model` is the merged model's digest, or the base's when the merge is withheld; then `improvement` must
    not be positive (a merge withheld by a state guard is recorded as min(0, measured)), and `note` says why.
    `update` is that of the coded update's file, exactly where the spec has an update rule and the merge is
    published. `dropped` are accepted deltas that are not in it, in the order in which they left, where the
    spec drops any and the merge is published. `norms` are those of the merged deltas, from which the
    `reference` follows; without them it is taken as it is.

    Raises:
        Rejected: reason `bad-reports` (see `tally.decide`) or `bad-merge`: model, improvement and accepted
            deltas contradict each other, or the note of why it was withheld stands on a published one.
    """
    ordered = tuple(sorted(reports, key=lambda report: report.coordinator.lower()))
    decisions = without(decide(facts, ordered), dropped)
    check_audits(facts.round_id, drawn_solvers(facts, spec), ordered)
    published = model != facts.base
    if published != (improvement > 0):
        raise Rejected(
            f"improvement {improvement} with {'a new' if published else 'the old'} model", reason="bad-merge"
        )
    if published and not any(item.verdict is Verdict.ACCEPTED for item in decisions):
        raise Rejected("a new model without an accepted delta", reason="bad-merge")
    if (update is not None) != (published and spec.update is not None):
        raise Rejected(
            f"{'an' if update else 'no'} update with {'a new' if published else 'the old'} model, "
            f"{'with' if spec.update else 'without'} an update rule",
            reason="bad-merge",
        )
    if published and note:
        raise Rejected(f"a published merge is withheld for {note!r}", reason="bad-merge")
    if dropped and not (published and spec.merge.drop_sigmas_milli):
        raise Rejected("deltas are dropped from a merge that drops none", reason="bad-merge")
    rows, fees = pay(facts, spec, ordered, decisions, published=published)
    leaves = leaves_of(rows, fees)
    if norms is not None:
        reference = next_reference(rows, norms, spec.norms) if published else 0
    if reference and not (published and spec.norms.to_reference_milli):
        raise Rejected("a reference norm where there is none", reason="bad-merge")
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
        update=update,
        reference=reference,
        usual=_usual(spec, rows) if published else 0,
        dropped=tuple(dropped),
    )


def _usual(spec: RoundSpec, rows: Sequence[Row]) -> int:
    return usual_of(spec, [as_paid(row, row.among) for row in rows]) if spec.usual_follows else 0


def check_sheet(sheet: ScoreSheet, facts: RoundFacts, spec: RoundSpec, recover: Recover) -> None:
    """Recomputes everything in a sheet that follows from its reports. The merge itself is checked elsewhere.

    Raises:
        Rejected: reasons `bad-signature`, `bad-reports`, `bad-merge`, or `sheet-mismatch`, which names whose
            row or fee differs and what is due in its place, or another field.
    """
    again = derive_sheet(
        facts,
        spec,
        sheet.reports,
        model=sheet.model,
        improvement=sheet.improvement,
        note=sheet.note,
        metrics=sheet.metrics,
        update=sheet.update,
        dropped=sheet.dropped,
        reference=sheet.reference,
    )
    wrong = (differing_rows(sheet.rows, again.rows), differing_fees(sheet.fees, again.fees))
    if any(wrong):
        named = "; ".join(filter(None, wrong))
        raise Rejected(
            f"round {facts.round_id} as scores and chain give it: {named}", reason="sheet-mismatch"
        )
    for item in fields(ScoreSheet):
        if getattr(sheet, item.name) != getattr(again, item.name):
            raise Rejected(
                f"round {facts.round_id}: {item.name} does not follow from scores and chain",
                reason="sheet-mismatch",
            )
    for report in sheet.reports:
        check_signatures(report, facts.chain_id, facts.contract, recover)
        check_opening(report, facts.chain_id, facts.contract, recover)


def encode_sheet(sheet: ScoreSheet) -> bytes:
    """Canonical JSON of a sheet.

    Raises:
        Rejected: a field out of bounds.
    """
    _check(sheet)
    return SHEET.encode(sheet)


def decode_sheet(data: bytes) -> ScoreSheet:
    """A sheet from untrusted bytes: well-formed and within bounds, not yet believed (see `check_sheet`).

    Raises:
        Rejected: too large, not canonical, or a field that is missing, unknown or out of bounds.
    """
    sheet = SHEET.decode(data)
    _check(sheet)
    return sheet


def _check(sheet: ScoreSheet) -> None:
    check_metrics(sheet.metrics, "score sheet")
    for report in sheet.reports:
        check_report(report)
