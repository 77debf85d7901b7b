"""Judging claimed deltas: three decisions, three tests.

* INVALID: a fault anyone can recompute from the bytes (form, base, norm against the base).
* EXCLUDED: no fault of form, but not merged, and a part of the bond is kept: duplicate digest (of the later
  commit; which of the two made it is not known),
  unavailable, zero, norm outlier, near-copy, a broken state guard, statistically significant harm (gain +
  `harm_sigmas` standard errors below zero), or nothing measured: a score that is not finite, one with a
  standard error of exactly 0, or a shard on which nothing can be scored.
* ACCEPTED: all the rest. Merged, and paid by measured gain, which may be next to nothing.

Gain is measured at contribution scale, base + delta / N with N the number of distinct revealed digests (a
chain fact, so every coordinator uses the same): a full-size honest delta often hurts where their mean helps.
Where the spec says so, a delta longer than is usual in its round is measured, as it is merged, at the usual
length (`merging/lengths.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log
from typing import Protocol, Self

from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import Weights, at_share, decode_delta, schema_of
from jepanet.federation.judging.similarity import near_copies, norm, upper_median
from jepanet.federation.merging.lengths import no_longer, reference_length, shortened
from jepanet.federation.merging.outer import outer_step
from jepanet.federation.merging.rules import combined
from jepanet.tensors import Arrays
from jepanet.types import MICRO, Address, Digest, Verdict

Metrics = Mapping[str, float]
ACCEPTED = "accepted"
UNAVAILABLE = "unavailable"
DUPLICATE = "duplicate"
NOT_MEASURABLE = "not-measurable"
SHARD_REFUSED = "shard-refused"
"""Reason of every delta without a fault where the evaluation shard, with this base, can score nothing."""
GAIN_LIMIT = 10**9
"""Micro-nats; measured values are clipped to it."""
_LEAST_VARIANCE = 1e-9


class Gain(Protocol):
    """A paired gain over the base: mean and standard error, in the scorer's unit, stratified by site."""

    @property
    def mean(self) -> float: ...

    @property
    def stderr(self) -> float: ...

    def beyond(self, other: Self) -> Self:
        """By how much more this is than another on the same shard, its error that of the difference."""


class Scorer(Protocol):
    """Measures weights on the round's unsealed evaluation shard, against the round's base."""

    @property
    def unit(self) -> str:
        """Of every gain, in words: "nats per direction"."""

    def gain(self, weights: Arrays) -> Gain:
        """Gain of `weights` over the base. Raises Rejected where it cannot be measured."""

    def metrics(self, weights: Arrays) -> Metrics:
        """Held-out metrics by name: predictive information, rank, variance and so on. Raises as `gain`."""

    def state_guards(self, base: Metrics, candidate: Metrics, length: float, share: float) -> tuple[str, ...]:
        """Why a contribution would damage the model's state; empty when it would not. `length`: norm of its
        delta over the base's; `share`: the part of it that the candidate holds."""

    def merge_guards(self, base: Metrics, merged: Metrics) -> tuple[str, ...]:
        """Why a merged model must not be published; empty when it may be."""


@dataclass(frozen=True, slots=True)
class Unscored:
    """In place of a scorer: why nothing can be scored in this round."""

    why: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A revealed delta as one coordinator sees it; `data` is None when no provider could be reached."""

    solver: Address
    index: int
    """Order of commitment."""
    digest: Digest
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The part of a round's spec that judging needs."""

    base: Digest
    recipe: Digest
    codec: str
    max_delta_bytes: int
    to_base_milli: int
    to_median_milli: int
    zero_nano: int
    similarity_milli: int
    harm_sigmas_milli: int
    longest_milli: int = 0
    """A delta longer than so many thousandths of the round's median norm is measured at that length; 0: at
    its own."""
    to_reference_milli: int = 0
    reference_nano: int = 0
    """Where both are there, a delta longer than so many thousandths of that norm (billionths of the base's)
    is measured at that length, and the round's own median decides nothing. Where the first is, that excludes
    nobody."""
    pay_as_merged: bool = False
    """Whether deltas worth paying are measured a second time, as one of so many as these."""
    variance_price_milli: int = 0
    """Thousandths of a nat that a gain counts less for each nat of lost log variance."""
    frozen: tuple[str, ...] = ()
    """How names of weights start that no delta changes."""
    audited: bool = False
    """Whether deltas name a transcript of their training."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One coordinator's finding on one delta. Gain and standard error in micro-nats."""

    solver: Address
    digest: Digest
    verdict: Verdict
    reason: str
    detail: str
    gain: int = 0
    stderr: int = 0
    metrics: Metrics | None = None
    among: tuple[int, int, int] | None = None
    """Of how many it was measured a second time, and gain and standard error as one of so many."""


