"""ScoreDeltas: fetch, check and measure every revealed delta; coordinators sign what they measured."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jepanet.errors import Rejected, Transient
from jepanet.protocol.documents.scores import (
    SIGNATURE_BYTES,
    ScoreReport,
    SignedScore,
    encode_report,
    score_message,
)
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.documents.typed_data import signing_hash
from jepanet.protocol.duties import ScoreDeltas
from jepanet.protocol.facts import LocalFact, LocalScored
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.protocol.settling.reasons import (
    DUPLICATE,
    NOT_AUDITED,
    NOT_OPENED,
    known_alike,
    row_verdict,
    unseen,
)
from jepanet.protocol.settling.standing import not_fetched, worth
from jepanet.protocol.settling.tally import Decision, RevealedDelta, RoundFacts, drawn_solvers, facts_of
from jepanet.protocol.state import Round
from jepanet.records.codec import JOURNAL, Codec
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps.audits import Audited, Audits, CannotAudit, as_found, noted
from jepanet.roles.steps.deadly_deltas import Measuring
from jepanet.roles.steps.missing import Missing
from jepanet.roles.steps.obtain import obtain, stored
from jepanet.roles.steps.opening_scores import commit_to
from jepanet.roles.steps.preparation import check_memory, pin_of, round_documents, round_files
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json
from jepanet.types import Address, Digest, RoundId, Verdict
from jepanet.work.drawn_training import LACKS_HERE
from jepanet.work.requests.files import EvaluationFiles
from jepanet.work.requests.machine import MeasuredOn
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDelta, ScoredDeltas

log = get_logger("scoring")

SCORES_NOTE = "scores"
MEASURED_NOTE = "measured"
MEASURED = Codec(ScoredDeltas, "own scores", max_bytes=64 << 20, spelling=JOURNAL)


class Scoring:
    """Handler of `ScoreDeltas`, for coordinators and aggregators."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._missing, self._measuring = Missing(context), Measuring(context)
        self._deaths = Counter[Digest]()

    def handlers(self) -> Handlers:
        return {ScoreDeltas.__name__: self.score_deltas}

    async def score_deltas(self, duty: ScoreDeltas) -> Sequence[LocalFact]:
        """Scores once; after a crash the stored scores are taken, since a signed score must never change."""
        context = self._context
        round_ = context.round(duty.round_id)
        stored = context.journal.notes(round_.id).get(SCORES_NOTE)
        committed = (await round_documents(context, round_)).spec.committed_scores
        if stored is not None:
            return [LocalScored(round_.id, Digest(bytes.fromhex(json.loads(stored)["digest"])), committed)]
        measured, audited = await self._measure(round_)
        note = MEASURED.encode(measured)
        context.journal.put_note(round_.id, MEASURED_NOTE, note.decode())
        if context.me in context.state().members(round_):
            report = self._signed(round_.id, measured.judgements, audited)
            digest = context.blobs.put_bytes(encode_report(report), pin=pin_of(round_))
            if committed:
                commit_to(context, report)
        else:
            digest = context.blobs.put_bytes(note, pin=pin_of(round_))
        context.journal.put_note(round_.id, SCORES_NOTE, canonical_json({"digest": digest.hex()}).decode())
        for item in measured.judgements:
            log.info("delta.scored", round=round_.id, solver=item.solver, verdict=int(item.verdict),
                     reason=item.reason, gain=item.gain, stderr=item.stderr)  # fmt: skip
        return [LocalScored(round_.id, digest, committed)]

    async def _measure(self, round_: Round) -> tuple[ScoredDeltas, Mapping[Address, Audited]]:
        """What the deltas are worth, and what was found of the trainings of drawn solvers."""
        context = self._context
        documents = await round_documents(context, round_)
        spec, recipe = documents.spec, documents.recipe
        evaluation = await evaluation_files(context, round_, spec)
        facts = facts_of(context.state(), round_, context.chain_id, context.rounds_address)
        others = len({item.digest for item in facts.reveals}) - 1
        check_memory(context, round_, recipe.measuring_bytes + others * recipe.delta_bytes)
        drawn = sorted(drawn_solvers(facts, spec))
        audits = Audits(context, round_, documents, drawn, self._missing, self._deaths)
        if audits.drawn:
            check_memory(context, round_, recipe.training_bytes)
        files = await self._deltas(round_, spec, facts.reveals, audits)
        audited = noted(context, round_.id)
        claims = []
        for item in facts.reveals:
            path, fault = files[item.digest]
            found = audited.get(item.solver)
            if found is not None and found.reason is not None:
                path, fault = None, None  # whatever it would be worth, it is not the work that was asked for
            claims.append(ClaimedDelta(item.solver, item.index, item.digest, path, fault))
        measured = await self._measuring.measure(
            round_,
            ScoreClaims(
                round=round_files(context, round_, spec),
                evaluation=evaluation,
                claims=tuple(claims),
                device=context.device,
            ),
        )
        tell_where(round_.id, measured.where)
        self._missing.forget(round_.id)
        judgements = tuple(as_found(item, audited) for item in measured.judgements)
        otherwise = tuple(as_found(item, audited) for item in measured.otherwise)
        return replace(measured, judgements=judgements, otherwise=otherwise), audited

    async def _deltas(
        self, round_: Round, spec: RoundSpec, reveals: Sequence[RevealedDelta], audits: Audits
    ) -> dict[Digest, tuple[Path | None, str | None]]:
        """What `_delta` finds, by digest: one that several reveal is fetched once, and audited as the work of
        who committed first. Each is audited as soon as it is here: meanwhile others arrive.

        All fetches end before one that failed is raised: none still runs when the duty is tried again.
        """
        wanted = {item.digest: item for item in reversed(reveals)}
        found = await asyncio.gather(
            *(self._audited(round_, spec, item, audits) for item in wanted.values()), return_exceptions=True
        )
        files = {}
        for digest, result in zip(wanted, found, strict=True):
            if isinstance(result, BaseException):
                raise result
            files[digest] = result
        return files

    async def _audited(
        self, round_: Round, spec: RoundSpec, item: RevealedDelta, audits: Audits
    ) -> tuple[Path | None, str | None]:
        path, fault = await self._delta(round_, spec, item)
        try:
            await audits.audit(item, path)
        except CannotAudit:
            return None, NOT_AUDITED
        return path, fault

    async def _delta(
        self, round_: Round, spec: RoundSpec, item: RevealedDelta
    ) -> tuple[Path | None, str | None]:
        """(path, None); (None, None) for one nobody serves in time; (None, reason) for an oversized one.

        Raises:
            Transient: it may still come, or this node lacks room or network: nobody loses a bond for that.
        """
        context = self._context
        cap = spec.max_delta_bytes
        try:
            # Still private to the round: it is served on only by those who hold it, like any public blob.
            async with self._missing.asking(round_, item.digest, item.digest):
                path = await obtain(context, item.digest, kind="delta", max_bytes=cap, pin=pin_of(round_))
            return path, None
        except Rejected as error:
            return None, error.reason
        except Transient as error:
            if error.code in LACKS_HERE or not self._missing.gives_up(round_, item.digest):
                raise
            log.warning("delta.withheld", round=round_.id, solver=item.solver, digest=item.digest)
            return None, None

    def _signed(
        self, round_id: RoundId, judgements: Sequence[ScoredDelta], audited: Mapping[Address, Audited]
    ) -> ScoreReport:
        context = self._context
        scores = []
        for item in sorted(judgements, key=lambda item: item.solver.lower()):
            found = audited.get(item.solver)
            word = None if found is None or found.digest != item.digest else found.word
            score = SignedScore(
                solver=item.solver,
                digest=item.digest,
                verdict=item.verdict,
                reason=item.reason,
                gain=item.gain,
                stderr=item.stderr,
                signature=bytes(SIGNATURE_BYTES),
                detail=item.detail,
                metrics=item.metrics,
                audit=None if word is None else audit_word(word, context.me),
                among=item.among,
            )
            typed = score_message(context.chain_id, context.rounds_address, round_id, score)
            signature = context.wallet.sign_typed(typed)
            context.journal.put_signature("score", round_id, score.solver, signing_hash(typed), signature)
            scores.append(replace(score, signature=signature))
        return ScoreReport(round_id, context.me, tuple(scores))


