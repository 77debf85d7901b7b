"""The rules of one round, fixed before it opens: a canonical JSON document whose digest is on chain.

Fractions are integers in thousandths (`_milli`) or billionths (`_nano`), so that every node reads exactly the
same number. Nothing that decides about money or merging lives anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from jepanet.errors import Rejected
from jepanet.protocol.documents.build import BUILD_NAME, BUILD_WORDS, MOST_NAMES
from jepanet.records.codec import Codec
from jepanet.records.marks import SAFE_INTEGER, DecimalText, Form, LeftOut, OneOf, Range, Size
from jepanet.types import Address, Digest, ProjectId

VERSION = 1
MAX_SPEC_BYTES = 64 << 10
MAX_AGGREGATORS = 32
MAX_STEPS = 10_000_000
MAX_DELTA_BYTES = 8 << 30
MAX_PRICE = 10**24
"""Wei per micro-nat. With the caps on gains and deltas no sum can leave uint128 (see `rows`)."""
MAX_PAY = (1 << 128) - 1
"""Wei: amounts of the contracts have 128 bits."""
EXACT, TOLERANT = "exact", "tolerant"
"""How what an audit leads to is compared: byte for byte, or within a distance."""
TRACE = 2
"""Version of the digests and files of states that this program makes, and can compare. It goes up with the
schemas of trace, state and transcript, whenever the same training gives others."""
_NAME = Form(r"[a-z0-9][a-z0-9-]{0,31}", "a name of at most 32 small letters, digits and hyphens")


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How accepted deltas become the next model: merged by a rule, then the DiLoCo outer step (Nesterov)."""

    rule: Annotated[str, _NAME] = "mean"
    outer_lr_milli: Annotated[int, Range(1, 10_000)] = 700
    outer_momentum_milli: Annotated[int, Range(0, 999)] = 600
    drop_sigmas_milli: Annotated[
        int,
        Range(0, 100_000),
        LeftOut(),
        "a delta by which the merge is worse, by more than so many thousandths of a standard error, is "
        "dropped from it, and so is the worst one while the merge does not pass; 0: none is, and a merge "
        "that does not pass is withheld",
    ] = 0


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """The way from a round's base to the next model is itself coded: whoever holds the base needs that alone.

    See `federation.merging.coded`.
    """

    codec: Annotated[str, _NAME, "in which the update is stored"]
    carry_milli: Annotated[
        int, Range(0, 1000), "share of what codes of earlier rounds left out that is added to the next update"
    ] = 1000


@dataclass(frozen=True, slots=True)
class Gates:
    """State guards on base + delta / N and on the merge, and the test for harm.

    In thousandths. Latent variance stays in [variance_floor x base, max(variance_ceiling x base,
    variance_cap)]; log SIGReg rises by at most sigreg_log; effective rank stays above rank_ratio x base. For
    the merge alone: once the base's variance has reached healthy_variance, it never falls below it again.
    For deltas alone: what they may cost (N times what base + delta / N costs) for the root of their length
    over the base's.
    """

    variance_floor_milli: Annotated[int, Range(0, 1000)] = 900
    variance_ceiling_milli: Annotated[int, Range(1000, 100_000)] = 1150
    variance_cap_milli: Annotated[int, Range(0, 100_000)] = 1200
    sigreg_log_milli: Annotated[int, Range(0, 10_000)] = 120
    rank_ratio_milli: Annotated[int, Range(0, 1000)] = 930
    healthy_variance_milli: Annotated[int, Range(0, 10_000)] = 800
    harm_sigmas_milli: Annotated[
        int, Range(0, 100_000), "a delta is excluded when gain + this many standard errors is below zero"
    ] = 8000
    variance_per_length_milli: Annotated[
        int, Range(0, 1_000_000), LeftOut(), "most log variance that is lost; 0: no such bound"
    ] = 0
    sigreg_per_length_milli: Annotated[
        int, Range(0, 1_000_000), LeftOut(), "most growth of log SIGReg; 0: no such bound"
    ] = 0
    rank_per_length_milli: Annotated[
        int, Range(0, 1_000_000), LeftOut(), "most log rank that is lost; 0: no such bound"
    ] = 0