@dataclass(frozen=True, slots=True)
class Judged:
    judgements: tuple[Judgement, ...]
    """In order of commitment."""
    deltas: dict[Digest, Arrays]
    """Every delta without a fault of form, decoded."""
    base_metrics: Metrics


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a delta is measured as: base + delta / N."""

    weights: Arrays
    length: float
    """Norm of the delta over the base's, as far as it counts; 0 where the base has none."""
    share: float
    """1 / N."""


@dataclass(frozen=True, slots=True)
class MergeVerdict:
    """Whether a merged model is published. `improvement` in micro-nats, at most 0 when it is withheld."""

    published: bool
    improvement: int
    stderr: int
    note: str
    metrics: Metrics


def judge(base: Arrays, claims: Sequence[Claim], rules: Rules, scorer: Scorer | Unscored) -> Judged:
    """Every claim judged, in order of commitment. Never raises for what a claim contains.

    With `Unscored`, every claim without a fault is excluded for that reason, and there are no metrics.

    Raises:
        Rejected: reason `own-defect`; neither a delta nor the base can be measured here.
    """
    ordered = sorted(claims, key=lambda claim: claim.index)
    found: dict[Address, Judgement] = {}
    sound = _form(base, ordered, rules, found)
    if isinstance(scorer, Unscored):
        for claim, _ in sound:
            found[claim.solver] = _verdict(claim, Verdict.EXCLUDED, SHARD_REFUSED, scorer.why)
        return Judged(tuple(found[claim.solver] for claim in ordered), {}, {})
    solvers = len({claim.digest for claim in ordered})
    base_metrics = scorer.metrics(base)
    lengths = _lengths(base, sound, rules)
    base_norm = norm(base)
    for claim, _ in _outliers_and_copies(sound, rules, found):
        delta = lengths[claim.digest]
        length = norm(delta) / base_norm if base_norm > 0 else 0.0
        candidate = Candidate(at_share(base, delta, solvers), length, 1 / solvers)
        found[claim.solver] = _measure(claim, candidate, base_metrics, rules, scorer)
    if any(item.reason == NOT_MEASURABLE for item in found.values()):
        _check_own(base, scorer)
    if rules.pay_as_merged:
        _measure_among(base, lengths, solvers, found, base_metrics, rules, scorer)
    deltas = {claim.digest: delta for claim, delta in sound}
    return Judged(tuple(found[claim.solver] for claim in ordered), deltas, base_metrics)


def merge(
    base: Arrays,
    velocity: Arrays | None,
    accepted: Sequence[tuple[Digest, Weights]],
    *,
    rule: str = "mean",
    longest_milli: int = 0,
    lr_milli: int,
    momentum_milli: int,
) -> tuple[Arrays, Arrays]:
    """New weights and velocity: accepted deltas in digest order, none longer than is usual among them (as
    `combined`), aggregated, then the outer step. Bit-exact.

    Raises:
        ValueError: no deltas, one twice, or layouts that differ.
    """
    merged = combined(accepted, rule, longest_milli)
    return outer_step(base, merged, velocity, lr=lr_milli / 1000, momentum=momentum_milli / 1000)


def judge_merge(merged: Arrays, base_metrics: Metrics, scorer: Scorer) -> MergeVerdict:
    """Publishes a merge only if it improves the score and no guard objects."""
    try:
        improvement, stderr = _micro(scorer.gain(merged))
        metrics = scorer.metrics(merged)
    except Rejected as error:
        return MergeVerdict(False, 0, 0, _short(f"the merged model can't be measured: {error.message}"), {})
    broken = scorer.merge_guards(base_metrics, metrics)
    note = ""
    if broken:
        note = "state guards: " + "; ".join(broken)
    elif improvement <= 0:
        note = f"no improvement: {improvement / MICRO:+.6f} {scorer.unit}"
    if note:
        improvement = min(0, improvement)
    return MergeVerdict(not note, improvement, stderr, _short(note), metrics)


