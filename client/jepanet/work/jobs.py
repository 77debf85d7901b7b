"""What the worker's child runs: learning and federation joined, files in, files and numbers out.

A job takes a JSON-able dictionary and a progress callback and returns a JSON-able dictionary.
Given the same files, a job gives the same bytes on the same machine; merging does so on every CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import decode_delta, schema_of
from jepanet.federation.judging.judge import (
    UNAVAILABLE,
    Claim,
    Judgement,
    Rules,
    Unscored,
    judge,
    judge_merge,
    merge,
)
from jepanet.files import write_atomically
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.shards import load_shard
from jepanet.learning.data.suitability import check_evaluation
from jepanet.learning.evaluation.grounded import GroundedScorer
from jepanet.learning.evaluation.guards import absolute_guards, state_guards
from jepanet.learning.evaluation.metrics import Metrics, heldout_metrics
from jepanet.learning.recipe import Gates, Recipe
from jepanet.learning.training.checkpoint import ModelHeader, load_model, model_bytes
from jepanet.learning.training.device import probe
from jepanet.learning.training.loop import warm_start
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.types import MICRO, Address, Digest
from jepanet.work.training import Arguments, Progress, repeat_training, round_files, train_delta

__all__ = [
    "first_model", "measure_models", "merge_deltas", "probe_device", "repeat_training", "score_deltas",
    "train_delta",
]  # fmt: skip


def score_deltas(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Judges every claimed delta on the unsealed evaluation shard.

    The shard is the proposer's. One that can score nothing excludes every delta without a fault, with the
    reason in the report: no delta is merged or paid, and no bond is lost for it.
    """
    recipe, spec, base = round_files(arguments)
    claims = [_claim(item, spec) for item in arguments["claims"]]
    scorer: _HeldOut | Unscored
    try:
        scorer = _HeldOut(base.weights, recipe, spec, arguments)
    except Rejected as error:
        scorer = Unscored(f"{error.reason}: {error.message}")
    judged = judge(base.weights, claims, _rules(spec), scorer)
    faults = {item["solver"]: item["fault"] for item in arguments["claims"] if item.get("fault")}
    return {
        "base_metrics": _micro_metrics(judged.base_metrics),
        "judgements": [_judgement(item, faults.get(item.solver)) for item in judged.judgements],
    }