def tell_where(round_id: RoundId, where: MeasuredOn) -> None:
    """Says on what a round was measured, and why not on the device that the operator named."""
    if where.refused is None:
        log.info("round.measured", round=round_id, device=where.device, apart=where.apart)
        return
    log.warning("device.refused", round=round_id, device=where.refused, apart=where.apart,
                consequence=f"this round is measured on the {where.device}",
                remedy="others could not measure the same there: run `jepanet node check`, mend the driver, "
                       "or write worker.device = \"cpu\"")  # fmt: skip


async def evaluation_files(context: Context, round_: Round, spec: RoundSpec) -> EvaluationFiles:
    """The evaluation shard the round unsealed, fetched, and its manifest. Raises as `obtain` does."""
    if round_.shard is None:
        raise Transient(f"the evaluation shard of round {round_.id} is not unsealed yet")
    cap = context.documents.max_shard_bytes
    shard = await obtain(context, round_.shard, kind="shard", max_bytes=cap, pin=pin_of(round_))
    return EvaluationFiles(shard, stored(context, spec.dataset), round_.beacon_bytes)


def check_against_own(
    context: Context,
    facts: RoundFacts,
    reports: Sequence[ScoreReport],
    decisions: Sequence[Decision],
    tolerance: int,
) -> None:
    """Holds decisions on deltas against what this node measured itself; `tolerance` in micro-nats.

    A median over fewer reports than the set has members lies where a minority wants it, if that minority
    chose the reports. So nobody builds on or signs what its own measurement contradicts: who counted as
    faulty, the gain and its standard error, and what the delta counts for. Where a reason follows from bytes
    that everybody has, there is no tolerance: it must be the one found here, and the other way round. Whether
    a base is too weak to be scored against is measured as well: in a hair's breadth of such a threshold the
    decisions on all deltas together may be those of either side (`ScoredDeltas.otherwise`).

    Raises:
        Transient: nothing is measured here yet. Rejected: reason `scores-disagree`.
    """
    note = context.journal.notes(facts.round_id).get(MEASURED_NOTE)
    if note is None:
        raise Transient(f"round {facts.round_id} is not measured here yet")
    found = MEASURED.decode(note.encode())
    try:
        _check_against(found.judgements, facts, reports, decisions, tolerance)
    except Rejected:
        if not found.otherwise:
            raise
        _check_against(found.otherwise, facts, reports, decisions, tolerance)


