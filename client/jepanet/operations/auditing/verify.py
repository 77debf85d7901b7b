"""`jepanet verify ROUND`: recompute a round from chain and content alone, on a machine that took no part.

chain ──▶ facts of the round            sheet ──▶ every signed score, medians, pay, root   (exact)
blobs ──▶ every delta scored again      (within the round's tolerance: floats differ across CPUs)
      ├─▶ audits repeated               (exact on the same build; who forged or skipped one is named)
      ├─▶ merge repeated                (exact: same bytes, same digest, on every CPU)
      └─▶ trainings repeated, if asked  (exact on the same build: floats differ across CPUs)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.cid import to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.learning.data.shards import MAX_SHARD_BYTES
from jepanet.learning.model_file import model_cap
from jepanet.operations.auditing.failed import AuditFailed
from jepanet.operations.auditing.reaudits import Again, Reaudits, compare_words
from jepanet.operations.auditing.remerging import repeat_merge
from jepanet.operations.auditing.retraining import repeat_training
from jepanet.operations.auditing.round_inputs import round_inputs
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.receipts.fee_receipts import NO_FEE, fee_receipts
from jepanet.operations.views.rounds import Check, Verification
from jepanet.protocol.commitment import commitment
from jepanet.protocol.models.ancestry import maker_of
from jepanet.protocol.settling.caps import check_usual
from jepanet.protocol.settling.reasons import (
    DISPUTED,
    DROPPED,
    NOT_FETCHED,
    NOT_OPENED,
    NOT_REPRODUCED,
    row_verdict,
)
from jepanet.protocol.settling.reference import check_reference
from jepanet.protocol.settling.rows import Row
from jepanet.protocol.settling.shares import agrees
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, check_sheet, decode_sheet
from jepanet.protocol.settling.tally import RoundFacts, drawn_solvers, facts_of
from jepanet.protocol.state import NodeState, Recorded, Round
from jepanet.types import Address, Digest, Verdict
from jepanet.work.requests.files import EvaluationFiles
from jepanet.work.requests.machine import ON_CPU, MeasuredOn
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDelta
from jepanet.work.worker import Worker

_TRAINING = "training of"
_DISPUTE = "if your inputs are intact, dispute the round before its challenge window ends"
_NO_FAULT = "no reason for a dispute: a round pays for gain, however a delta came to be; its result stands"


@dataclass
class Audit:
    """What was checked so far. A check that fails stays in the list with its reason."""

    round_id: int
    checks: list[Check] = field(default_factory=list)

    def note(self, what: str, agrees: bool, detail: str) -> None:
        self.checks.append(Check(what, agrees, detail))

    def report(self) -> Verification:
        return Verification(self.round_id, all(item.agrees for item in self.checks), tuple(self.checks))


async def verify_round(
    deployment: Deployment,
    history: History,
    library: Library,
    worker: Worker,
    round_id: int,
    *,
    retrain: Sequence[Address] = (),
    device: str = ON_CPU.device,
) -> Verification:
    """Recomputes scores, merge and payouts of a recorded round, and the trainings of solvers in `retrain`, on
    `device`.

    Raises:
        AuditFailed: something disagrees; the message names it.
        Fatal: no such round, or it has no recorded result (exit code `NOT_FOUND`).
    """
    state = await history.state()
    round_ = find_round(state, round_id)
    if round_.recorded is None:
        raise Fatal(
            f"round {round_id} has no recorded result (phase {round_.phase(state.now).name.lower()})",
            remedy="verify it after its result was recorded",
            code=Exit.NOT_FOUND,
        )
    audit = Audit(round_id)
    check = _Check(deployment, state, round_, round_.recorded, library, worker, device, audit)
    try:
        await check.run()
        for solver in retrain:
            await check.training(solver)
    except Rejected as error:
        audit.note(error.reason, False, error.message)
    report = audit.report()
    failed = next((item for item in report.checks if not item.agrees), None)
    if failed is not None:
        raise AuditFailed(
            report,
            f"round {round_id} does not verify: {failed.check}: {failed.detail}",
            remedy=_NO_FAULT if failed.check.startswith(_TRAINING) else _DISPUTE,
        )
    return report


class _Check:
    """One verification; every step notes what it compared."""

    def __init__(
        self,
        deployment: Deployment,
        state: NodeState,
        round_: Round,
        recorded: Recorded,
        library: Library,
        worker: Worker,
        device: str,
        audit: Audit,
    ) -> None:
        self._deployment, self._state = deployment, state
        self._round, self._recorded = round_, recorded
        self._library, self._worker, self._audit = library, worker, audit
        self._device = device
        self._audited: dict[Address, Again] = {}

    async def run(self) -> None:
        await self._documents()
        self._sheet()
        await self._scores()
        await self._merge()

    async def _documents(self) -> None:
        round_, get = self._round, self._library.get
        sheet_path = await get("score sheet", self._recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES)
        self._sheet_document: ScoreSheet = decode_sheet(sheet_path.read_bytes())
        self._inputs = inputs = await round_inputs(self._state, round_, self._library, self._worker)
        self._spec, self._recipe, self._manifest = inputs.spec, inputs.recipe, inputs.manifest
        await self._taken_over()
        self._model_cap = model_cap(inputs.recipe)
        if round_.shard is None:
            raise Rejected("the evaluation shard was never unsealed", reason="not-unsealed")
        shard = await get("evaluation shard", round_.shard, "raw", max_bytes=MAX_SHARD_BYTES)
        self._files = inputs.files
        self._evaluation = EvaluationFiles(shard, inputs.manifest_path, round_.beacon_bytes)
        self._audit.note(
            "inputs", True, "sheet, spec, recipe, manifest, base and evaluation shard match their CIDs"
        )

    async def _taken_over(self) -> None:
        """What lengths and pay of deltas were held against, from the sheet of the round before."""
        lengths, pay = self._spec.norms.to_reference_milli > 0, self._spec.usual_follows
        if not (lengths or pay):
            return
        try:
            made_by = maker_of(self._state, self._round.project_id, self._round.base)
        except Rejected as error:
            for name in ("reference norm",) * lengths + ("usual worth",) * pay:
                self._audit.note(name, True, f"not checked: {error.message}")
            return
        reference = usual = count = 0
        if made_by is not None:
            digest = made_by.recorded.sheet
            path = await self._library.get("sheet before", digest, "dag-json", max_bytes=MAX_SHEET_BYTES)
            sheet = decode_sheet(path.read_bytes())
            reference, usual, count = sheet.reference, sheet.usual, sheet.usual_count
        check_reference(self._spec, reference)
        # Rounds of earlier versions did not say it, and were not entered by it.
        check_usual(self._spec, usual, count if self._spec.usual_count else 0)
        none = "no round has given one yet"
        if lengths:
            told = f"{reference / 1e9:.4f} of the base's" if reference else none
            self._audit.note("reference norm", True, told)
        if pay:
            told = f"{usual:,} micro-nats as one of {count}" if usual else none
            self._audit.note("usual worth", True, told)

    @property
    def _facts(self) -> RoundFacts:
        deployment = self._deployment
        return facts_of(self._state, self._round, deployment.chain_id, deployment.rounds)

    def _sheet(self) -> None:
        """Signatures, medians, pay and root follow from the sheet's reports; the chain recorded the same."""
        sheet, recorded = self._sheet_document, self._recorded
        check_sheet(sheet, self._facts, self._spec, recover_typed)
        self._audit.note(
            "sheet", True, f"{len(sheet.reports)} signed reports give its verdicts, medians and pay"
        )
        self._fees()
        for what, claimed, known in (
            ("root", sheet.root, recorded.root),
            ("model", sheet.model, recorded.model),
            ("payout", sheet.payout, recorded.payout),
        ):
            shown = claimed.hex() if isinstance(claimed, bytes) else str(claimed)
            self._audit.note(f"chain {what}", claimed == known, f"sheet {shown}")
        deployment = self._deployment
        salts = {item.solver: item for item in self._round.reveals}
        for commit in self._round.commits:
            reveal = salts.get(commit.solver)
            if reveal is None:
                continue
            word = commitment(
                deployment.chain_id,
                deployment.rounds,
                self._round.id,
                commit.solver,
                reveal.digest,
                reveal.salt,
            )
            self._audit.note(
                f"commitment of {commit.solver}", word == commit.commitment, to_cid(reveal.digest)
            )

    def _fees(self) -> None:
        """Names who earned none, and why: a minority that says less than the others as one that says more."""
        sheet = self._sheet_document
        drawn = drawn_solvers(self._facts, self._spec)
        fee, members = self._round.params.fee, self._facts.members
        for item in fee_receipts(sheet, self._spec, fee, members, drawn):
            if item.how.startswith(NO_FEE):
                self._audit.note(f"fee of {item.coordinator}", True, item.how)

    async def _scores(self) -> None:
        """Every delta measured again, within the round's tolerance of the recorded medians; drawn trainings
        audited again, and every coordinator's word on them compared."""
        facts = self._facts
        paths = {item.solver: await self._delta(item.solver, item.digest) for item in facts.reveals}
        reaudits = Reaudits(
            self._deployment, self._state, self._round, self._inputs, self._library, self._worker
        )
        self._audited = await reaudits.repeat(facts, paths)
        drawn = drawn_solvers(facts, self._spec)
        compare_words(facts, drawn, self._audited, self._sheet_document.reports, self._audit.note)
        claims = [
            ClaimedDelta(item.solver, item.index, item.digest, self._measurable(item.solver, paths))
            for item in facts.reveals
        ]
        measured = await self._worker.run(
            ScoreClaims(self._files, self._evaluation, tuple(claims), self._device)
        )
        if self._device != ON_CPU.device:
            self._audit.note("device", True, _where(measured.where))
        own = {item.solver: item for item in measured.judgements}
        if measured.otherwise and not all(self._agrees(row, own) for row in self._sheet_document.rows):
            own = {item.solver: item for item in measured.otherwise}
        for row in self._sheet_document.rows:
            mine, agrees = own[row.solver], self._agrees(row, own)
            verdict = f"{row.verdict.name.lower()} ({row.reason})"
            detail = f"{verdict}, gain {row.gain} micro-nats, measured {mine.gain}"
            self._audit.note(f"score of {row.solver}", agrees, detail)

    def _agrees(self, row: Row, own: Mapping[Address, ScoredDelta]) -> bool:
        mine = own[row.solver]
        audit = self._audited.get(row.solver)
        wrong = audit is not None and audit.finding is not None and audit.finding.reason is not None
        if wrong or row.reason == NOT_REPRODUCED:
            # Without an audit of its own this machine can say nothing against a finding.
            return (row.verdict is Verdict.INVALID) if wrong else audit is None or audit.finding is None
        if row.reason == NOT_OPENED and row.verdict is Verdict.INVALID:
            return row.solver in drawn_solvers(
                self._facts, self._spec
            )  # what is served now need not have been
        close = abs(mine.gain - row.gain) <= self._spec.score_tolerance
        if close and row.among is not None:
            close = agrees(mine, row.among, self._facts.revealed, self._spec.score_tolerance)
        # What nobody serves any more cannot be measured; nothing that was merged or paid may be such.
        absent = mine.reason in NOT_FETCHED and row.verdict is not Verdict.ACCEPTED
        found = row_verdict(mine.verdict, mine.reason)
        scored = Verdict.ACCEPTED if row.reason == DROPPED else row.verdict  # what the merge says comes later
        return absent or row.reason == DISPUTED or (found is scored and close)

    def _measurable(self, solver: Address, paths: Mapping[Address, Path | None]) -> Path | None:
        """Of a training that was not reproduced nothing is measured, here as in the round."""
        audit = self._audited.get(solver)
        wrong = audit is not None and audit.finding is not None and audit.finding.reason is not None
        return None if wrong else paths[solver]

    async def training(self, solver: Address) -> None:
        """One training repeated, last of all: it says something of the solver, nothing of the result."""
        what = f"{_TRAINING} {solver}"
        try:
            agrees, detail = await repeat_training(
                solver, state=self._state, round_=self._round, deployment=self._deployment,
                spec=self._spec, recipe=self._recipe, manifest=self._manifest, documents=self._files,
                library=self._library, worker=self._worker, device=self._device,
            )  # fmt: skip
        except Rejected as error:
            agrees, detail = False, error.message
        self._audit.note(what, agrees, detail)

    async def _delta(self, solver: Address, digest: Digest) -> Path | None:
        """A revealed delta; None if it is not to be had and the sheet does not build on it."""
        row = next(item for item in self._sheet_document.rows if item.solver == solver)
        try:
            cap = self._spec.max_delta_bytes
            return await self._library.get(f"delta of {solver}", digest, "raw", max_bytes=cap)
        except Transient:
            if row.verdict is Verdict.ACCEPTED:
                raise
            return None

    async def _merge(self) -> None:
        """The merge repeated: the same bytes on every CPU."""
        agrees, detail = await repeat_merge(
            self._sheet_document, spec=self._spec, model_cap=self._model_cap, documents=self._files,
            evaluation=self._evaluation, library=self._library, worker=self._worker, device=self._device,
        )  # fmt: skip
        self._audit.note("merge", agrees, detail)


def _where(measured: MeasuredOn) -> str:
    if measured.refused is None:
        return f"scores were measured on {measured.device}, {measured.apart:.1g} from the CPU"
    return (
        f"scores were measured on the {measured.device}: {measured.refused} lies {measured.apart:.1g} from it"
    )
