"""Whether the trainings of a round can be audited at all. Importing it imports no torch."""

from __future__ import annotations

from jepanet.division import MAX_SEGMENTS, segment_count, segment_steps
from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.learning.auditing.auditable import check_auditable, check_tolerable
from jepanet.learning.auditing.division import measured_every
from jepanet.learning.recipe import Recipe
from jepanet.protocol.documents.spec import TOLERANT, TRACE, AuditRule, RoundSpec


def is_tolerant(spec: RoundSpec) -> bool:
    return spec.audit is not None and spec.audit.mode == TOLERANT


def check_trace(rule: AuditRule) -> None:
    """Whether this program makes the digests that a round's states are told by. Those of another version
    differ for the same training, and say nothing of who made them.

    Raises:
        Rejected: `other-trace`.
    """
    if rule.trace < TRACE:
        raise Rejected(
            f"states of the round are of version {rule.trace}, made by an earlier version of this program: "
            f"not comparable with version {TRACE}, which this one makes",
            reason="other-trace",
            remedy="wait for a round that an updated proposer opens; a difference of versions says nothing "
            "of a solver",
        )
    if rule.trace > TRACE:
        raise Rejected(
            f"states of the round are of version {rule.trace}, and this program makes version {TRACE}",
            reason="other-trace",
            remedy="update jepanet, or leave such projects out of projects.follow",
        )


def check_audits(spec: RoundSpec, recipe: Recipe) -> None:
    """Whether trainings of such a round can be audited as its rules say; nothing where they ask for none.

    Raises:
        Rejected: as `check_trace` or `check_auditable`, or a training has more segments than a transcript
            holds; where distances are compared `not-calibrated`, as `check_tolerable`, or what the codec
            leaves out goes into the next delta: only its digest is committed to.
    """
    if spec.audit is not None:
        check_trace(spec.audit)
        check_rule(spec.audit, recipe, spec.inner_steps, spec.codec, spec.feedback_milli)


def check_rule(rule: AuditRule, recipe: Recipe, steps: int, codec: str, feedback_milli: int) -> None:
    """As `check_audits`, of rounds that are not opened yet: trainings of so many `steps`, whose deltas are
    coded so."""
    check_auditable(recipe)
    count = segment_count(steps, rule.segments, measured_every(recipe))
    if count > MAX_SEGMENTS:
        raise Rejected(
            f"a training of {steps:,} steps has {count:,} segments, with those of its guard: "
            f"a transcript holds {MAX_SEGMENTS:,}",
            reason="not-auditable",
            remedy="write a larger guard.every or fewer steps, or open rounds without audits",
        )
    if rule.mode != TOLERANT:
        return
    check_tolerable(recipe, segment_steps(steps, rule.segments))
    if CODECS[codec].feedback and feedback_milli:
        raise Rejected(
            f"what codec {codec} leaves out of a delta is added to the next, and comes out otherwise on "
            "every build: it cannot be audited by distance",
            reason="not-calibrated",
            remedy="name another codec (int8), write 0 for proposer.feedback_milli, or open rounds whose "
            "audits are exact",
        )
