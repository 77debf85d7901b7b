"""Which segments of a training are audited, and which files that takes."""

from __future__ import annotations

from jepanet.cid import digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import transcript_of
from jepanet.federation.deltas.feedback import residual_source
from jepanet.learning.auditing.division import segment_ends
from jepanet.learning.training.resuming.trace import digest_of_arrays
from jepanet.protocol.settling.audit_draw import drawn_segments
from jepanet.tensors import decode_tensors
from jepanet.work.audit_rules import check_trace, is_tolerant
from jepanet.work.requests.audit_plan import (
    AuditPlan,
    DrawnSegment,
    NameCarried,
    Named,
    NameLeft,
    NameSource,
    NameTranscript,
    PlanAudit,
)
from jepanet.work.requests.request import OnProgress
from jepanet.work.round_files import open_round
from jepanet.work.strangers_files import from_a_stranger
from jepanet.work.transcript import check_build, check_named_build, decode_transcript, part_of


def name_transcript(request: NameTranscript, on_progress: OnProgress) -> Named:
    """The transcript that a delta names; none where its bytes are no delta that names one."""
    data = request.delta.read_bytes()
    try:
        with from_a_stranger("delta"):
            named, _ = transcript_of(data, max_bytes=request.max_bytes)
    except Rejected:
        return Named(None)
    return Named(named)


def name_source(request: NameSource, on_progress: OnProgress) -> Named:
    """The delta that left a residual; none where its bytes are no residual."""
    data = request.residual.read_bytes()
    try:
        with from_a_stranger("residual"):
            return Named(residual_source(data))
    except Rejected:
        return Named(None)


def name_carried(request: NameCarried, on_progress: OnProgress) -> Named:
    """What a residual holds; none where its bytes are no residual."""
    data = request.residual.read_bytes()
    try:
        with from_a_stranger("residual"):
            return Named(digest_of_arrays(decode_tensors(data, max_bytes=len(data), what="residual")[0]))
    except Rejected:
        return Named(None)


def name_left(request: NameLeft, on_progress: OnProgress) -> Named:
    """What a delta left out; none where its transcript says of nothing, or is none of its round."""
    data = request.transcript.read_bytes()
    try:
        with from_a_stranger("transcript"):
            return Named(decode_transcript(data, spec=request.spec).left)
    except Rejected:
        return Named(None)


def plan_audit(request: PlanAudit, on_progress: OnProgress) -> AuditPlan:
    """The segments that the round's beacon draws of one solver's training.

    Raises:
        Rejected: the round's files are refused, its rules ask for no audits (`not-audited`) or for states of
            another version (`other-trace`), or this is another build than the solver's (`other-build`), where
            digests cannot be compared.
    """
    round_ = open_round(request.round)
    rule = round_.spec.audit
    if rule is None:
        raise Rejected("the round's rules say nothing of audits", reason="not-audited")
    check_trace(rule)
    data, spec = request.transcript.read_bytes(), digest_of(request.round.spec.read_bytes())
    try:
        with from_a_stranger("transcript"):
            transcript = decode_transcript(data, spec=spec)
        check_named_build(transcript, rule)
    except Rejected as error:
        return AuditPlan((), None, "transcript", error.message[:1000])
    tolerant = is_tolerant(round_.spec)
    if not tolerant:
        check_build(transcript)
    ends = [item.end.step for item in transcript.segments]
    wanted = segment_ends(round_.recipe, round_.spec.inner_steps, rule.segments)
    if ends != wanted:
        detail = f"{len(ends)} segments that end after step {ends[-1]}; by the round's rules {len(wanted)}"
        return AuditPlan((), None, "segments", f"{detail} that end after step {wanted[-1]}")
    beacon = int.from_bytes(request.beacon, "big")
    numbers = drawn_segments(rule, beacon, request.round_id, request.solver, count=len(ends))
    drawn = []
    for number in numbers:
        part = part_of(transcript, number)
        state = part.before.state if part.before else None
        after = part.segment.state if tolerant else None
        drawn.append(DrawnSegment(number, state, number == len(ends) - 1, after))
    return AuditPlan(tuple(drawn), transcript.taken, tolerant=tolerant)