@dataclass(frozen=True, slots=True)
class AuditRule:
    """Trainings leave their states, so that anybody can do a part of one again (`jepanet audit`).

    Of whom the verifiers do parts again before anybody is paid, and which, follows from the round's beacon
    (`settling/audit_draw.py`).
    """

    segments: Annotated[
        int, Range(1, 1024), "most parts of a training, each of which can be repeated by itself"
    ]
    probability_milli: Annotated[
        int,
        Range(0, 1000),
        LeftOut(),
        "thousandths of a chance that a solver is drawn: its training is then done again in parts, and costs "
        "the whole bond where it does not come out as committed to; 0: nobody is drawn",
    ] = 0
    opened: Annotated[
        int,
        Range(0, 1022),
        LeftOut(),
        "parts of a drawn training that are drawn beside its first and its last",
    ] = 1
    build: Annotated[
        dict[Annotated[str, BUILD_NAME], Annotated[str, BUILD_WORDS]] | None,
        Size(1, MOST_NAMES),
        LeftOut(),
        "what every training is computed by: versions, processor and instruction set; without it, each "
        "transcript says its own",
    ] = None
    mode: Annotated[
        str,
        OneOf((EXACT, TOLERANT)),
        LeftOut(),
        "exact: a part leads to the same bytes, on the solver's build alone; tolerant: on any build, to "
        "within a distance that was measured for such recipes",
    ] = EXACT
    trace: Annotated[
        int,
        Range(1, 1 << 16),
        LeftOut(),
        "version of the digests and files of states: those of another one cannot be compared; without it, "
        "the first",
    ] = 1


MAX_WORTH = 10**9
"""Micro-nats: the most that a gain can be."""
MAX_REFERENCE = 10**12
"""Billionths: a thousand times the base's norm."""


@dataclass(frozen=True, slots=True)
class NormCaps:
    """L2 norms a delta may have."""

    to_base_milli: Annotated[
        int,
        Range(1, 1_000_000),
        "above this multiple of the base model's norm a delta is invalid: anyone can recompute it",
    ] = 1000
    to_median_milli: Annotated[
        int, Range(1000, 1_000_000), "above this multiple of the round's median norm a delta is excluded"
    ] = 2000
    zero_nano: Annotated[
        int,
        Range(0, 1_000_000_000),
        "at or below this multiple of the base model's norm a delta counts as zero",
    ] = 1000
    longest_milli: Annotated[
        int,
        Range(0, 1_000_000),
        LeftOut(),
        "a delta longer than this multiple of the round's median norm is measured and merged as if it were "
        "that long; 0: at its own length, else at least 1000",
    ] = 0
    to_reference_milli: Annotated[
        int,
        Range(0, 1_000_000),
        LeftOut(),
        "a delta longer than this multiple of the reference norm is measured and merged as if it were that "
        "long, and neither of the two rules by the round's own median applies; 0: those two do",
    ] = 0
    reference_nano: Annotated[
        int,
        Range(0, MAX_REFERENCE),
        LeftOut(),
        "the reference norm, in billionths of the base model's: what the round that made the base says of "
        "its deltas (`ScoreSheet.reference`); 0: no round has yet, and the round's own median stands for it",
    ] = 0

    @property
    def referred(self) -> bool:
        """Whether lengths are held against the reference."""
        return self.to_reference_milli > 0 and self.reference_nano > 0

    @property
    def to_own_median_milli(self) -> int:
        """Thousandths of the round's own median norm that a delta counts as at most; 0: that decides nothing.

        Where lengths are to be held against a reference that no round has made yet, its own median stands for
        it: whoever is longer is shortened, and nobody excluded, since a majority of tiny deltas sets it.
        """
        return 0 if self.referred else self.longest_milli or self.to_reference_milli


