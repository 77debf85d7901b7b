"""What a training leaves for audits, and a part of it done again."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass

from jepanet.cid import blake3_file, blake3_of, digest_file, digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import transcript_of
from jepanet.files import write_atomically
from jepanet.learning.auditing.division import segment_ends
from jepanet.learning.auditing.replay import Begun, Claimed, Replayed, replay
from jepanet.learning.auditing.segments import Segments
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import TrainResult
from jepanet.learning.training.resuming.trace import digest_of_arrays
from jepanet.learning.training.step.taking import Span
from jepanet.learning.training.supply import Supply
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.tensors import Arrays
from jepanet.types import Digest
from jepanet.work.audit_rules import check_audits, check_trace, is_tolerant
from jepanet.work.ends import compared_deltas, compared_ends
from jepanet.work.last_steps import LastSteps, last_steps
from jepanet.work.processes.part import data_of
from jepanet.work.requests.auditing import (
    AuditedSegment,
    AuditedSegments,
    AuditPlace,
    AuditSegment,
    AuditSegments,
    KeptState,
    LeftForAudits,
    SegmentAgain,
)
from jepanet.work.requests.request import OnProgress
from jepanet.work.room import check_trainable
from jepanet.work.round_files import OpenedRound, open_round
from jepanet.work.strangers_files import from_a_stranger
from jepanet.work.transcript import (
    Part,
    Segment,
    Transcript,
    check_build,
    check_named_build,
    check_own_build,
    decode_transcript,
    encode_transcript,
    losses_digest,
    part_of,
)


def segments_of(spec: RoundSpec, recipe: Recipe, place: AuditPlace) -> Segments:
    """Where the states of a training in this round are kept, and how many steps apart.

    Raises:
        Rejected: `not-audited`, the round's rules ask for none; as `check_audits`; `other-build`, they name
            another build than this one.
    """
    if spec.audit is None:
        raise Rejected("the round's rules say nothing of audits", reason="not-audited")
    check_audits(spec, recipe)
    check_own_build(spec.audit)
    return Segments(place.folder, spec.audit.segments)


def write_transcript(
    result: TrainResult, last: LastSteps, taken: Digest | None, spec_digest: Digest, place: AuditPlace,
    segments: Segments,
) -> LeftForAudits:  # fmt: skip
    """Writes the transcript of a training whose states were kept.

    `taken`: of the file of what the delta before left out, where this one adds it.

    Raises:
        Rejected: `segments-missing`.
    """
    points = result.trace.points
    kept = segments.kept([point.step for point in points])
    states = tuple(KeptState(item.step, item.state, item.digest) for item in kept)
    left = last.made.left_out
    transcript = Transcript(
        spec=spec_digest,
        segments=tuple(
            Segment(point, state.digest, losses_digest(place.key, point.step, item.losses))
            for point, state, item in zip(points, states, kept, strict=True)
        ),
        taken=taken if last.before is not None else None,
        left=None if left is None else digest_of_arrays(left),
        build=surroundings(),
    )
    data = encode_transcript(transcript)
    write_atomically(place.target, data)
    return LeftForAudits(digest_of(data), states)


def audit_segments(request: AuditSegments, on_progress: OnProgress) -> AuditedSegments:
    """Does segments of a training again and compares the state at the end of each; of the last one also the
    delta. What all of them begin with is read and made once.

    Raises:
        Rejected: the round's files or the transcript are refused, the delta names another transcript
            (`other-transcript`), the round is not audited (`not-audited`), or by states of another version
            (`other-trace`), distances cannot be judged in it (`not-calibrated`), or digests are compared and
            this is another build than the solver's (`other-build`), where equal work gives others.
        Transient: a shard is missing or damaged.
    """
    round_ = open_round(request.round)
    if round_.spec.audit is None:
        raise Rejected("the round's rules say nothing of audits", reason="not-audited")
    check_trace(round_.spec.audit)
    document = request.transcript.read_bytes()
    claimed = request.claimed.read_bytes()
    named, tensors = transcript_of(claimed, max_bytes=round_.spec.max_delta_bytes)
    if named == blake3_of([document]):
        wrong = AuditedSegment("transcript", "it is named by its BLAKE3: only states may be", (), 0.0)
        return AuditedSegments((wrong,) * len(request.segments))
    if named != digest_of(document):
        raise Rejected(
            f"the delta names transcript {named.hex()}, given was {digest_of(document).hex()}",
            reason="other-transcript",
        )
    transcript = decode_transcript(document, spec=digest_of(request.round.spec.read_bytes()))
    try:
        check_named_build(transcript, round_.spec.audit)
    except Rejected as error:
        return AuditedSegments((AuditedSegment("build", error.message, (), 0.0),) * len(request.segments))
    check_audits(round_.spec, round_.recipe)
    if not is_tolerant(round_.spec):
        check_build(transcript)
    parts = [part_of(transcript, item.number) for item in request.segments]
    check_trainable(round_.recipe, "cpu", 1, [shard.bytes for shard in request.shards])
    opened = _Opened(request, round_, transcript, tensors, data_of(request.shards, round_.recipe), Begun())
    return AuditedSegments(
        tuple(_audited(opened, item, part) for item, part in zip(request.segments, parts, strict=True))
    )


def audit_segment(request: AuditSegment, on_progress: OnProgress) -> AuditedSegment:
    """One segment alone. Raises: as `audit_segments`."""
    several = AuditSegments(
        round=request.round,
        shards=request.shards,
        probe=request.probe,
        seed=request.seed,
        transcript=request.transcript,
        segments=(SegmentAgain(request.number, request.state, request.state_after),),
        residual=request.residual,
        claimed=request.claimed,
        left_before=request.left_before,
    )
    return audit_segments(several, on_progress).found[0]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the audits of one training's segments share."""

    request: AuditSegments
    round: OpenedRound
    transcript: Transcript
    tensors: Arrays
    """Of the revealed delta."""
    supply: Supply
    begun: Begun


