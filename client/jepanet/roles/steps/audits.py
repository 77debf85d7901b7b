"""Audits of drawn solvers: part of scoring, done once, and what others say of them held against it.

    delta ─▶ what its solver has to open ─▶ drawn segments again ─▶ a note ─▶ verdict, and this node's word

A finding is noted as soon as it is there: a node that is killed goes on with the next solver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.errors import Rejected, Transient
from jepanet.protocol.assignment import training_seed
from jepanet.protocol.documents.scores import ScoreReport, SignedScore
from jepanet.protocol.revealed_before import revealed_before
from jepanet.protocol.settling.audit_reports import check_audits, owes_audit
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.protocol.settling.reasons import NOT_OPENED
from jepanet.protocol.settling.tally import RevealedDelta, RoundFacts, drawn_solvers
from jepanet.protocol.state import Round
from jepanet.records.codec import JOURNAL, Codec
from jepanet.roles.context import Context
from jepanet.roles.steps.deadly_deltas import DEATHS, was_too_much
from jepanet.roles.steps.missing import Missing, grace_end
from jepanet.roles.steps.obtain import obtain, stored
from jepanet.roles.steps.preparation import RoundDocuments, pin_of, round_files
from jepanet.roles.steps.training_data import assigned_shards
from jepanet.telemetry import get_logger
from jepanet.types import Address, Digest, RoundId, Verdict
from jepanet.work.drawn_training import DrawnTraining, NotServed, Opened, audit_training, open_training
from jepanet.work.requests.files import TrainingShard
from jepanet.work.requests.scoring import ScoredDelta

log = get_logger("scoring")

_NOTE = "audited/"
"""Of a round, before a solver's address: what its audit found."""
_MINE = frozenset(
    (
        "other-build",
        "other-trace",
        "too-little-memory",
        "not-audited",
        "not-auditable",
        "not-calibrated",
        "blob-missing",
    )
)
"""Reasons that this machine, or the round itself, is not one to audit. A solver has no part in them."""


class CannotAudit(Exception):
    """One audit cannot be done here, and that says nothing of the others, nor that the solver is at fault."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What was found of one drawn solver."""

    digest: Digest
    reason: str | None
    """`not-reproduced`, `not-opened`; None where nothing is wrong."""
    detail: str
    word: Digest | None = None
    """As `Finding` has it; None where nothing could be opened."""
    near: tuple[Digest, ...] = ()


_AUDITED = Codec(Audited, "audited training", spelling=JOURNAL)


class Audits:
    """Audits training of drawn solvers in one round that is being scored."""

    def __init__(
        self,
        context: Context,
        round_: Round,
        documents: RoundDocuments,
        drawn: Sequence[Address],
        missing: Missing,
        deaths: Counter[Digest],
    ) -> None:
        """`deaths`: by delta, how many workers its audit was too much for, since this process began."""
        self._context, self._round, self._documents = context, round_, documents
        self._missing, self._deaths = missing, deaths
        self.drawn = frozenset(drawn)

    async def audit(self, item: RevealedDelta, delta: Path | None) -> Audited | None:
        """What is found of a solver's training; None where it is not drawn, or its bytes are no delta, which
        judging finds. `delta` None: nobody served it in time.

        Raises:
            CannotAudit: it was refused, or was too much for one worker after the other, until a quarter of
                VERIFY was over: a machine may be short of memory for a while.
            Transient: something is not to be had yet, or this node could not work.
            Rejected: this machine cannot audit the round (`_MINE`): it signs no scores then.
        """
        try:
            return await self._audit(item, delta)
        except Transient as error:
            if not was_too_much(error):
                raise
            self._deaths[item.digest] += 1
            early = self._context.state().now < grace_end(self._round)
            if early or self._deaths[item.digest] < DEATHS:
                raise
            raise self._cannot(item, error.message) from error
        except Rejected as error:
            if error.reason in _MINE:
                raise
            raise self._cannot(item, error.message) from error

    def _cannot(self, item: RevealedDelta, why: str) -> CannotAudit:
        log.error("audit.abandoned", round=self._round.id, solver=item.solver, digest=item.digest, why=why,
                  consequence="this node says nothing of the solver, and scores the others",
                  remedy="what a solver serves cannot do this: report it with the log")  # fmt: skip
        return CannotAudit(why)

    async def _audit(self, item: RevealedDelta, delta: Path | None) -> Audited | None:
        if item.solver not in self.drawn:
            return None
        known = noted(self._context, self._round.id).get(item.solver)
        if known is not None:
            return known
        if delta is None:
            found = self._shut(item, "no provider served its delta")
        else:
            drawn = await self._training(item, delta)
            try:
                opened = await self._open(drawn, item.digest)
            except NotServed as error:
                if not self._missing.gives_up(self._round, item.digest):
                    raise Transient(f"{item.solver} was drawn, and is not open yet: {error}") from error
                found = self._shut(item, str(error))
            else:
                if opened.formless:
                    return None
                finding = await audit_training(drawn, opened, self._context.jobs)
                found = Audited(item.digest, finding.reason, finding.detail, finding.word, finding.near)
                self._tell(found, item.solver, finding.segments)
        self._context.journal.put_note(self._round.id, _NOTE + item.solver, _AUDITED.encode(found).decode())
        self._context.trace("audit:noted")
        return found

    def _tell(self, found: Audited, solver: Address, segments: Sequence[int]) -> None:
        if found.reason is None:
            log.info("audit.done", round=self._round.id, solver=solver, segments=segments)
            return
        log.warning("audit.failed", round=self._round.id, solver=solver, segments=segments,
                    reason=found.reason, detail=found.detail)  # fmt: skip

    def _shut(self, item: RevealedDelta, why: str) -> Audited:
        log.warning("audit.unopened", round=self._round.id, solver=item.solver, digest=item.digest, why=why)
        return Audited(item.digest, NOT_OPENED, why)

    async def _open(self, drawn: DrawnTraining, delta: Digest) -> Opened:
        context, pin = self._context, pin_of(self._round)

        async def take(what: str, digest: Digest, max_bytes: int) -> Path:
            # Nobody announces these: whoever announced the delta has them.
            near, cap = context.providers(delta), max_bytes
            async with self._missing.asking(self._round, delta, digest):
                return await obtain(context, digest, kind="other", max_bytes=cap, pin=pin, providers=near)

        return await open_training(drawn, take, context.jobs)

    async def _training(self, item: RevealedDelta, delta: Path) -> DrawnTraining:
        """What is the proposer's to serve, above all: a shard that is missing is no fault of the solver's."""
        context, round_ = self._context, self._round
        spec, recipe, shards = self._documents.spec, self._documents.recipe, self._documents.shards
        reveal = round_.reveal_of(item.solver)
        salt = b"" if reveal is None else reveal.salt
        found = []
        for shard in assigned_shards(context, round_, recipe, shards, item.solver):
            path = await obtain(
                context, shard.digest, kind="shard", max_bytes=shard.bytes, pin=pin_of(round_)
            )
            found.append(TrainingShard(path, shard.digest, shard.bytes))
        probe = shards.probe if recipe.aligns else None
        if probe is not None:
            await obtain(context, probe.digest, kind="shard", max_bytes=probe.bytes, pin=pin_of(round_))
        place = (context.chain_id, context.rounds_address, round_.project_id, round_.id, item.solver)
        return DrawnTraining(
            round=round_,
            files=round_files(context, round_, spec),
            solver=item.solver,
            delta=delta,
            max_delta_bytes=spec.max_delta_bytes,
            max_model_bytes=recipe.max_model_bytes,
            shards=tuple(found),
            probe=stored(context, probe.digest) if probe is not None else None,
            seed=training_seed(*place, round_.seed, salt),
            before=revealed_before(context.state(), round_, item.solver),
        )


