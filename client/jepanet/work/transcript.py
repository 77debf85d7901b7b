"""How a delta was trained, as a document that the delta itself names: so whoever commits to the delta commits
to every state on the way, before anybody knows which part of it will be done again.

    commitment ──▶ delta ──▶ transcript ──▶ points (digests of each state), state files, losses under a key
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from jepanet.division import MAX_SEGMENTS
from jepanet.errors import Rejected
from jepanet.learning.machine.surroundings import surroundings
from jepanet.learning.training.resuming.trace import TracePoint
from jepanet.protocol.documents.build import BUILD_WORDS, apart
from jepanet.protocol.documents.spec import AuditRule
from jepanet.records.codec import Codec
from jepanet.records.marks import Range, Size
from jepanet.types import Digest
from jepanet.work.requests.auditing import MAX_TRANSCRIPT_BYTES

SCHEMA = "jepanet.transcript.2"


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a training, as its solver committed to it."""

    end: TracePoint
    """The state after its last step."""
    state: Digest
    """Of the file that holds that state."""
    losses: Digest
    """`losses_digest` of its steps: who has not done them again cannot know it."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a solver commits to beside its delta. Segments ascend and join without gaps."""

    HEAD: ClassVar = {"schema": SCHEMA}

    spec: Digest
    """Of the round's rules: they name base, recipe and data."""
    segments: Annotated[tuple[Segment, ...], Size(1, MAX_SEGMENTS)]
    taken: Digest | None
    """Of the file of what the delta before left out and this one adds; None where it adds nothing."""
    left: Digest | None
    """`digest_of_arrays` of what this delta leaves out; None where its codec leaves nothing."""
    build: dict[str, Annotated[str, BUILD_WORDS]]
    """What sums are rounded by, as `surroundings` says it: versions of torch and numpy, processor,
    instruction set."""


@dataclass(frozen=True, slots=True)
class Part:
    """The steps of one segment, and the state from which it goes on."""

    first: Annotated[int, Range(0, 1 << 40)]
    """Steps done before it: 0 at the start."""
    last: int
    before: Segment | None
    """None at the start, whose state follows from base and seed."""
    segment: Segment


_TRANSCRIPT = Codec(Transcript, "transcript", max_bytes=MAX_TRANSCRIPT_BYTES)


def encode_transcript(transcript: Transcript) -> bytes:
    """Canonical JSON. Raises: Rejected, a field out of bounds."""
    _check(transcript)
    return _TRANSCRIPT.encode(transcript)


def decode_transcript(data: bytes, *, spec: bytes) -> Transcript:
    """A transcript from untrusted bytes.

    Raises:
        Rejected: too large, not canonical JSON, a field missing, unknown or out of bounds; `wrong-spec`, it
            is of another round's rules; `wrong-order`, its segments do not ascend.
    """
    transcript = _TRANSCRIPT.decode(data)
    _check(transcript)
    if transcript.spec != spec:
        raise Rejected("transcript: it is of a training by other rules", reason="wrong-spec")
    return transcript


def part_of(transcript: Transcript, number: int) -> Part:
    """Segment `number`, from 0. Raises: Rejected (`no-segment`)."""
    if not 0 <= number < len(transcript.segments):
        raise Rejected(
            f"the training has {len(transcript.segments)} segments, from 0; there is no {number}",
            reason="no-segment",
        )
    segment = transcript.segments[number]
    before = transcript.segments[number - 1] if number else None
    return Part(before.end.step if before else 0, segment.end.step, before, segment)


def check_named_build(transcript: Transcript, rule: AuditRule) -> None:
    """Whether a training was computed by what the round's rules name, to which whoever entered has agreed. It
    is a fault of form: anybody finds it by the same bytes, on any machine.

    Raises:
        Rejected: `wrong-build`.
    """
    if rule.build is None or transcript.build == rule.build:
        return
    raise Rejected(
        "transcript: it is of another build than the round's rules name: "
        f"{apart(transcript.build, rule.build)}",
        reason="wrong-build",
    )


def check_own_build(rule: AuditRule) -> None:
    """Whether this process computes by what the round's rules name: asked before anything is trained.

    Raises:
        Rejected: `other-build`.
    """
    if rule.build is not None and rule.build != surroundings():
        raise Rejected(
            f"the round is computed by another build: {apart(surroundings(), rule.build)}",
            reason="other-build",
            remedy="take part with such a machine, or leave such projects out of projects.follow",
        )


def check_build(transcript: Transcript) -> None:
    """Whether digests can be compared here.

    Raises:
        Rejected: `other-build`; another build, instruction set or processor rounds sums otherwise.
    """
    here = surroundings()
    if transcript.build != here:
        raise Rejected(
            f"digests of this training cannot be compared here: {apart(here, transcript.build)}",
            reason="other-build",
            remedy="audit it on such a machine; a difference of builds says nothing of the solver",
        )


def losses_digest(key: bytes, step: int, losses: Sequence[float]) -> Digest:
    """What a solver says of the losses of the segment that ends at `step`, under a key of that segment alone:
    opening one tells nothing of the others."""
    return losses_under(segment_key(key, step), losses)


def segment_key(key: bytes, step: int) -> bytes:
    """The key of one segment; `key` itself is never shown."""
    return hmac.digest(key, f"jepanet.losses/{step}".encode(), "sha256")


def losses_under(opened: bytes, losses: Sequence[float]) -> Digest:
    """`losses_digest`, for whoever was shown the segment's own key."""
    return Digest(hashlib.sha256(b"jepanet.losses" + opened + np.array(losses, "<f8").tobytes()).digest())


def _check(transcript: Transcript) -> None:
    steps = [item.end.step for item in transcript.segments]
    if steps != sorted(set(steps)):
        raise Rejected("transcript: its segments do not ascend", reason="wrong-order")
    # One more name, and it would differ from every machine's.
    if set(transcript.build) != set(surroundings()):
        raise Rejected("transcript: its build has other names than it must have", reason="bad-field")