def _audited(opened: _Opened, asked: SegmentAgain, part: Part) -> AuditedSegment:
    started = time.monotonic()
    request, round_, transcript = opened.request, opened.round, opened.transcript
    rule = round_.spec.audit
    assert rule is not None, "it was looked at"
    final = asked.number == len(transcript.segments) - 1

    def found(
        differs: str | None, detail: str, losses: tuple[float, ...] = (), share: float | None = None
    ) -> AuditedSegment:
        return AuditedSegment(differs, detail, losses, round(time.monotonic() - started, 3), share)

    last_ones = [item.end.step for item in transcript.segments]
    wanted = segment_ends(round_.recipe, round_.spec.inner_steps, rule.segments)
    if last_ones != wanted:
        return found(
            "segments", f"they end after steps {_few(last_ones)}; by the round's rules after {_few(wanted)}"
        )
    served = asked.state is not None or asked.after is not None
    try:
        # Without a state all that goes in is the round's own, and what is wrong with it is no finding.
        with from_a_stranger(f"segment {asked.number}") if served else nullcontext():
            again = _replayed(opened, asked, part)
    except Rejected as error:
        if error.reason in ("not-auditable", "shard-mismatch"):
            raise
        if error.reason in ("weights", "optimiser"):
            return found(error.reason, error.message)
        return found("state" if error.reason == "state-differs" else "replay", error.message)
    ends = compared_ends(again, part.segment.end)
    if ends.differs is not None:
        return found(ends.differs, ends.detail, again.losses, ends.share)
    if final:
        taken = None if request.residual is None else digest_file(request.residual)
        if request.residual is not None and blake3_file(request.residual) == transcript.taken:
            return found("taken", "it is named by its BLAKE3: only states may be", again.losses)
        if taken != transcript.taken:
            raise Rejected(
                "what the delta before left out is another file than the transcript names",
                reason="other-residual",
            )
        try:
            with from_a_stranger("the last steps"):
                last = last_steps(
                    again.weights, round_, probe=request.probe, residual=request.residual, device="cpu"
                )
        except Rejected as error:
            # Of what the solver chose, the residual alone can be refused here.
            return found("delta" if request.residual is None else "taken", str(error)[:1000], again.losses)
        went_in = None if last.before is None else digest_of_arrays(last.before.values)
        if request.left_before is not None and went_in != request.left_before:
            then, now = request.left_before.hex(), went_in.hex() if went_in else None
            detail = f"what the delta before left out: {now} taken, {then} committed to then"
            return found("taken", detail, again.losses)
        try:
            with from_a_stranger("delta"):
                deltas = compared_deltas(last.made.parts, opened.tensors, round_.spec, round_.schema)
        except Rejected as error:
            return found("delta", error.message, again.losses)
        if deltas.differs is not None:
            return found(deltas.differs, deltas.detail, again.losses, deltas.share)
        if deltas.share is not None and deltas.share > (ends.share or 0.0):
            ends = deltas
        left = last.made.left_out
        mine = None if left is None else digest_of_arrays(left)
        if mine != transcript.left:
            here, there = (digest or Digest(b"") for digest in (mine, transcript.left))
            detail = f"what it leaves out: {here.hex() or None} here, {there.hex() or None} committed to"
            return found("left", detail, again.losses)
    return found(None, ends.detail, again.losses, ends.share)


def _few(steps: list[int]) -> str:
    shown = ", ".join(map(str, steps[:8]))
    return shown if len(steps) <= 8 else f"{shown}, … {steps[-1]} ({len(steps)})"


def _replayed(opened: _Opened, asked: SegmentAgain, part: Part) -> Replayed:
    spec = opened.round.spec
    return replay(
        opened.round.recipe,
        opened.round.base.weights,
        opened.supply,
        seed=opened.request.seed,
        span=Span(spec.inner_steps, spec.start_step, spec.total_steps),
        first=part.first,
        last=part.last,
        state=None if asked.state is None else asked.state.read_bytes(),
        claimed=None if part.before is None else part.before.end,
        end=_end(opened.round.spec, asked, part),
        begun=opened.begun,
    )


def _end(spec: RoundSpec, asked: SegmentAgain, part: Part) -> Claimed | None:
    """The state at the end of a segment, where its distance is wanted."""
    if not is_tolerant(spec):
        return None
    if asked.after is None:
        raise ValueError("where distances are compared, an audit is given the state at the segment's end")
    return Claimed(asked.after.read_bytes(), part.segment.end)