def noted(context: Context, round_id: RoundId) -> dict[Address, Audited]:
    """What was found so far of a round's drawn solvers."""
    return {
        Address(name.removeprefix(_NOTE)): _AUDITED.decode(text.encode())
        for name, text in context.journal.notes(round_id).items()
        if name.startswith(_NOTE)
    }


def as_found(item: ScoredDelta, audited: Mapping[Address, Audited]) -> ScoredDelta:
    """The finding on a delta, with what the audit of its training found: nothing of the rest counts then."""
    found = audited.get(item.solver)
    if found is None or found.reason is None or found.digest != item.digest:
        return item
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in found.detail)
    detail = plain if len(plain) <= 240 else plain[:237] + "..."
    return ScoredDelta(item.solver, item.digest, Verdict.INVALID, found.reason, detail, 0, 0, ())


def faults(context: Context, facts: RoundFacts, drawn: frozenset[Address], report: ScoreReport) -> str | None:
    """Why a report says of an audit what cannot be true; None where nothing here speaks against it."""
    found = noted(context, facts.round_id)
    for score in report.scores:
        if score.solver in drawn:
            why = _fault(score, found.get(score.solver), report.coordinator)
            if why is not None:
                return f"{report.coordinator} {why} of {score.solver}"
    return None


def _fault(score: SignedScore, mine: Audited | None, auditor: Address) -> str | None:
    if mine is None or mine.word is None or mine.digest != score.digest:
        return None  # it was not open here, needs no audit, or is a duplicate
    if score.audit is None:
        return "skipped the audit" if owes_audit(score) else None
    words = {audit_word(word, auditor) for word in (mine.word, *mine.near)}
    return None if score.audit in words else "forged the audit"


def believed(
    context: Context, facts: RoundFacts, documents: RoundDocuments, reports: Sequence[ScoreReport]
) -> list[ScoreReport]:
    """Reports of coordinators that did their audits, as far as that is known here."""
    drawn = drawn_solvers(facts, documents.spec)
    kept = []
    for report in reports:
        try:
            check_audits(facts.round_id, drawn, [report])
            why = faults(context, facts, drawn, report)
        except Rejected as error:
            why = error.message
        if why is None:
            kept.append(report)
        else:
            log.warning("report.refused", round=facts.round_id, coordinator=report.coordinator, why=why)
    return kept


def check_words(
    context: Context, facts: RoundFacts, documents: RoundDocuments, reports: Sequence[ScoreReport]
) -> None:
    """Nobody signs a sheet that pays a coordinator for an audit that it did not do.

    Raises:
        Rejected: reason `audit-forged`; the message names the coordinator.
    """
    drawn = drawn_solvers(facts, documents.spec)
    for report in reports:
        why = faults(context, facts, drawn, report)
        if why is not None:
            raise Rejected(f"round {facts.round_id}: {why}", reason="audit-forged")
