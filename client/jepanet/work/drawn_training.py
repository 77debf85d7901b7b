"""A drawn training, audited: what its solver opens is fetched, its drawn segments are done again.

    delta ─▶ transcript ─▶ drawn segments ─▶ states, what the delta before left out ─▶ each segment again

Nodes that score a round and whoever verifies one go through it, each with a way of its own to fetch and a
worker of its own. Whatever was not served is told apart from what was served and is wrong, and from what only
this machine lacks, which raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from jepanet.errors import Exit, Rejected, Transient
from jepanet.protocol.rounds import Round
from jepanet.protocol.settling.audit_words import FoundSegment, audit_finding, near_findings
from jepanet.protocol.settling.reasons import NOT_REPRODUCED
from jepanet.types import Address, Digest
from jepanet.work.requests.audit_plan import (
    AuditPlan,
    Named,
    NameLeft,
    NameSource,
    NameTranscript,
    PlanAudit,
)
from jepanet.work.requests.auditing import MAX_TRANSCRIPT_BYTES, AuditSegments, SegmentAgain
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.requests.request import R, Request

_STATE_MODELS = 3
_STATE_ROOM = 64 << 20
"""Bytes of a state file beside weights and moments: places in the data, streams, names."""
_WHOLE = (1 << 32) - 1
"""Number in place of a segment's, of a transcript of which none can be done again."""

LACKS_HERE = (Exit.DISK_FULL, Exit.NOT_RUNNING)
"""Codes of what only this machine lacks: room, or a network that runs. No solver is at fault for that."""
Take = Callable[[str, Digest, int], Awaitable[Path]]
"""Fetches what the text names by its digest, of that many bytes at most. Raises: Transient where nobody
serves it, or with a code of `LACKS_HERE`; Rejected (`too-large`)."""


class Jobs(Protocol):
    """The worker."""

    async def run(self, request: Request[R]) -> R: ...


@dataclass(frozen=True, slots=True)
class DrawnTraining:
    """What is known of a drawn solver's training before anything of it is fetched."""

    round: Round
    files: RoundFiles
    solver: Address
    delta: Path
    max_delta_bytes: int
    max_model_bytes: int
    shards: tuple[TrainingShard, ...]
    probe: Path | None
    seed: bytes
    before: tuple[tuple[Round, Digest], ...]
    """What it revealed before, as `revealed_before`."""


@dataclass(frozen=True, slots=True)
class Opened:
    """All files that the audit of a training takes, or what is wrong with it already."""

    transcript: Path | None = None
    plan: AuditPlan | None = None
    states: tuple[Path | None, ...] = ()
    """Before each drawn segment."""
    after: tuple[Path | None, ...] = ()
    """After each, where distances are compared."""
    residual: Path | None = None
    left_before: Digest | None = None
    wrong: FoundSegment | None = None
    detail: str = ""
    formless: bool = False
    """The bytes are no delta that names a transcript: a fault that judging finds, so nothing is audited."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit found of one solver's training."""

    reason: str | None
    """`not-reproduced`; None where nothing is wrong."""
    detail: str
    segments: tuple[int, ...]
    """That were done again."""
    word: Digest
    """`audit_finding` of them: the same for every auditor; where distances were compared, the first of
    `near_findings`."""
    near: tuple[Digest, ...] = ()
    """Others of those."""


class NotServed(Exception):
    """Something that the solver has to serve was not to be had."""


