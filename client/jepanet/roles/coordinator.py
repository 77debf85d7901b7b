"""Coordinator: publish signed scores, check the proposed sheet by doing it again, sign the result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from jepanet.chain.keys.wallet_files import recover_typed
from jepanet.protocol.documents.messages import Provide, SayResult, SayScores
from jepanet.protocol.documents.scores import MAX_REPORT_BYTES
from jepanet.protocol.documents.typed_data import signing_hash
from jepanet.protocol.duties import CheckSheet, OpenScores, PublishResult, PublishScores, SignSheet
from jepanet.protocol.facts import LocalFact, LocalResultSigned, LocalScoresOpened, LocalSheetChecked
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, check_sheet, decode_sheet
from jepanet.protocol.settling.tally import decide, facts_of
from jepanet.protocol.state import Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps.apart import tell_apart
from jepanet.roles.steps.audits import check_words
from jepanet.roles.steps.held_merge import hold_merge
from jepanet.roles.steps.left_out import wait_for_left_out
from jepanet.roles.steps.merging import measure_merge, nothing_merged, result_files, serve_result
from jepanet.roles.steps.obtain import obtain_document
from jepanet.roles.steps.opening_scores import open_scores, own_commitment
from jepanet.roles.steps.paid_gains import hold_paid_gains
from jepanet.roles.steps.preparation import RoundDocuments, pin_of, round_documents
from jepanet.roles.steps.scoring import Scoring, check_against_own
from jepanet.roles.steps.sheets import aside
from jepanet.roles.steps.signed_results import result_message, truly_signed
from jepanet.telemetry import get_logger
from jepanet.types import Digest, RoundId

log = get_logger("coordinator")


class Coordinator:
    """Handlers of the coordinator's duties."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {
            **Scoring(self._context).handlers(),
            OpenScores.__name__: self.open_scores,
            PublishScores.__name__: self.publish_scores,
            CheckSheet.__name__: self.check_sheet,
            SignSheet.__name__: self.sign_sheet,
            PublishResult.__name__: self.publish_result,
        }

    async def publish_scores(self, duty: PublishScores) -> Sequence[LocalFact]:
        context = self._context
        own = context.own(duty.round_id)
        if own.committed and own.opened is None:
            said = own_commitment(context, duty.round_id)
            if said is not None:
                await context.say(said)
            return []
        scores = own.opened or own.scores
        if scores is not None:
            await self._say_scores(duty.round_id, scores)
        return []

    async def open_scores(self, duty: OpenScores) -> Sequence[LocalFact]:
        """Opens once; says the scores at once, and again with each repetition of `PublishScores`."""
        context = self._context
        round_, scores = context.round(duty.round_id), context.own(duty.round_id).scores
        assert scores is not None, "nothing is opened that was not measured"
        opened = open_scores(context, round_, scores)
        log.info("scores.opened", round=round_.id, heard=len(context.off_chain(round_.id).commitments))
        await self._say_scores(round_.id, opened)
        return [LocalScoresOpened(round_.id, opened)]

    async def _say_scores(self, round_id: RoundId, scores: Digest) -> None:
        report = self._context.blobs.read(scores, max_bytes=MAX_REPORT_BYTES)
        await self._context.say(SayScores(round_id, report))

    async def check_sheet(self, duty: CheckSheet) -> Sequence[LocalFact]:
        """Refuses, with the reason in the log, what it cannot reproduce. A sheet that leaves a report out is
        measured, and taken later."""
        context = self._context
        round_ = context.round(duty.round_id)
        documents = await round_documents(context, round_)
        data = await obtain_document(context, duty.sheet, max_bytes=MAX_SHEET_BYTES, pin=pin_of(round_))
        sheet = await aside(context, lambda: decode_sheet(data), turn=round_.id)
        facts = facts_of(context.state(), round_, context.chain_id, context.rounds_address)
        signed = partial(check_sheet, sheet, facts, documents.spec, recover_typed)
        await aside(context, signed, turn=round_.id)
        decisions = decide(facts, sheet.reports)  # the merge is held against a measurement of its own
        check_against_own(context, facts, sheet.reports, decisions, documents.spec.score_tolerance)
        check_words(context, facts, documents, sheet.reports)
        hold_paid_gains(context, facts, sheet.rows, documents.spec.score_tolerance)
        tell_apart(context, facts, sheet, documents.spec)
        improvement = await self._improvement(round_, documents, sheet, duty.sheet)
        wait_for_left_out(context, round_, facts, documents, sheet, duty.sheet)
        return [LocalSheetChecked(round_.id, duty.sheet, improvement)]

    async def sign_sheet(self, duty: SignSheet) -> Sequence[LocalFact]:
        """Signs one result a round: of a sheet that was made again here, after another verifier that truly
        signed it, or when it is this node's turn. Nothing is awaited: of several that are due the first that
        can be done signs."""
        context = self._context
        round_, own = context.round(duty.round_id), context.own(duty.round_id)
        checked = next((item for item in own.checked if item.sheet == duty.sheet), None)
        if own.result is not None or checked is None:
            return []
        sheet = decode_sheet(context.blobs.read(duty.sheet, max_bytes=MAX_SHEET_BYTES))
        for item in context.off_chain(round_.id).results:
            if item.coordinator == duty.after and not truly_signed(context, sheet, item):
                log.warning("signature.refused", round=round_.id, coordinator=item.coordinator)
                return []
        improvement = checked.improvement
        typed = result_message(context, sheet, duty.sheet, improvement)
        signature = context.wallet.sign_typed(typed)
        # Two different results signed in one round would cost the stake: the journal refuses the second.
        context.journal.put_signature("result", round_.id, context.me, signing_hash(typed), signature)
        context.blobs.publish(duty.sheet)  # those who sign after this node need it
        log.info("result.signed", round=round_.id, sheet=duty.sheet, improvement=improvement)
        return [LocalResultSigned(round_.id, duty.sheet, improvement, signature)]

    async def _improvement(
        self, round_: Round, documents: RoundDocuments, sheet: ScoreSheet, digest: Digest
    ) -> int:
        """Measured once and kept before it is signed, so that a repetition signs the same number."""
        journal = self._context.journal
        name = f"improvement/{digest.hex()}"
        stored = journal.notes(round_.id).get(name)
        if stored is not None:
            return int(stored)
        improvement = await self._repeat_merge(round_, documents, sheet)
        journal.put_note(round_.id, name, str(improvement))
        return improvement

    async def _repeat_merge(self, round_: Round, documents: RoundDocuments, sheet: ScoreSheet) -> int:
        accepted, dropped = (*sheet.accepted, *sheet.dropped), sheet.dropped if sheet.published else None
        merge = (
            await measure_merge(self._context, round_, documents, accepted, dropped)
            if accepted
            else nothing_merged(round_.base, sheet.rows)
        )
        improvement = hold_merge(sheet, merge, documents.spec)
        serve_result(self._context, sheet, merge)  # a second provider
        return improvement

    async def publish_result(self, duty: PublishResult) -> Sequence[LocalFact]:
        context = self._context
        own = context.own(duty.round_id).result
        if own is not None:
            sheet = decode_sheet(context.blobs.read(own.sheet, max_bytes=MAX_SHEET_BYTES))
            for blob in (own.sheet, *result_files(context, sheet)):
                await context.say(Provide(duty.round_id, blob, context.network.addresses))
            await context.say(SayResult(duty.round_id, own.sheet, own.improvement, own.signature))
        return []
