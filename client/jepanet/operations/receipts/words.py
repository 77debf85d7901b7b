"""A receipt in sentences: what was measured, what became of the delta, what it earned, and why."""

from __future__ import annotations

from collections.abc import Mapping

from jepanet.errors import Exit, Fatal
from jepanet.operations.receipts.advice import advice
from jepanet.operations.receipts.bond_words import fate, unlocking
from jepanet.operations.receipts.receipts import AS_ONE_OF, CAPPED, SHARED
from jepanet.operations.views.json_form import Wei
from jepanet.operations.views.rounds import (
    CoordinatorScore,
    Receipt,
    ReceiptInWords,
    RoundDetails,
    RoundSchedule,
)
from jepanet.protocol.settling.standing import Standing
from jepanet.tokens import exact
from jepanet.types import Address, Phase, Verdict

OUTCOMES: Mapping[str, str] = {
    "duplicate": "an earlier commitment of this round holds the same bytes",
    "zero-delta": "it changes nothing",
    "norm-outlier": "it is longer than the round's deltas by more than the recipe allows",
    "near-copy": "it is nearly the delta of an earlier commitment",
    "not-measurable": "the model that it makes gives nothing that could be measured",
    "state-guard": "it moves the model's latents beyond what a guard of the recipe allows",
    "harm": "alone, it made the model worse by far more than its error",
    "unavailable": "the coordinators could not fetch it from anybody in time",
    "too-large": "what was served for it was larger than the round allows",
    "not-audited": "its solver was drawn, and the coordinators' machines failed at the audit",
    "machine-failed": "the coordinators' machines failed at measuring it",
    "shard-refused": "the evaluation shard can measure nothing against this base: no solver's fault",
    "disputed": "the coordinators did not agree on it",
    "dropped": "the merge with the others is better without it",
}
"""Why a delta is out, for every reason of `protocol.settling.reasons`."""
_FAULTS: Mapping[str, str] = {
    "not-reproduced": "its solver was drawn, and the training does not lead to it",
    "not-opened": "its solver was drawn, and what its audit takes could not be fetched in time",
    "frozen-changed": "it changes a weight that no training of its family changes",
    "norm-cap": "it is longer than the round's multiple of the base model's norm",
    "too-large": "its file is larger than the round allows",
    "non-finite": "it holds NaN or infinity",
    "wrong-base": "it was made from another base",
    "wrong-recipe": "it was made for another recipe",
    "wrong-shape": "it has other tensors than the recipe's model",
}
"""What bytes prove, of the reasons that need more than their name."""
_STANDS: Mapping[str, str] = {
    Standing.OVER.value: ", {apart:,} above the median: more than the tolerance, so it earns no fee",
    Standing.UNDER.value: ", {apart:,} below the median: more than the tolerance, so it earns no fee",
    Standing.SOUND.value: ", where the others found a fault: it earns no fee",
    Standing.MISSED.value: ", which says nothing of its worth",
}
_TOLD = 8
"""Coordinators that are named one by one; of more, those whose scores do not hold."""


def in_words(
    details: RoundDetails,
    solver: Address | None = None,
    *,
    excluded_bps: int | None = None,
    schedule: RoundSchedule | None = None,
) -> tuple[ReceiptInWords, ...]:
    """The receipts of a round, or that of one solver. `excluded_bps`: what an excluded delta loses of its
    bond in this deployment, in basis points; None: not known here. `schedule`: says when a bond comes free.

    Raises:
        Fatal: nothing is recorded yet, or the sheet has no row for this solver (exit code `USAGE`).
    """
    number, receipts = details.summary.round, details.sheet.receipts
    if details.sheet.figures is None:
        raise Fatal(
            f"round {number} has no recorded result yet",
            remedy=f"`jepanet round show {number}` says in which phase it is; with --solver one account's "
            "commitment is told as far as it has come",
            code=Exit.USAGE,
        )
    chosen = [item for item in receipts if solver is None or item.solver == solver]
    if solver is not None and not chosen:
        raise Fatal(
            f"the result of round {number} has no row for {solver}",
            remedy="it has one for every account that revealed: "
            + (", ".join(item.solver for item in receipts) or "none"),
            code=Exit.USAGE,
        )
    return tuple(_in_words(details, item, excluded_bps, schedule) for item in chosen)