def _check_against(
    found: Sequence[ScoredDelta],
    facts: RoundFacts,
    reports: Sequence[ScoreReport],
    decisions: Sequence[Decision],
    tolerance: int,
) -> None:
    # By solver: of two that reveal one digest only the later is a duplicate.
    own = {item.solver: item for item in found}
    has_all = not any(unseen(item.verdict, item.reason) for item in own.values()) and not any(
        not_fetched(score) for report in reports for score in report.scores
    )
    for item in decisions:
        mine = own[item.solver]
        # Who committed first is no matter of votes: the tally has read it off the chain as this node did.
        missed = unseen(mine.verdict, mine.reason)
        if missed or mine.reason == DUPLICATE or _not_served(facts, reports, item, mine):
            continue
        verdict, gain, stderr = mine.verdict, mine.gain, mine.stderr
        faulty = (verdict is Verdict.INVALID) != (item.verdict is Verdict.INVALID)
        counted = worth(verdict, gain) - worth(item.verdict, item.gain)
        apart = max(abs(gain - item.gain), abs(stderr - item.stderr), abs(counted)) > tolerance
        if faulty or apart or _told_otherwise(item, mine, has_all=has_all):
            said = f"{item.verdict.name} as {item.reason}, {item.gain} +- {item.stderr} micro-nats"
            raise Rejected(
                f"what the coordinators say of {item.solver} ({said}) cannot be reproduced: "
                f"here it is {verdict.name} as {mine.reason} with {gain} +- {stderr}",
                reason="scores-disagree",
            )


def _told_otherwise(item: Decision, mine: ScoredDelta, *, has_all: bool) -> bool:
    """Whether a reason that honest nodes share is given there and not here, or here and not there."""
    if item.verdict is Verdict.INVALID:  # its reason is the decoder's, and costs the same whichever it is
        return False
    if not (known_alike(item.reason, has_all=has_all) or known_alike(mine.reason, has_all=has_all)):
        return False
    due = row_verdict(mine.verdict, mine.reason)
    return item.verdict is not due or (due is Verdict.EXCLUDED and item.reason != mine.reason)


def _not_served(facts: RoundFacts, reports: Sequence[ScoreReport], item: Decision, mine: ScoredDelta) -> bool:
    """Whether a delta is out because coordinators could not fetch it: more than a minority, or all reported.

    What reached this node need not have reached them, and a solver must not spoil a round by serving some.
    But fewer than `threshold` of them take no part of a bond from a delta that is sound here.
    """
    missed = sum(
        score.solver == item.solver and not_fetched(score) for report in reports for score in report.scores
    )
    if item.verdict is Verdict.INVALID:
        return item.reason == NOT_OPENED and missed >= facts.threshold
    if item.verdict not in (Verdict.EXCLUDED, Verdict.SPARED):
        return False
    if missed >= facts.threshold:
        return True
    sound = row_verdict(mine.verdict, mine.reason) in (Verdict.ACCEPTED, Verdict.SPARED)
    taken = item.verdict is Verdict.EXCLUDED and sound
    return missed > 0 and len(reports) == len(facts.members) and not taken