def _form(
    base: Arrays, ordered: Sequence[Claim], rules: Rules, found: dict[Address, Judgement]
) -> list[tuple[Claim, Arrays]]:
    """Decodes each claim; faults go to `found`, sound deltas are returned."""
    schema = schema_of(base)
    base_norm = norm(base)
    owners: dict[Digest, Address] = {}
    sound: list[tuple[Claim, Arrays]] = []
    for claim in ordered:
        owner = owners.setdefault(claim.digest, claim.solver)
        if owner != claim.solver:
            found[claim.solver] = _verdict(
                claim, Verdict.EXCLUDED, DUPLICATE, f"{owner} committed to it first"
            )
            continue
        if claim.data is None or hashlib.sha256(claim.data).digest() != claim.digest:
            found[claim.solver] = _verdict(
                claim, Verdict.EXCLUDED, UNAVAILABLE, "no provider served its bytes"
            )
            continue
        try:
            delta = decode_delta(
                claim.data,
                schema=schema,
                max_bytes=rules.max_delta_bytes,
                base=rules.base,
                recipe=rules.recipe,
                codec=rules.codec,
                frozen=rules.frozen,
                audited=rules.audited,
            )
        except Rejected as error:
            found[claim.solver] = _verdict(claim, Verdict.INVALID, error.reason, error.message)
            continue
        fault = check_norm(norm(delta), base_norm, rules)
        if fault is None:
            sound.append((claim, delta))
        else:
            found[claim.solver] = _verdict(claim, *fault)
    return sound


def _lengths(base: Arrays, sound: Sequence[tuple[Claim, Arrays]], rules: Rules) -> dict[Digest, Weights]:
    """Every delta as long as it counts."""
    if rules.to_reference_milli and rules.reference_nano:
        most = reference_length(base, rules.reference_nano, rules.to_reference_milli)
        return {claim.digest: no_longer(delta, most) for claim, delta in sound}
    usual = shortened([delta for _, delta in sound], rules.longest_milli)
    return {claim.digest: delta for (claim, _), delta in zip(sound, usual, strict=True)}


def check_norm(size: float, base_norm: float, rules: Rules) -> tuple[Verdict, str, str] | None:
    """A delta's L2 norm against the base's: (verdict, reason, detail) of a fault, or None."""
    relative = f"norm {size:.6g} against the base's {base_norm:.6g}"
    if size * 1000 > base_norm * rules.to_base_milli:
        return Verdict.INVALID, "norm-cap", f"{relative}: more than {rules.to_base_milli / 1000:g} times"
    if size * 1e9 <= base_norm * rules.zero_nano or size == 0:
        return Verdict.EXCLUDED, "zero-delta", f"{relative}: nothing was learned"
    return None


def _outliers_and_copies(
    sound: Sequence[tuple[Claim, Arrays]], rules: Rules, found: dict[Address, Judgement]
) -> list[tuple[Claim, Arrays]]:
    """Excludes norms far above the round's median, then near-copies; the earliest commit of a group stays."""
    if not sound:
        return []
    sizes = [norm(delta) for _, delta in sound]
    median = upper_median(sizes)
    if rules.to_reference_milli:
        median = inf  # the round's own excludes nobody
    usual = []
    for (claim, delta), size in zip(sound, sizes, strict=True):
        if size * 1000 > median * rules.to_median_milli:
            detail = (
                f"norm {size:.6g} is more than {rules.to_median_milli / 1000:g} times the median {median:.6g}"
            )
            found[claim.solver] = _verdict(claim, Verdict.EXCLUDED, "norm-outlier", detail)
        else:
            usual.append((claim, delta))
    copies = near_copies([(claim.digest, delta) for claim, delta in usual], rules.similarity_milli / 1000)
    kept = []
    for claim, delta in usual:
        if claim.digest in copies:
            twin, cosine = copies[claim.digest]
            detail = f"cosine {cosine:+.4f} to the earlier commit {twin.hex()[:16]}"
            found[claim.solver] = _verdict(claim, Verdict.EXCLUDED, "near-copy", detail)
        else:
            kept.append((claim, delta))
    return kept


