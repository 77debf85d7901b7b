"""What a training leaves for audits, and a part of it done again."""

from __future__ import annotations

import time

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Rejected
from jepanet.federation.deltas.delta import transcript_of
from jepanet.files import write_atomically
from jepanet.learning.auditing.replay import Replayed, check_auditable, differing, replay
from jepanet.learning.auditing.segments import Segments, segment_ends, segment_steps
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.recipe import Recipe
from jepanet.learning.training.loop import TrainResult
from jepanet.learning.training.resuming.trace import digest_of_arrays
from jepanet.learning.training.step.taking import Span
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.types import Digest
from jepanet.work.last_steps import LastSteps, last_steps
from jepanet.work.processes.part import data_of
from jepanet.work.requests.auditing import (
    AuditedSegment,
    AuditPlace,
    AuditSegment,
    KeptState,
    LeftForAudits,
)
from jepanet.work.requests.request import OnProgress
from jepanet.work.room import check_trainable
from jepanet.work.round_files import OpenedRound, open_round
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
        Rejected: `not-audited`, the round's rules ask for none; `not-auditable`, as `check_auditable`;
            `other-build`, they name another build than this one.
    """
    if spec.audit is None:
        raise Rejected("the round's rules say nothing of audits", reason="not-audited")
    check_auditable(recipe)
    check_own_build(spec.audit)
    return Segments(place.folder, segment_steps(spec.inner_steps, spec.audit.segments))


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
    states = tuple(KeptState(item.step, item.state, digest_file(item.state)) for item in kept)
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


def audit_segment(request: AuditSegment, on_progress: OnProgress) -> AuditedSegment:
    """Does one segment again and compares the state at its end; of the last one also the delta.

    Raises:
        Rejected: the round's files or the transcript are refused, the delta names another transcript
            (`other-transcript`), the round is not audited (`not-audited`), or this is another build than the
            solver's (`other-build`), where equal work gives other digests.
        Transient: a shard is missing or damaged.
    """
    started = time.monotonic()
    round_ = open_round(request.round)
    if round_.spec.audit is None:
        raise Rejected("the round's rules say nothing of audits", reason="not-audited")
    document = request.transcript.read_bytes()
    claimed = request.claimed.read_bytes()
    named, tensors = transcript_of(claimed, max_bytes=round_.spec.max_delta_bytes)
    if named != digest_of(document):
        raise Rejected(
            f"the delta names transcript {named.hex()}, given was {digest_of(document).hex()}",
            reason="other-transcript",
        )
    transcript = decode_transcript(document, spec=digest_of(request.round.spec.read_bytes()))
    try:
        check_named_build(transcript, round_.spec.audit)
    except Rejected as error:
        return AuditedSegment("build", error.message, (), round(time.monotonic() - started, 3))
    check_build(transcript)
    part = part_of(transcript, request.number)
    check_trainable(round_.recipe, "cpu", 1, [shard.bytes for shard in request.shards])
    final = request.number == len(transcript.segments) - 1

    def found(differs: str | None, detail: str, losses: tuple[float, ...] = ()) -> AuditedSegment:
        return AuditedSegment(differs, detail, losses, round(time.monotonic() - started, 3))

    ends = [item.end.step for item in transcript.segments]
    wanted = segment_ends(round_.recipe, round_.spec.inner_steps, round_.spec.audit.segments)
    if ends != wanted:
        return found(
            "segments", f"they end after steps {_few(ends)}; by the round's rules after {_few(wanted)}"
        )
    try:
        again = _replayed(request, round_, part)
    except Rejected as error:
        if error.reason in ("not-auditable", "shard-mismatch"):
            raise
        return found("state" if error.reason == "state-differs" else "replay", error.message)
    wrong = differing(again.point, part.segment.end)
    if wrong is not None:
        here, there = getattr(again.point, wrong), getattr(part.segment.end, wrong)
        detail = f"{wrong} after step {part.last}: {here.hex()} here, {there.hex()} committed to"
        return found(wrong, detail, again.losses)
    if final:
        taken = None if request.residual is None else digest_file(request.residual)
        if taken != transcript.taken:
            raise Rejected(
                "what the delta before left out is another file than the transcript names",
                reason="other-residual",
            )
        try:
            last = last_steps(
                again.weights, round_, probe=request.probe, residual=request.residual, device="cpu"
            )
        except (Rejected, ValueError) as error:
            # Of what the solver chose, the residual alone can be refused here.
            return found("delta" if request.residual is None else "taken", str(error)[:1000], again.losses)
        went_in = None if last.before is None else digest_of_arrays(last.before.values)
        if request.left_before is not None and went_in != request.left_before:
            then, now = request.left_before.hex(), went_in.hex() if went_in else None
            detail = f"what the delta before left out: {now} taken, {then} committed to then"
            return found("taken", detail, again.losses)
        here, there = digest_of_arrays(last.made.parts), digest_of_arrays(tensors)
        if here != there:
            return found("delta", f"its tensors: {here.hex()} here, {there.hex()} revealed", again.losses)
        left = last.made.left_out
        mine = None if left is None else digest_of_arrays(left)
        if mine != transcript.left:
            here, there = (digest or Digest(b"") for digest in (mine, transcript.left))
            detail = f"what it leaves out: {here.hex() or None} here, {there.hex() or None} committed to"
            return found("left", detail, again.losses)
    weights = part.segment.end.weights.hex()
    return found(None, f"weights after step {part.last} are {weights}, as committed to", again.losses)


def _few(steps: list[int]) -> str:
    shown = ", ".join(map(str, steps[:8]))
    return shown if len(steps) <= 8 else f"{shown}, … {steps[-1]} ({len(steps)})"


def _replayed(request: AuditSegment, round_: OpenedRound, part: Part) -> Replayed:
    spec = round_.spec
    return replay(
        round_.recipe,
        round_.base.weights,
        data_of(request.shards, round_.recipe),
        seed=request.seed,
        span=Span(spec.inner_steps, spec.start_step, spec.total_steps),
        first=part.first,
        last=part.last,
        state=None if request.state is None else request.state.read_bytes(),
        claimed=None if part.before is None else part.before.end,
    )
