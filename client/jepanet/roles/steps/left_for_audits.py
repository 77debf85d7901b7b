"""What a solver leaves of a training so that others can do a part of it again, where the rules ask for it.

The key of the losses is drawn before the training and stays with the journal. The transcript and the states
go into the blob store with the delta, and are served when the delta is.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jepanet.division import segment_count
from jepanet.errors import Rejected
from jepanet.protocol.documents.spec import RoundSpec
from jepanet.protocol.revealed_before import revealed_before
from jepanet.protocol.state import KEPT_OF_PROJECT, Round
from jepanet.records.codec import JOURNAL, Codec
from jepanet.records.marks import LeftOut, Size
from jepanet.roles.context import Context
from jepanet.roles.documents import RecipeSummary
from jepanet.roles.steps.obtain import stored
from jepanet.roles.steps.preparation import pin_of
from jepanet.telemetry import get_logger
from jepanet.tensors import canonical_json
from jepanet.types import Digest, RoundId
from jepanet.work.requests.audit_plan import NameCarried, NameLeft, NameSource, NameTranscript
from jepanet.work.requests.auditing import AuditPlace, LeftForAudits

log = get_logger("solver")

KEY_BYTES = 32
_STATE_MODELS = 3
"""Weights and both moments."""
_SHARE = 4
_GIB = 1 << 30
_NOTE = "audit"


@dataclass(frozen=True, slots=True)
class Left:
    """The note of a round."""

    key: Annotated[bytes, Size(KEY_BYTES, KEY_BYTES)]
    """Opens the losses of every segment: secret until auditors have reported."""
    transcript: Digest | None = None
    states: tuple[Digest, ...] = ()
    taken: Digest | None = None
    """Of the residual that went into the delta."""
    before: Annotated[tuple[Digest, ...], LeftOut()] = ()
    """The delta that left it, and its transcript: what an auditor holds the residual against."""


_LEFT = Codec(Left, "what is left for audits", spelling=JOURNAL)


def audit_place(context: Context, round_: Round, spec: RoundSpec, recipe: RecipeSummary) -> AuditPlace | None:
    """Where the training of a round leaves what audits need; None where its rules ask for nothing.

    Raises:
        Rejected: `no-room`; the states may take more than the share of store or disk that a round may have.
    """
    if spec.audit is None:
        return None
    states = segment_count(spec.inner_steps, spec.audit.segments, recipe.measured_every)
    _check_room(context, round_, recipe.max_model_bytes * _STATE_MODELS * states)
    left = _noted(context, round_.id)
    if left is None:
        left = Left(context.random_bytes(KEY_BYTES))
        _note(context, round_.id, left)
    return AuditPlace(folder_of(context, round_.id), context.work / f"transcript-{round_.id}.json", left.key)


def _check_room(context: Context, round_: Round, needed: int) -> None:
    """A stranger's round may ask for as many states as it likes: never for most of the store."""
    allowed = min(context.blobs.budget // _SHARE, shutil.disk_usage(context.work).free // 2)
    if needed > allowed:
        raise Rejected(
            f"round {round_.id} asks for states of up to {needed / _GIB:.2f} GiB, and {allowed / _GIB:.2f} "
            f"are allowed: a {_SHARE}th of node.storage_gb, and half of the free disk",
            reason="no-room",
            remedy="raise node.storage_gb or make room on the disk, or leave such projects out of "
            "projects.follow; who proposes it asks for less with proposer.audit_segments",
        )


async def shown_for(
    context: Context, round_: Round, spec: RoundSpec, residual: Digest
) -> tuple[Digest, Digest] | None:
    """The delta that left a residual, and its transcript, as far as auditors can hold the residual against
    them: it is this wallet's last revealed one, not long ago, both are here to be served, and the transcript
    says of the residual what this program does. None otherwise (another version may have said it otherwise):
    who adds what nobody can check loses its bond when it is drawn."""
    earlier = revealed_before(context.state(), round_, context.me)
    if not earlier or earlier[0][0].id + KEPT_OF_PROJECT < round_.id:
        return None
    before, delta = earlier[0]
    source = await context.jobs.run(NameSource(stored(context, residual)))
    path = context.blobs.path(delta)
    if source.digest != delta or path is None or path.stat().st_size > spec.max_delta_bytes:
        return None
    named = await context.jobs.run(NameTranscript(path, spec.max_delta_bytes))
    transcript = None if named.digest is None else context.blobs.path(named.digest)
    if named.digest is None or transcript is None:
        return None
    left = await context.jobs.run(NameLeft(transcript, before.params.spec))
    held = await context.jobs.run(NameCarried(stored(context, residual)))
    if left.digest is None or held.digest != left.digest:
        return None
    for digest in (delta, named.digest):
        context.blobs.pin(digest, pin_of(round_))
    return delta, named.digest


def store(
    context: Context,
    round_: Round,
    place: AuditPlace,
    made: LeftForAudits,
    taken: Digest | None,
    before: tuple[Digest, ...] = (),
) -> None:
    """Takes transcript and states into the blob store, private still. `taken`, `before`: see `Left`."""
    pin = pin_of(round_)
    for state in made.states:
        context.blobs.put_file(state.path, state.digest, move=True, pin=pin, fast=True)
    context.blobs.put_file(place.target, made.transcript, move=True, pin=pin)
    if taken is not None:
        context.blobs.pin(taken, pin)
    states = tuple(state.digest for state in made.states)
    _note(context, round_.id, Left(place.key, made.transcript, states, taken, before))
    shutil.rmtree(place.folder, ignore_errors=True)


def publish(context: Context, round_id: RoundId) -> None:
    """Serves what was left from now on, if anything was."""
    left = _noted(context, round_id)
    if left is None or left.transcript is None:
        return
    served = (left.transcript, *left.states, *([left.taken] if left.taken else []), *left.before)
    for digest in served:
        context.blobs.publish(digest)
    log.debug("audit.served", round=round_id, transcript=left.transcript, files=len(served))


def folder_of(context: Context, round_id: RoundId) -> Path:
    """Of the states of a training that is under way: beside its checkpoints, which outlive a restart too."""
    kept = context.checkpoints
    return (context.work if kept is None else kept.folder / str(round_id)) / f"states-{round_id}"


def _noted(context: Context, round_id: RoundId) -> Left | None:
    text = context.journal.notes(round_id).get(_NOTE)
    return None if text is None else _LEFT.decode(text.encode())


def _note(context: Context, round_id: RoundId, left: Left) -> None:
    context.journal.put_note(round_id, _NOTE, canonical_json(_LEFT.tree(left)).decode())
