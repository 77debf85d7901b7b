"""Aggregator: repeats the measurement, merges, publishes the sheet and the model, submits `recordTraining`.

A courier: it holds no power. What it proposes is signed only by verifiers that get the same by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from jepanet.chain.contracts.all import Attestation
from jepanet.errors import Rejected, Transient
from jepanet.protocol.documents.messages import Provide, SaySheet
from jepanet.protocol.documents.scores import MAX_REPORT_BYTES, ScoreReport, decode_report
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.duties import BuildSheet, PublishSheet, SendRecord
from jepanet.protocol.facts import LocalFact, LocalSheetBuilt
from jepanet.protocol.settling.sheet import (
    MAX_SHEET_BYTES,
    ScoreSheet,
    decode_sheet,
    derive_sheet,
    encode_sheet,
)
from jepanet.protocol.settling.tally import Decision, RoundFacts, decide, facts_of
from jepanet.protocol.state import Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps.audits import believed
from jepanet.roles.steps.merging import measure_merge, nothing_merged, result_files, serve_result
from jepanet.roles.steps.paid_gains import hold_paid_gains
from jepanet.roles.steps.preparation import pin_of, round_documents
from jepanet.roles.steps.scoring import Scoring, check_against_own
from jepanet.roles.steps.signed_results import NO_EXTENSION, truly_signed
from jepanet.roles.steps.submit import endpoint_lags, submit
from jepanet.telemetry import get_logger
from jepanet.types import Digest, Phase, Verdict

log = get_logger("aggregator")


class Aggregator:
    """Handlers of the aggregator's duties."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {
            **Scoring(self._context).handlers(),
            BuildSheet.__name__: self.build_sheet,
            PublishSheet.__name__: self.publish_sheet,
            SendRecord.__name__: self.send_record,
        }

    async def build_sheet(self, duty: BuildSheet) -> Sequence[LocalFact]:
        context = self._context
        round_ = context.round(duty.round_id)
        documents = await round_documents(context, round_)
        facts = facts_of(context.state(), round_, context.chain_id, context.rounds_address)
        heard = self._reports(round_)
        reports = believed(context, facts, documents, heard)
        waiting = len(facts.members) - len(heard)
        if len(reports) < facts.threshold and waiting:
            raise Transient(
                f"{len(reports)} reports are believed, {facts.threshold} are needed; {waiting} are out"
            )
        decisions = decide(facts, reports)
        self._compare(facts, documents.spec, reports, decisions, waiting)
        accepted = [item.digest for item in decisions if item.verdict is Verdict.ACCEPTED]
        if accepted:
            merge = await measure_merge(context, round_, documents, accepted)
        else:
            merge = nothing_merged(round_.base, decisions)
        sheet = derive_sheet(
            facts,
            documents.spec,
            reports,
            model=merge.model if merge.published else round_.base,
            improvement=merge.improvement if merge.published else min(0, merge.improvement),
            note="" if merge.published else merge.note,
            metrics=merge.metrics,
            update=merge.update if merge.published else None,
            dropped=merge.dropped,
            norms=dict(merge.norms),
        )
        self._compare_paid(facts, documents.spec, sheet, waiting)
        digest = context.blobs.put_bytes(encode_sheet(sheet), pin=pin_of(round_))
        for blob in (digest, sheet.model):
            context.blobs.publish(blob)
        serve_result(context, sheet, merge)
        log.info("sheet.built", round=round_.id, sheet=digest, accepted=len(accepted),
                 dropped=len(merge.dropped), payout=sheet.payout, published=sheet.published,
                 improvement=sheet.improvement, note=sheet.note)  # fmt: skip
        return [LocalSheetBuilt(round_.id, digest)]

    def _reports(self, round_: Round) -> list[ScoreReport]:
        blobs = self._context.blobs
        digests = [item.scores for item in self._context.off_chain(round_.id).scores]
        return [decode_report(blobs.read(digest, max_bytes=MAX_REPORT_BYTES)) for digest in digests]

    def _compare_paid(self, facts: RoundFacts, spec: RoundSpec, sheet: ScoreSheet, waiting: int) -> None:
        """Holds what deltas are paid for against this node's own measurement before anybody is asked."""
        try:
            hold_paid_gains(self._context, facts, sheet.rows, spec.score_tolerance)
        except Rejected as error:
            if not waiting:
                raise
            raise Transient(f"{error.message}; {waiting} reports are out") from error

    def _compare(
        self,
        facts: RoundFacts,
        spec: RoundSpec,
        reports: Sequence[ScoreReport],
        decisions: Sequence[Decision],
        waiting: int,
    ) -> None:
        """Holds the coordinators' medians against this node's own measurement before building on them."""
        try:
            check_against_own(self._context, facts, reports, decisions, spec.score_tolerance)
        except Rejected as error:
            if not waiting:
                raise
            # One liar among few sways their median: the reports still to come outvote it.
            raise Transient(f"{error.message}; {waiting} reports are out") from error

    async def publish_sheet(self, duty: PublishSheet) -> Sequence[LocalFact]:
        context = self._context
        sheet = context.own(duty.round_id).sheet
        if sheet is not None:
            built = decode_sheet(context.blobs.read(sheet, max_bytes=MAX_SHEET_BYTES))
            for blob in (sheet, *result_files(context, built)):
                await context.say(Provide(duty.round_id, blob, context.network.addresses))
            await context.say(SaySheet(duty.round_id, sheet))
        return []

    async def send_record(self, duty: SendRecord) -> Sequence[LocalFact]:
        """Checks the collected signatures and submits them, sorted by measured improvement."""
        context = self._context
        round_ = context.round(duty.round_id)
        contracts = context.contracts
        phase = await contracts.lens.phase(round_.id, "latest")
        if phase < Phase.VERIFY:
            raise endpoint_lags(f"record/{round_.id}")
        if phase is not Phase.VERIFY:
            return []
        sheet = decode_sheet(context.blobs.read(duty.sheet, max_bytes=MAX_SHEET_BYTES))
        attestations = await self._attestations(round_, duty.sheet)
        needed = context.state().threshold(round_)
        if len(attestations) < needed:
            raise Transient(
                f"round {round_.id} has {len(attestations)} valid signatures, {needed} are needed"
            )
        call = contracts.rounds.record_training(
            round_.id, sheet.root, sheet.model, duty.sheet, sheet.payout, NO_EXTENSION, attestations
        )
        await submit(context, f"record/{round_.id}", call)
        return []

    async def _attestations(self, round_: Round, digest: Digest) -> list[Attestation]:
        """The signatures over this sheet that the contract will count.

        It refuses a whole record that carries one of a verifier that was slashed, or that lacks stake now.
        """
        context = self._context
        minimum = (await context.contracts.rounds.configuration("latest")).minimum_verifier_stake
        sheet = decode_sheet(context.blobs.read(digest, max_bytes=MAX_SHEET_BYTES))
        valid = []
        for item in context.off_chain(round_.id).results:
            # The contract refuses a whole record that carries a slashed signer, and one whose median
            # improvement contradicts its model: no signer of this sheet can honestly have measured that.
            contradicts = (item.improvement > 0) != sheet.published
            if item.sheet != digest or item.coordinator in round_.slashed or contradicts:
                continue
            if not truly_signed(context, sheet, item):
                log.warning("signature.refused", round=round_.id, coordinator=item.coordinator)
                continue
            stake = await context.contracts.lens.account(item.coordinator, "latest")
            if stake.free + stake.unbonding >= minimum:
                valid.append(Attestation(item.improvement, item.signature))
            else:
                log.warning("signature.unstaked", round=round_.id, coordinator=item.coordinator)
        return valid