@dataclass(frozen=True, slots=True)
class RoundSpec:
    """Everything a node needs to know about a round beside the chain's own parameters."""

    HEAD: ClassVar = {"version": VERSION}

    project: Annotated[ProjectId, Range(1, SAFE_INTEGER)]
    base: Digest
    recipe: Digest
    dataset: Annotated[Digest, "dataset manifest: training and evaluation shards"]
    inner_steps: Annotated[int, Range(1, MAX_STEPS), "optimiser steps a solver takes (H)"]
    start_step: Annotated[
        int,
        Range(0, MAX_STEPS),
        "steps every solver has taken before this round: where the learning-rate schedule resumes",
    ]
    total_steps: Annotated[int, Range(1, MAX_STEPS)]
    codec: Annotated[str, _NAME]
    max_delta_bytes: Annotated[int, Range(1, MAX_DELTA_BYTES)]
    price: Annotated[int, DecimalText(MAX_PRICE), "wei per micro-nat of shrunk gain"]
    shrink_milli: Annotated[
        int, Range(0, 100_000), "thousandths of a standard error taken off each gain before it is paid"
    ] = 1000
    similarity_milli: Annotated[
        int, Range(1, 1000), "|cosine| from which two deltas of a round are near-copies"
    ] = 900
    score_tolerance: Annotated[
        int,
        Range(0, 1_000_000_000),
        "micro-nats a coordinator may be off the median and still earn its fee",
    ] = 2000
    merge: MergeRule = field(default_factory=MergeRule)
    gates: Gates = field(default_factory=Gates)
    norms: NormCaps = field(default_factory=NormCaps)
    aggregators: Annotated[
        tuple[Address, ...],
        Size(0, MAX_AGGREGATORS),
        "who may propose sheets beside the verifiers; earlier ones go first",
    ] = ()
    update: Annotated[
        UpdateRule | None, LeftOut(), "how the update is coded; without it, the exact outer step"
    ] = None
    feedback_milli: Annotated[
        int,
        Range(0, 1000),
        LeftOut(),
        "share of what the codec left out of a solver's last delta that the solver adds to its next",
    ] = 1000
    allow_list: Annotated[
        Digest | None, LeftOut(), "document of the accounts that may commit; without it, everybody may"
    ] = None
    audit: Annotated[
        AuditRule | None,
        LeftOut(),
        "what every training leaves for audits; without it, trainings can only be repeated whole",
    ] = None
    committed_scores: Annotated[
        bool,
        LeftOut(),
        "coordinators commit to their scores before any are opened; a fee is for scores that were committed "
        "to in time, and whose gains, errors and verdicts stand",
    ] = False
    pay_cap: Annotated[
        int | None,
        DecimalText(MAX_PAY),
        LeftOut(),
        "wei that one delta is paid at most; without it, the budget",
    ] = None
    pay_to_median_milli: Annotated[
        int,
        Range(0, 1_000_000),
        LeftOut(),
        "thousandths of the upper median of what deltas of the round earn that one is paid at most "
        "(`settling.caps`); 0: no such limit, else at least 1000",
    ] = 0
    usual_follows: Annotated[
        bool,
        LeftOut(),
        "whether what is usual follows from round to round, within bounds, instead of from the round's own "
        "deltas alone (`settling.caps`)",
    ] = False
    usual_worth: Annotated[
        int,
        Range(0, MAX_WORTH),
        LeftOut(),
        "what a delta was usually worth in the round that made the base, in micro-nats (`ScoreSheet.usual`), "
        "where it follows; 0: no round has said",
    ] = 0
    usual_count: Annotated[
        int,
        Range(0, 1024),
        LeftOut(),
        "as one of how many deltas it was worth that (`ScoreSheet.usual_count`): as one of another number it "
        "is worth the more the fewer they are; 0 in rounds of earlier versions, which did not say",
    ] = 0
    pay_as_merged: Annotated[
        bool,
        LeftOut(),
        "whether a delta is paid for its gain as one of those that are merged (`settling.shares`), rather "
        "than of all that were revealed",
    ] = False
    evaluation_episodes: Annotated[
        int,
        Range(0, 100_000),
        LeftOut(),
        "episodes of the unsealed shard, chosen by the round's beacon, over which everything is measured; 0: "
        "all of them",
    ] = 0
    variance_price_milli: Annotated[
        int,
        Range(0, 100_000),
        LeftOut(),
        "thousandths of a nat by which a gain counts less for each nat (of the logarithm) of latent variance "
        "that base + delta / N lacks of the base's",
    ] = 0


SPEC = Codec(RoundSpec, "round spec", max_bytes=MAX_SPEC_BYTES)


def encode_spec(spec: RoundSpec) -> bytes:
    """Canonical JSON of a spec.

    Raises:
        Rejected: a field out of bounds, so that nobody can publish a spec that others refuse.
    """
    _check(spec)
    return SPEC.encode(spec)


def decode_spec(data: bytes) -> RoundSpec:
    """A spec from untrusted bytes.

    Raises:
        Rejected: too large, not canonical JSON, or a field that is missing, unknown or out of bounds.
    """
    spec = SPEC.decode(data)
    _check(spec)
    return spec


def _check(spec: RoundSpec) -> None:
    if spec.start_step + spec.inner_steps > spec.total_steps:
        raise Rejected("round spec: the round ends after total_steps", reason="bad-field")
    if spec.pay_cap == 0:
        raise Rejected("round spec: pay_cap is 0, and nobody would be paid", reason="bad-field")
    if len(set(spec.aggregators)) != len(spec.aggregators):
        raise Rejected("round spec: an aggregator is listed twice", reason="bad-field")
    if spec.audit is not None and spec.audit.mode == TOLERANT and spec.audit.build is not None:
        raise Rejected("round spec: audits that are tolerant of builds name one", reason="bad-field")
