"""The rules of one round, fixed before it opens: a canonical JSON document whose digest is on chain.

Fractions are integers in thousandths (`_milli`) or billionths (`_nano`), so that every node reads exactly the
same number. Nothing that decides about money or merging lives anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jepanet.errors import Rejected
from jepanet.protocol.documents.fields import SAFE_INTEGER, Fields, parse_document
from jepanet.tensors import canonical_json
from jepanet.types import Address, Digest, ProjectId

VERSION = 1
MAX_SPEC_BYTES = 64 << 10
MAX_AGGREGATORS = 32
MAX_STEPS = 10_000_000
MAX_DELTA_BYTES = 8 << 30
MAX_PRICE = 10**24
"""Wei per micro-nat. With the caps on gains and deltas no sum can leave uint128 (see `tally`)."""
CODECS = ("fp32", "bf16", "int8", "int6", "topk10", "topk3", "topk1")
MERGE_RULES = ("mean", "median", "trimmed", "krum", "multi-krum", "geometric-median", "ties")


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How accepted deltas become the next model: merged by a rule, then the DiLoCo outer step (Nesterov)."""

    rule: str = "mean"
    outer_lr_milli: int = 700
    outer_momentum_milli: int = 600


@dataclass(frozen=True, slots=True)
class Gates:
    """State guards on base + delta / N and on the merge, and the test for harm.

    In thousandths. Latent variance stays in [variance_floor x base, max(variance_ceiling x base,
    variance_cap)]; log SIGReg rises by at most sigreg_log; effective rank stays above rank_ratio x base. For
    the merge alone: once the base's variance has reached healthy_variance, it never falls below it again.
    """

    variance_floor_milli: int = 900
    variance_ceiling_milli: int = 1150
    variance_cap_milli: int = 1200
    sigreg_log_milli: int = 120
    rank_ratio_milli: int = 930
    healthy_variance_milli: int = 800
    harm_sigmas_milli: int = 3000
    """Excluded when gain + this many standard errors is still below zero."""


@dataclass(frozen=True, slots=True)
class NormCaps:
    """L2 norms a delta may have."""

    to_base_milli: int = 1000
    """Above this multiple of the base model's norm a delta is invalid: anyone can recompute it."""
    to_median_milli: int = 2000
    """Above this multiple of the round's median norm a delta is excluded."""
    zero_nano: int = 1000
    """At or below this multiple of the base model's norm a delta counts as zero."""


@dataclass(frozen=True, slots=True)
class RoundSpec:
    """Everything a node needs to know about a round beside the chain's own parameters."""

    project: ProjectId
    base: Digest
    recipe: Digest
    dataset: Digest
    """Dataset manifest: training and evaluation shards."""
    inner_steps: int
    """Optimiser steps a solver takes (H)."""
    start_step: int
    """Steps every solver has taken before this round: where the learning-rate schedule resumes."""
    total_steps: int
    codec: str
    max_delta_bytes: int
    price: int
    """Wei per micro-nat of shrunk gain."""
    shrink_milli: int = 1000
    """Thousandths of a standard error taken off each gain before it is paid."""
    similarity_milli: int = 900
    """|cosine| from which two deltas of a round are near-copies."""
    score_tolerance: int = 2000
    """Micro-nats a coordinator may be off the median and still earn its fee."""
    merge: MergeRule = field(default_factory=MergeRule)
    gates: Gates = field(default_factory=Gates)
    norms: NormCaps = field(default_factory=NormCaps)
    aggregators: tuple[Address, ...] = ()
    """Who may propose sheets beside the verifiers; earlier ones go first."""


def encode_spec(spec: RoundSpec) -> bytes:
    """Canonical JSON of a spec.

    Raises:
        Rejected: a field out of bounds, so that nobody can publish a spec that others refuse.
    """
    document = {
        "version": VERSION,
        "project": spec.project,
        "base": "0x" + spec.base.hex(),
        "recipe": "0x" + spec.recipe.hex(),
        "dataset": "0x" + spec.dataset.hex(),
        "inner_steps": spec.inner_steps,
        "start_step": spec.start_step,
        "total_steps": spec.total_steps,
        "codec": spec.codec,
        "max_delta_bytes": spec.max_delta_bytes,
        "price": str(spec.price),
        "shrink_milli": spec.shrink_milli,
        "similarity_milli": spec.similarity_milli,
        "score_tolerance": spec.score_tolerance,
        "merge": _members(spec.merge),
        "gates": _members(spec.gates),
        "norms": _members(spec.norms),
        "aggregators": list(spec.aggregators),
    }
    data = canonical_json(document)
    decode_spec(data)
    return data


