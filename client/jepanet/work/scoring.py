"""The scoring job: every revealed delta of a round judged on the shard the round unsealed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import isfinite

from jepanet.errors import Rejected
from jepanet.federation.judging.judge import UNAVAILABLE, Claim, Judgement, Rules, Unscored, judge
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.measured_part import check_part, part_of
from jepanet.learning.data.scorable import check_sites
from jepanet.learning.data.shards import Shard, load_shard
from jepanet.learning.data.suitability import check_evaluation
from jepanet.learning.evaluation.agreement import allowed, apart
from jepanet.learning.evaluation.doubt import Doubt
from jepanet.learning.evaluation.gain import Gain
from jepanet.learning.evaluation.guards import absolute_guards, length_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics, encode, metrics_of
from jepanet.learning.evaluation.scorer import scorer_of
from jepanet.learning.family import Encoded, check_weights
from jepanet.learning.machine.device import CPU
from jepanet.learning.recipe import Gates, Recipe
from jepanet.protocol.documents.scores import Among
from jepanet.protocol.documents.scores import Metrics as Millionths
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.types import MICRO
from jepanet.work.requests.files import EvaluationFiles
from jepanet.work.requests.machine import ON_CPU, MeasuredOn
from jepanet.work.requests.request import OnProgress
from jepanet.work.requests.scoring import ClaimedDelta, ScoreClaims, ScoredDelta, ScoredDeltas
from jepanet.work.room import NO_ROOM, check_comparable, check_measurable
from jepanet.work.round_files import OpenedRound, open_round
from jepanet.work.strangers_files import from_a_stranger

_LIMIT = (1 << 53) - 1
"""JSON's largest whole number."""


def score_claims(request: ScoreClaims, on_progress: OnProgress) -> ScoredDeltas:
    """Judges every claimed delta on the unsealed evaluation shard.

    The shard is the proposer's. One that can score nothing excludes every delta without a fault, with the
    reason in the report: no delta is merged or paid, and no bond is lost for it.
    """
    round_ = open_round(request.round)
    claims = [_claim(item, round_.spec) for item in request.claims]
    check_measurable(round_.recipe, request.device, len({item.digest for item in request.claims}) + 3)
    scorer: HeldOut | Unscored
    try:
        scorer = HeldOut(round_, request.evaluation, request.device)
    except Rejected as error:
        if error.reason == NO_ROOM:  # of this machine alone: others may measure
            raise
        scorer = Unscored(f"{error.reason}: {error.message}")
    rules = rules_of(round_.spec, round_.recipe)
    other: HeldOut | Unscored | None = None
    if isinstance(scorer, HeldOut) and scorer.doubt is not None:
        refusal = Unscored(scorer.doubt.why)
        scorer, other = (refusal, scorer) if scorer.doubt.refused else (scorer, refusal)
    judged = judge(round_.base.weights, claims, rules, scorer)
    again = () if other is None else judge(round_.base.weights, claims, rules, other).judgements
    where = next((item.where for item in (scorer, other) if isinstance(item, HeldOut)), ON_CPU)
    faults = {item.solver: item.fault for item in request.claims if item.fault}
    return ScoredDeltas(
        base_metrics=millionths(judged.base_metrics),
        judgements=tuple(_scored(item, faults.get(item.solver)) for item in judged.judgements),
        where=where,
        otherwise=tuple(_scored(item, faults.get(item.solver)) for item in again),
    )


class HeldOut:
    """The scorer that `federation.judging.judge` asks for, over one evaluation shard.

    Raises (constructor):
        Rejected: the shard is not what the manifest announces, or can score nothing against this base; or
            what models make of it has no room here (`NO_ROOM`).
    """

    def __init__(self, round_: OpenedRound, files: EvaluationFiles, device: str) -> None:
        self._recipe = round_.recipe
        self._shard = load_shard(files.shard)
        manifest = DatasetManifest.from_bytes(files.manifest.read_bytes())
        check_evaluation(self._shard, manifest, self._recipe)
        self._shard = _measured_part(self._shard, round_, manifest, files.beacon)
        check_comparable(self._recipe, self._shard)
        self.where = _where(round_, self._shard, device)
        self._device = device = self.where.device
        self._gates = _guard_gates(round_.spec)
        base = round_.base.weights
        encoded = encode(base, self._recipe, self._shard, device=device)
        self._scorer = scorer_of(base, self._recipe, self._shard, device=device, encoded=encoded)
        self._last: tuple[Arrays, Encoded] = (base, encoded)
        """What was encoded last, and of which weights: at first the base, whose metrics come next."""

    @property
    def unit(self) -> str:
        return self._scorer.unit

    @property
    def doubt(self) -> Doubt | None:
        return self._scorer.doubt

    def gain(self, weights: Arrays) -> Gain:
        """Of weights that nobody has checked yet: base + delta / N, or a merge. Whatever they lead to is
        theirs: it ends no round.

        Raises:
            Rejected: it cannot be measured. Transient: this machine lacks something.
        """
        with from_a_stranger("its score"):
            check_weights(weights, self._recipe.family)
            return self._scorer.gain_of(self._encoded(weights))

    def metrics(self, weights: Arrays) -> dict[str, float]:
        """Of the base, or of weights whose gain was measured. Raises as `gain`."""
        with from_a_stranger("its metrics"):
            found = plain_metrics(metrics_of(self._encoded(weights), self._shard, self._recipe))
        if not all(map(isfinite, found.values())):
            raise Rejected("its metrics are not finite", reason="non-finite")
        return found

    def state_guards(
        self, base: Mapping[str, float], candidate: Mapping[str, float], length: float, share: float
    ) -> tuple[str, ...]:
        before, after, gates = Metrics(**base), Metrics(**candidate), self._gates
        return (*state_guards(before, after, gates), *length_guards(before, after, gates, length, share))

    def merge_guards(self, base: Mapping[str, float], merged: Mapping[str, float]) -> tuple[str, ...]:
        before, after = Metrics(**base), Metrics(**merged)
        return (*state_guards(before, after, self._gates), *absolute_guards(before, after, self._gates))

    def _encoded(self, weights: Arrays) -> Encoded:
        # Gain and metrics of the same weights are asked for one after the other. Kept alive, so `is` is safe.
        if self._last[0] is not weights:
            self._last = (weights, encode(weights, self._recipe, self._shard, device=self._device))
        return self._last[1]