async def open_training(drawn: DrawnTraining, take: Take, jobs: Jobs) -> Opened:
    """Fetches what a drawn solver has to open.

    Raises:
        NotServed: it names what nobody served. Transient: there is no room here, or the worker failed.
        Rejected: this machine cannot audit it (`other-build`), or as `PlanAudit`.
    """

    async def got(what: str, digest: Digest, max_bytes: int) -> Path:
        try:
            return await take(f"{what} of {drawn.solver}", digest, max_bytes)
        except Transient as error:
            if error.code in LACKS_HERE:
                raise
            raise NotServed(f"{what}: {error.message}") from error
        except Rejected as error:
            if error.reason != "too-large":
                raise
            raise NotServed(f"{what}: {error.message}") from error

    named = await jobs.run(NameTranscript(drawn.delta, drawn.max_delta_bytes))
    if named.digest is None:
        return Opened(formless=True)
    transcript = await got("transcript", named.digest, MAX_TRANSCRIPT_BYTES)
    beacon = (drawn.round.beacon or 0).to_bytes(32, "big")
    plan = await jobs.run(PlanAudit(drawn.files, transcript, beacon, drawn.round.id, drawn.solver))
    if plan.wrong is not None:
        return Opened(wrong=FoundSegment(_WHOLE, (), plan.wrong), detail=plan.detail)
    cap = _STATE_MODELS * drawn.max_model_bytes + _STATE_ROOM
    states: list[Path | None] = []
    after: list[Path | None] = []
    for item in plan.segments:
        for which, digest, paths in (("before", item.state, states), ("after", item.after, after)):
            what = f"state {which} segment {item.number}"
            paths.append(None if digest is None else await got(what, digest, cap))
    opened = Opened(transcript, plan, tuple(states), tuple(after))
    if plan.taken is None:
        return opened
    residual = await got("residual", plan.taken, cap)
    if not drawn.before:
        raise NotServed("no delta that it revealed before is known here")
    source = await jobs.run(NameSource(residual))
    if source.digest != drawn.before[0][1]:
        return _taken(plan, f"delta {_hex(source)} left it, and that is not the one revealed last before")
    earlier, delta = drawn.before[0]
    path = await got("delta before", delta, drawn.max_delta_bytes)
    named = await jobs.run(NameTranscript(path, drawn.max_delta_bytes))
    if named.digest is None:
        return _taken(plan, f"delta {delta.hex()} committed to leaving nothing")
    path = await got("transcript of the delta before", named.digest, MAX_TRANSCRIPT_BYTES)
    left = await jobs.run(NameLeft(path, earlier.params.spec))
    if left.digest is None:
        return _taken(plan, f"delta {delta.hex()} committed to leaving nothing")
    return replace(opened, residual=residual, left_before=left.digest)


async def audit_training(drawn: DrawnTraining, opened: Opened, jobs: Jobs) -> Finding:
    """Does the drawn segments again, all of them: what one auditor says, every other one finds too.

    Raises:
        Rejected, Transient: as `AuditSegments`; nothing was found of the solver.
    """
    if opened.wrong is not None or opened.plan is None or opened.transcript is None:
        wrong = opened.wrong or FoundSegment(_WHOLE, (), "transcript")
        return _finding(drawn, [wrong], opened.detail)
    numbers = [item.number for item in opened.plan.segments]
    after = opened.after or (None,) * len(numbers)
    asked = tuple(SegmentAgain(*item) for item in zip(numbers, opened.states, after, strict=True))
    request = AuditSegments(
        round=drawn.files,
        shards=drawn.shards,
        probe=drawn.probe,
        seed=drawn.seed,
        transcript=opened.transcript,
        segments=asked,
        residual=opened.residual,
        claimed=drawn.delta,
        left_before=opened.left_before,
    )
    audited = (await jobs.run(request)).found
    found = [
        FoundSegment(number, item.losses, item.differs) for number, item in zip(numbers, audited, strict=True)
    ]
    details = [
        f"segment {number}: {item.detail}"
        for number, item in zip(numbers, audited, strict=True)
        if item.differs is not None
    ]
    return _finding(drawn, found, details[0] if details else "", nearly=opened.plan.tolerant)


def _finding(
    drawn: DrawnTraining, found: Sequence[FoundSegment], detail: str, *, nearly: bool = False
) -> Finding:
    wrong = any(item.differs is not None for item in found)
    numbers = tuple(item.number for item in found if item.number != _WHOLE)
    place = (drawn.round.id, drawn.solver, found)
    word, *near = near_findings(*place) if nearly else (audit_finding(*place),)
    return Finding(NOT_REPRODUCED if wrong else None, detail, numbers, word, tuple(near))


def _taken(plan: AuditPlan, detail: str) -> Opened:
    """Of a delta that adds what nobody can hold against anything: it may be made up."""
    last = next(item.number for item in plan.segments if item.final)
    return Opened(wrong=FoundSegment(last, (), "taken"), detail=f"what the delta before left out: {detail}")


def _hex(named: Named) -> str:
    return "none" if named.digest is None else named.digest.hex()