def decode_spec(data: bytes) -> RoundSpec:
    """A spec from untrusted bytes.

    Raises:
        Rejected: too large, not canonical JSON, or a field that is missing, unknown or out of bounds.
    """
    what = "round spec"
    fields = Fields(parse_document(data, max_bytes=MAX_SPEC_BYTES, what=what), what, _NAMES)
    if fields.integer("version", 0, SAFE_INTEGER) != VERSION:
        raise Rejected(
            f"{what}: another version than {VERSION}", reason="version", remedy="use the release it names"
        )
    spec = RoundSpec(
        project=ProjectId(fields.integer("project", 1, SAFE_INTEGER)),
        base=fields.digest("base"),
        recipe=fields.digest("recipe"),
        dataset=fields.digest("dataset"),
        inner_steps=fields.integer("inner_steps", 1, MAX_STEPS),
        start_step=fields.integer("start_step", 0, MAX_STEPS),
        total_steps=fields.integer("total_steps", 1, MAX_STEPS),
        codec=fields.choice("codec", CODECS),
        max_delta_bytes=fields.integer("max_delta_bytes", 1, MAX_DELTA_BYTES),
        price=fields.big("price", MAX_PRICE),
        shrink_milli=fields.integer("shrink_milli", 0, 100_000),
        similarity_milli=fields.integer("similarity_milli", 1, 1000),
        score_tolerance=fields.integer("score_tolerance", 0, 1_000_000_000),
        merge=_merge(fields.member("merge")),
        gates=_gates(fields.member("gates")),
        norms=_norms(fields.member("norms")),
        aggregators=fields.addresses("aggregators", MAX_AGGREGATORS),
    )
    if spec.start_step + spec.inner_steps > spec.total_steps:
        raise Rejected(f"{what}: the round ends after total_steps", reason="bad-field")
    if len(set(spec.aggregators)) != len(spec.aggregators):
        raise Rejected(f"{what}: an aggregator is listed twice", reason="bad-field")
    return spec


def check_spec(spec: RoundSpec, *, project: ProjectId, base: bytes, recipe: bytes, dataset: bytes) -> None:
    """Holds a published spec against what the chain says of its round and project.

    Raises:
        Rejected: reason `wrong-spec`; the spec names another project, base, recipe or dataset.
    """
    for name, said, known in (
        ("project", spec.project, project),
        ("base", spec.base, base),
        ("recipe", spec.recipe, recipe),
        ("dataset", spec.dataset, dataset),
    ):
        if said != known:
            raise Rejected(f"the round's spec names another {name} than the chain", reason="wrong-spec")


def _merge(value: Any) -> MergeRule:
    fields = Fields(value, "round spec merge", tuple(MergeRule.__dataclass_fields__))
    return MergeRule(
        rule=fields.choice("rule", MERGE_RULES),
        outer_lr_milli=fields.integer("outer_lr_milli", 1, 10_000),
        outer_momentum_milli=fields.integer("outer_momentum_milli", 0, 999),
    )


def _gates(value: Any) -> Gates:
    fields = Fields(value, "round spec gates", tuple(Gates.__dataclass_fields__))
    return Gates(
        variance_floor_milli=fields.integer("variance_floor_milli", 0, 1000),
        variance_ceiling_milli=fields.integer("variance_ceiling_milli", 1000, 100_000),
        variance_cap_milli=fields.integer("variance_cap_milli", 0, 100_000),
        sigreg_log_milli=fields.integer("sigreg_log_milli", 0, 10_000),
        rank_ratio_milli=fields.integer("rank_ratio_milli", 0, 1000),
        healthy_variance_milli=fields.integer("healthy_variance_milli", 0, 10_000),
        harm_sigmas_milli=fields.integer("harm_sigmas_milli", 0, 100_000),
    )


def _norms(value: Any) -> NormCaps:
    fields = Fields(value, "round spec norms", tuple(NormCaps.__dataclass_fields__))
    return NormCaps(
        to_base_milli=fields.integer("to_base_milli", 1, 1_000_000),
        to_median_milli=fields.integer("to_median_milli", 1000, 1_000_000),
        zero_nano=fields.integer("zero_nano", 0, 1_000_000_000),
    )


def _members(value: MergeRule | Gates | NormCaps) -> dict[str, int | str]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


_NAMES = ("version", *RoundSpec.__dataclass_fields__)