def _measure(
    claim: Claim, candidate: Candidate, base_metrics: Metrics, rules: Rules, scorer: Scorer
) -> Judgement:
    try:
        gain, stderr = _micro(scorer.gain(candidate.weights))
        metrics = scorer.metrics(candidate.weights)
    except Rejected as error:
        return _verdict(claim, Verdict.EXCLUDED, NOT_MEASURABLE, error.message)
    found = Judgement(
        claim.solver, claim.digest, Verdict.ACCEPTED, ACCEPTED, "", gain, stderr, metrics=metrics
    )
    broken = scorer.state_guards(base_metrics, metrics, candidate.length, candidate.share)
    if broken:
        return replace(
            found, verdict=Verdict.EXCLUDED, reason="state-guard", detail=_short("; ".join(broken))
        )
    upper = gain + rules.harm_sigmas_milli * stderr // 1000
    if upper < 0:
        detail = (
            f"even {rules.harm_sigmas_milli / 1000:g} standard errors up, its gain is {upper / MICRO:+.6f}"
        )
        return replace(found, verdict=Verdict.EXCLUDED, reason="harm", detail=detail)
    price = lost_variance(base_metrics, metrics, rules.variance_price_milli)
    if price:
        detail = f"its gain of {gain / MICRO:+.6f} counts {price / MICRO:.6f} less: so much variance it costs"
        return replace(found, gain=max(-GAIN_LIMIT, gain - price), detail=detail)
    return found


def _check_own(base: Arrays, scorer: Scorer) -> None:
    """That a delta is not measurable is its own matter where the round's base still is.

    Raises:
        Rejected: reason `own-defect`.
    """
    again = {name: array.copy() for name, array in base.items()}  # what is known of the base says nothing
    try:
        scorer.gain(again)
        scorer.metrics(again)
    except Rejected as error:
        raise Rejected(
            f"this machine can measure neither a delta nor the round's base: {error.message}",
            reason="own-defect",
            remedy="compare the same round on another machine; run `jepanet doctor`",
        ) from error


def _measure_among(
    base: Arrays,
    lengths: Mapping[Digest, Weights],
    solvers: int,
    found: dict[Address, Judgement],
    base_metrics: Metrics,
    rules: Rules,
    scorer: Scorer,
) -> None:
    """Measures the deltas that gain more than their error again, as one of so many as they are."""
    worth = [item for item in found.values() if item.verdict is Verdict.ACCEPTED and item.gain > item.stderr]
    if not 0 < len(worth) < solvers:
        return
    for item in worth:
        candidate = at_share(base, lengths[item.digest], len(worth))
        try:
            gain, stderr = _micro(scorer.gain(candidate))
            metrics = scorer.metrics(candidate) if rules.variance_price_milli else base_metrics
        except Rejected:  # a longer step of it leads nowhere, and is worth nothing there
            found[item.solver] = replace(item, among=(len(worth), -GAIN_LIMIT, 0))
            continue
        gain -= lost_variance(base_metrics, metrics, rules.variance_price_milli)
        found[item.solver] = replace(item, among=(len(worth), max(-GAIN_LIMIT, gain), stderr))


def lost_variance(base: Metrics, candidate: Metrics, price_milli: int) -> int:
    """Micro-nats that lost latent variance costs: a step towards collapse predicts better, to first order.

    What is lost is the logarithm of the base's variance over the candidate's; what is won is worth nothing.
    """
    if not price_milli:
        return 0
    before, after = (max(found["variance"], _LEAST_VARIANCE) for found in (base, candidate))
    return max(0, round(log(before / after) * price_milli * 1000))


def _micro(gain: Gain) -> tuple[int, int]:
    """(gain, standard error) in micro-nats, the error rounded up: never more certain than measured.

    Raises:
        Rejected: nothing was measured. That must not read as a gain of 0 with an error of 0, which no gate
            could hold: a score that is not finite, or one that is certain.
    """
    if not (isfinite(gain.mean) and isfinite(gain.stderr)):
        raise Rejected("its score is not finite", reason=NOT_MEASURABLE)
    if not gain.stderr > 0:
        raise Rejected("its score has no standard error: nothing was measured", reason=NOT_MEASURABLE)
    mean = max(-GAIN_LIMIT, min(GAIN_LIMIT, round(gain.mean * MICRO)))
    return mean, min(GAIN_LIMIT, ceil(gain.stderr * MICRO))


def _verdict(claim: Claim, verdict: Verdict, reason: str, detail: str) -> Judgement:
    return Judgement(claim.solver, claim.digest, verdict, reason, _short(detail))


def _short(text: str) -> str:
    """Printable ASCII, at most 240 characters, as score reports require: parts of it come from strangers."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 240 else plain[:237] + "..."