def _in_words(
    details: RoundDetails, item: Receipt, excluded_bps: int | None, schedule: RoundSchedule | None
) -> ReceiptInWords:
    figures = details.sheet.figures
    assert figures is not None
    verdict = Verdict.SPARED.name.lower() if _overturned(details) else item.verdict
    bond, unlocks = fate(details.summary.bond, verdict, excluded_bps, item.reason), None
    if schedule is not None and verdict != Verdict.INVALID.name.lower():
        unlocks, when = unlocking(schedule)
        bond += f"; {when}"
    return ReceiptInWords(
        round=details.summary.round,
        solver=item.solver,
        delta=item.delta,
        paid=Wei(0) if _overturned(details) else item.paid,
        measured=_measured(details, item),
        outcome=_outcome(details, item),
        payment=_payment(details, item),
        bond=bond,
        scored=_scored(item),
        advice=advice(item, figures),
        checked=figures.checked,
        unlocks=unlocks,
    )


def _overturned(details: RoundDetails) -> bool:
    """Whether the sheet was recorded and does not count: its round was cancelled afterwards."""
    return details.summary.phase == Phase.CANCELLED.name.lower()


def _scored(item: Receipt) -> str:
    """Each coordinator's score, or of many those that do not hold and how many do."""
    if len(item.scores) <= _TOLD:
        return "; ".join(map(_score, item.scores))
    apart = [score for score in item.scores if score.standing not in (None, Standing.HOLDS.value)]
    told = [_score(score) for score in apart[:_TOLD]]
    if len(apart) > _TOLD:
        told.append(f"{len(apart) - _TOLD} more do not hold")
    if len(item.scores) > len(apart):
        within = (
            "lie within the round's tolerance of the median" if item.scores[0].standing else "have scored"
        )
        told.append(f"{len(item.scores) - len(apart)} {within}")
    return "; ".join(told)


def _score(score: CoordinatorScore) -> str:
    why = f" ({score.reason})" if score.reason not in ("", score.verdict) else ""
    measured = f", {score.gain:,} ± {score.stderr:,}" if score.gain or score.stderr else ""
    stands = _STANDS.get(score.standing or "", "").format(apart=abs(score.apart))
    audited = "; it did drawn parts of the training again" if score.audited else ""
    return f"{score.coordinator} {score.verdict}{why}{measured}{stands}{audited}"


def _measured(details: RoundDetails, item: Receipt) -> str:
    figures = details.sheet.figures
    assert figures is not None
    if item.stderr == 0 and item.gain == 0:
        return "nothing: no coordinator's measurement counts for it"
    sure = f", {item.gain / item.stderr:.1f} times its error" if item.stderr else ""
    whose = "as its one coordinator measured it"
    if figures.scored_by > 1:
        whose = f"the lower median of what {figures.scored_by} coordinators measured"
    part = f"{figures.episodes:,} episodes of " if figures.episodes else ""
    return (
        f"a gain of {item.gain:,} micro-nats (millionths of a nat, the unit of the score) with a standard "
        f"error of {item.stderr:,}{sure}: {whose}, on {part}the sealed shard {item.measured_on}, of the base "
        f"{item.against} moved by the delta as far as a merge of all that were revealed would move it"
    )


def _outcome(details: RoundDetails, item: Receipt) -> str:
    figures = details.sheet.figures
    assert figures is not None
    if _overturned(details):
        return f"the result was overturned by the arbiter and counts for nothing; it had said {item.verdict}"
    if item.verdict == Verdict.ACCEPTED.name.lower():
        if figures.published:
            return "accepted: it is part of the next model"
        return f"accepted, but the merged model was withheld: {figures.note or 'it did not improve'}"
    known = _FAULTS if item.verdict == Verdict.INVALID.name.lower() else OUTCOMES
    why = known.get(item.reason, f"its bytes break a rule ({item.reason})")
    detail = f" ({item.detail})" if item.detail else ""
    return f"{item.verdict}, {item.reason}: {why}{detail}"


def _payment(details: RoundDetails, item: Receipt) -> str:
    figures = details.sheet.figures
    assert figures is not None
    if _overturned(details):
        return "nothing: what an overturned result grants is not paid"
    if item.verdict != Verdict.ACCEPTED.name.lower():
        return "nothing: only deltas that are merged are paid"
    if item.how and figures.price is not None:
        if not figures.published:
            return item.how
        if not item.paid:
            return f"{item.how}: the standard error is taken off, since that much may be chance"
        text = (
            f"{item.how}, in tokens: the gain less its standard error, since that much may be chance, times "
            f"the round's price of {exact(figures.price)} tokens a micro-nat"
        )
        if item.how.startswith(AS_ONE_OF):
            text += "; this gain is the delta's as one of those that are merged, who are fewer than revealed"
        if CAPPED in item.how:
            text += ", and of that no more than the rules let one delta be paid"
        if SHARED in item.how:
            text += ", and of that the part that the budget allows, since more was earned than it holds"
        return text
    return f"{exact(item.paid)} tokens; the round's rules, which name the price, are not to be had"