def _measured_part(
    shard: Shard, round_: OpenedRound, manifest: DatasetManifest, beacon: bytes | None
) -> Shard:
    """What a round is measured over. Raises: Rejected as `check_part`, or `no-beacon`."""
    episodes = round_.spec.evaluation_episodes
    check_part(episodes, manifest, round_.recipe)
    if episodes in (0, shard.episodes):
        return shard
    if beacon is None:
        raise Rejected(
            "the episodes of this round are chosen by its beacon, which is unknown", reason="no-beacon"
        )
    part = part_of(shard, episodes, beacon)
    check_sites(part.site)
    return part


def _where(round_: OpenedRound, shard: Shard, device: str) -> MeasuredOn:
    """The device, if it computes what a CPU does; else the CPU, whose numbers others can measure again."""
    if device == CPU:
        return ON_CPU
    found = apart(round_.base.weights, round_.recipe, shard, device)
    if found <= allowed(round_.spec.score_tolerance):
        return MeasuredOn(device, found)
    return MeasuredOn(CPU, min(found, sys.float_info.max), refused=device)


def millionths(metrics: Mapping[str, float]) -> Millionths:
    """Metrics as notes of a document: whole millionths, ascending by name, cut to what JSON holds exactly."""
    return tuple(
        (name, max(-_LIMIT, min(_LIMIT, round(value * MICRO)))) for name, value in sorted(metrics.items())
    )


def plain_metrics(metrics: Metrics) -> dict[str, float]:
    """Metrics by name."""
    return {name: float(value) for name, value in metrics.to_json().items()}


def _claim(item: ClaimedDelta, spec: RoundSpec) -> Claim:
    data = None
    if item.path is not None:
        data = item.path.read_bytes() if item.path.stat().st_size <= spec.max_delta_bytes else None
    return Claim(item.solver, item.index, item.digest, data)


def rules_of(spec: RoundSpec, recipe: Recipe) -> Rules:
    """What judging needs of a round."""
    return Rules(
        base=spec.base,
        recipe=spec.recipe,
        codec=spec.codec,
        max_delta_bytes=spec.max_delta_bytes,
        to_base_milli=spec.norms.to_base_milli,
        to_median_milli=spec.norms.to_median_milli,
        zero_nano=spec.norms.zero_nano,
        similarity_milli=spec.similarity_milli,
        harm_sigmas_milli=spec.gates.harm_sigmas_milli,
        longest_milli=spec.norms.to_own_median_milli,
        to_reference_milli=spec.norms.to_reference_milli,
        reference_nano=spec.norms.reference_nano,
        pay_as_merged=spec.pay_as_merged,
        variance_price_milli=spec.variance_price_milli,
        frozen=recipe.family.frozen,
        audited=spec.audit is not None,
    )


def _guard_gates(spec: RoundSpec) -> Gates:
    """The round's guards: the spec decides, not the recipe's defaults."""
    gates = spec.gates
    return Gates(
        variance_floor=gates.variance_floor_milli / 1000,
        variance_ceiling=gates.variance_ceiling_milli / 1000,
        variance_cap=gates.variance_cap_milli / 1000,
        sigreg_log=gates.sigreg_log_milli / 1000,
        rank_ratio=gates.rank_ratio_milli / 1000,
        healthy_variance=gates.healthy_variance_milli / 1000,
        harm_sigmas=gates.harm_sigmas_milli / 1000,
        variance_per_length=gates.variance_per_length_milli / 1000,
        sigreg_per_length=gates.sigreg_per_length_milli / 1000,
        rank_per_length=gates.rank_per_length_milli / 1000,
    )


def _scored(item: Judgement, fault: str | None) -> ScoredDelta:
    return ScoredDelta(
        solver=item.solver,
        digest=item.digest,
        verdict=item.verdict,
        reason=fault if fault and item.reason == UNAVAILABLE else item.reason,
        detail=item.detail,
        gain=item.gain,
        stderr=item.stderr,
        metrics=millionths(item.metrics or {}),
        among=None if item.among is None else Among(*item.among),
    )