def merge_deltas(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Merges accepted deltas, writes the model file, measures it against the base."""
    recipe, spec, base = round_files(arguments)
    schema = schema_of(base.weights)
    accepted: list[tuple[Digest, Arrays]] = []
    for item in arguments["deltas"]:
        digest, data = Digest(bytes.fromhex(item["digest"])), Path(item["path"]).read_bytes()
        if digest_of(data) != digest:
            raise Rejected(f"the file of delta {digest.hex()} has another hash", reason="hash-mismatch")
        decoded = decode_delta(
            data,
            schema=schema,
            max_bytes=spec.max_delta_bytes,
            base=spec.base,
            recipe=spec.recipe,
            codec=spec.codec,
        )
        accepted.append((digest, decoded))
    weights, velocity = merge(
        base.weights,
        base.velocity,
        accepted,
        rule=spec.merge.rule,
        lr_milli=spec.merge.outer_lr_milli,
        momentum_milli=spec.merge.outer_momentum_milli,
    )
    header = ModelHeader(
        family=recipe.family, recipe=spec.recipe, round=int(arguments["round"]), parent=spec.base
    )
    data = model_bytes(weights, header, velocity)
    write_atomically(Path(arguments["target"]), data)
    scorer = _HeldOut(base.weights, recipe, spec, arguments)
    before = scorer.metrics(base.weights)
    verdict = judge_merge(weights, before, scorer)
    both = {f"before.{name}": value for name, value in before.items()}
    both.update({f"after.{name}": value for name, value in verdict.metrics.items()})
    return {
        "digest": digest_of(data).hex(),
        "published": verdict.published,
        "improvement": verdict.improvement,
        "stderr": verdict.stderr,
        "note": verdict.note[:240],
        "metrics": _micro_metrics(both),
    }


def first_model(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Round 0: the public warm start anyone can repeat from recipe, public shard and seed."""
    recipe = Recipe.from_bytes(Path(arguments["recipe"]).read_bytes())
    weights = warm_start(
        recipe,
        load_shard(Path(arguments["shard"])),
        bytes.fromhex(arguments["seed"]),
        on_step=lambda step: progress({"step": step.step, "steps": step.steps, "loss": step.loss}),
        device=arguments["device"],
    )
    data = model_bytes(
        weights, ModelHeader(family=recipe.family, recipe=recipe.digest(), round=0, parent=None)
    )
    write_atomically(Path(arguments["target"]), data)
    return {"digest": digest_of(data).hex(), "bytes": len(data)}


def probe_device(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Whether the child computes on a device, for `jepanet node check`."""
    return probe(arguments["device"])


def measure_models(arguments: Arguments, progress: Progress) -> dict[str, Any]:
    """Held-out metrics of several models on the same shards, so that models can be compared.

    Returns `{"metrics": [one dictionary a model]}`: each metric's mean over the shards.
    """
    recipe = Recipe.from_bytes(Path(arguments["recipe"]).read_bytes())
    shards = [load_shard(Path(path)) for path in arguments["shards"]]
    found = []
    for number, path in enumerate(arguments["models"]):
        weights = load_model(Path(path), recipe).weights
        each = [_floats(heldout_metrics(weights, recipe, shard)) for shard in shards]
        found.append({name: sum(item[name] for item in each) / len(each) for name in each[0]})
        progress({"step": number + 1, "steps": len(arguments["models"])})
    return {"metrics": found}


class _HeldOut:
    """The scorer `federation.verify` asks for, over one evaluation shard.

    Raises (constructor):
        Rejected: the shard is not what the manifest announces, or can score nothing against this base.
    """

    def __init__(self, base: Arrays, recipe: Recipe, spec: RoundSpec, arguments: Arguments) -> None:
        self._recipe = recipe
        self._shard = load_shard(Path(arguments["evaluation"]))
        manifest = DatasetManifest.from_bytes(Path(arguments["manifest"]).read_bytes())
        check_evaluation(self._shard, manifest, recipe)
        self._grounded = GroundedScorer(base, recipe, self._shard)
        self._gates = _guard_gates(spec)
        self._measured: dict[int, tuple[Arrays, Metrics]] = {}

    def gain(self, weights: Arrays) -> Any:
        return self._grounded.gain(weights)

    def metrics(self, weights: Arrays) -> dict[str, float]:
        return _floats(self._full(weights))

    def state_guards(self, base: Mapping[str, float], candidate: Mapping[str, float]) -> tuple[str, ...]:
        return state_guards(Metrics(**base), Metrics(**candidate), self._gates)

    def merge_guards(self, base: Mapping[str, float], merged: Mapping[str, float]) -> tuple[str, ...]:
        before, after = Metrics(**base), Metrics(**merged)
        return (*state_guards(before, after, self._gates), *absolute_guards(before, after, self._gates))

    def _full(self, weights: Arrays) -> Metrics:
        # The base is asked for several times; keyed by identity, with the arrays kept alive.
        known = self._measured.get(id(weights))
        if known is None:
            known = (weights, heldout_metrics(weights, self._recipe, self._shard))
            self._measured = {id(weights): known}
        return known[1]


def _claim(item: Mapping[str, Any], spec: RoundSpec) -> Claim:
    data = None
    if item["path"] is not None:
        path = Path(item["path"])
        data = path.read_bytes() if path.stat().st_size <= spec.max_delta_bytes else None
    return Claim(Address(item["solver"]), int(item["index"]), Digest(bytes.fromhex(item["digest"])), data)


def _rules(spec: RoundSpec) -> Rules:
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
    )


def _judgement(item: Judgement, fault: str | None) -> dict[str, Any]:
    reason = fault if fault and item.reason == UNAVAILABLE else item.reason
    return {
        "solver": item.solver,
        "digest": item.digest.hex(),
        "verdict": int(item.verdict),
        "reason": reason,
        "detail": item.detail,
        "gain": item.gain,
        "stderr": item.stderr,
        "metrics": _micro_metrics(item.metrics or {}),
    }


def _micro_metrics(metrics: Mapping[str, float]) -> list[list[str | int]]:
    limit = (1 << 53) - 1
    return [[name, max(-limit, min(limit, round(value * MICRO)))] for name, value in sorted(metrics.items())]


def _floats(metrics: Metrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.to_json().items()}
