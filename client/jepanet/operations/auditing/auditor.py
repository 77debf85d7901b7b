"""One solver's training, audited: what it committed to, and one segment of it done again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Rejected, Transient
from jepanet.federation.deltas.delta import transcript_of
from jepanet.federation.deltas.feedback import residual_source
from jepanet.learning.model_file import model_cap
from jepanet.operations.auditing.round_inputs import (
    RoundInputs,
    TrainingInputs,
    round_inputs,
    training_inputs,
)
from jepanet.operations.reading.library import Library
from jepanet.operations.views.audits import DIFFERS, NOT_SERVED, REPRODUCED, UNHELD, SegmentAudit
from jepanet.protocol.documents.spec import TOLERANT
from jepanet.protocol.revealed_before import revealed_before
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address, Digest
from jepanet.work.requests.auditing import MAX_TRANSCRIPT_BYTES, AuditSegment
from jepanet.work.transcript import (
    Transcript,
    check_named_build,
    decode_transcript,
    part_of,
)
from jepanet.work.worker import Worker

_ROOM = 64 << 20
"""Bytes of a state file beside weights and moments: places in the data, streams, names."""


_UNHELD = (
    "what went in beside the training cannot be held against anything: the delta that it is said to be left "
    "by was not audited, or is not served"
)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one solver committed to, and where its files lie."""

    training: TrainingInputs
    delta: Path
    transcript_path: Path
    transcript: Transcript


class Auditor:
    """Audits of one round."""

    def __init__(
        self,
        deployment: Deployment,
        state: NodeState,
        round_: Round,
        inputs: RoundInputs,
        library: Library,
        worker: Worker,
    ) -> None:
        self._deployment, self._state, self._round = deployment, state, round_
        self._inputs, self._library, self._worker = inputs, library, worker

    async def committed(self, solver: Address) -> Committed:
        """Fetches what is named by the solver's reveal.

        Raises:
            Rejected: `not-revealed`, or what a file is refused for.
            Transient: a file has no provider.
        """
        inputs, get = self._inputs, self._library.get
        training = await training_inputs(
            solver,
            round_=self._round,
            deployment=self._deployment,
            recipe=inputs.recipe,
            manifest=inputs.manifest,
            library=self._library,
        )
        cap = inputs.spec.max_delta_bytes
        delta = await get(f"delta of {solver}", training.reveal.digest, "raw", max_bytes=cap)
        named, _ = transcript_of(delta.read_bytes(), max_bytes=cap)
        path = await get(f"transcript of {solver}", named, "raw", max_bytes=MAX_TRANSCRIPT_BYTES)
        transcript = decode_transcript(path.read_bytes(), spec=self._round.params.spec)
        if (rule := self._inputs.spec.audit) is not None:
            check_named_build(transcript, rule)
        return Committed(training, delta, path, transcript)

    async def segment(self, solver: Address, committed: Committed, number: int) -> SegmentAudit:
        """Does one segment again.

        Raises:
            Rejected: what makes an audit impossible and is no fault of the solver's.
        """
        transcript, get = committed.transcript, self._library.get
        part = part_of(transcript, number)
        final = number == len(transcript.segments) - 1
        cap = 3 * model_cap(self._inputs.recipe) + _ROOM

        def row(
            found: str, differs: str | None, detail: str, seconds: float, share: float | None = None
        ) -> SegmentAudit:
            return SegmentAudit(solver, number, part.first, part.last, found, differs, detail, seconds, share)

        state = residual = state_after = None
        try:
            if part.before is not None:
                what = f"state of {solver} after step {part.first}"
                state = await get(what, part.before.state, "raw", max_bytes=cap)
            if self._inputs.spec.audit is not None and self._inputs.spec.audit.mode == TOLERANT:
                what = f"state of {solver} after step {part.last}"
                state_after = await get(what, part.segment.state, "raw", max_bytes=cap)
            if final and transcript.taken is not None:
                residual = await get(f"residual of {solver}", transcript.taken, "raw", max_bytes=cap)
        except Transient as error:
            return row(NOT_SERVED, None, error.message, 0.0)
        except Rejected as error:
            if error.reason == "altered-input":  # a file of this machine's own
                raise
            return row(DIFFERS, "state", error.message, 0.0)  # as large as no state of the recipe is
        left_before = None
        if residual is not None:
            try:
                source = residual_source(await asyncio.to_thread(residual.read_bytes))
                left_before = await self._left_before(solver, source)
            except Rejected as error:
                return row(DIFFERS, "taken", error.message, 0.0)
        found = await self._worker.run(
            AuditSegment(
                round=self._inputs.files,
                shards=committed.training.shards,
                probe=committed.training.probe,
                seed=committed.training.seed,
                transcript=committed.transcript_path,
                number=number,
                state=state,
                residual=residual,
                claimed=committed.delta,
                state_after=state_after,
                left_before=left_before,
            )
        )
        if found.differs is not None:
            return row(DIFFERS, found.differs, found.detail, found.seconds, found.share)
        if residual is not None and left_before is None:
            # It can be anything: the rest of the delta is reproduced, and that proves nothing.
            return row(UNHELD, "taken", _UNHELD, found.seconds)
        return row(REPRODUCED, None, found.detail, found.seconds, found.share)

    async def _left_before(self, solver: Address, source: Digest) -> Digest | None:
        """What delta `source`, which left a residual, committed to leave; None where nobody can say any more.

        Raises:
            Rejected: `other-residual`; it is of a delta before the last one, whose residual was added before.
        """
        earlier = revealed_before(self._state, self._round, solver)
        place = next((place for place, (_, digest) in enumerate(earlier) if digest == source), None)
        if place is None:
            return None  # of a round that is forgotten here, or of a delta that was sealed and never revealed
        if place > 0:
            raise Rejected(
                f"the delta adds what delta {source.hex()} left out, and {solver} has revealed another since",
                reason="other-residual",
            )
        before, _ = earlier[0]
        try:
            inputs = await round_inputs(self._state, before, self._library, self._worker)
            if inputs.spec.audit is None:
                return None
            auditor = Auditor(self._deployment, self._state, before, inputs, self._library, self._worker)
            return (await auditor.committed(solver)).transcript.left
        except (Transient, Rejected):
            return None
