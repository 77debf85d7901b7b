"""The audits of a round repeated: what was found of drawn solvers, and which coordinator did not look.

The draw, the segments and every coordinator's word are worked out again from the chain and whatever is still
served. What is not served any more, or was made by another build, is said; nothing is guessed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Rejected, Transient
from jepanet.learning.model_file import model_cap
from jepanet.operations.auditing.round_inputs import RoundInputs, training_inputs
from jepanet.operations.reading.library import Library
from jepanet.protocol.documents.scores import ScoreReport, SignedScore
from jepanet.protocol.revealed_before import revealed_before
from jepanet.protocol.settling.audit_reports import owes_audit
from jepanet.protocol.settling.audit_words import audit_word
from jepanet.protocol.settling.tally import RoundFacts, drawn_solvers
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address, Digest
from jepanet.work.drawn_training import DrawnTraining, Finding, NotServed, audit_training, open_training
from jepanet.work.worker import Worker

Note = Callable[[str, bool, str], None]
"""Notes a check: what was compared, whether it agrees, in which detail."""


@dataclass(frozen=True, slots=True)
class Again:
    """What came of doing a drawn solver's segments again."""

    finding: Finding | None
    """None where it could not be done."""
    why: str = ""
    """Why not."""


class Reaudits:
    """Audits of one round, done again."""

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

    async def repeat(self, facts: RoundFacts, deltas: Mapping[Address, Path | None]) -> dict[Address, Again]:
        """By drawn solver, what its segments lead to here; of who committed to a digest first.

        Raises:
            Rejected: a file of this machine's own is damaged (`altered-input`), or as `AuditSegments`.
        """
        drawn = drawn_solvers(facts, self._inputs.spec)
        seen: set[Digest] = set()
        found: dict[Address, Again] = {}
        for item in facts.reveals:
            if item.digest in seen:
                continue
            seen.add(item.digest)
            if item.solver in drawn:
                again = await self._again(item.solver, deltas[item.solver])
                if again is not None:
                    found[item.solver] = again
        return found

    async def _again(self, solver: Address, delta: Path | None) -> Again | None:
        """None where the bytes are no delta: a fault of form, which scoring finds."""
        if delta is None:
            return Again(None, "its delta is not served any more")
        inputs = self._inputs

        async def take(what: str, digest: Digest, max_bytes: int) -> Path:
            return await self._library.get(what, digest, "raw", max_bytes=max_bytes)

        try:
            training = await training_inputs(
                solver, round_=self._round, deployment=self._deployment, recipe=inputs.recipe,
                manifest=inputs.manifest, library=self._library,
            )  # fmt: skip
            drawn = DrawnTraining(
                round=self._round, files=inputs.files, solver=solver, delta=delta,
                max_delta_bytes=inputs.spec.max_delta_bytes, max_model_bytes=model_cap(inputs.recipe),
                shards=training.shards, probe=training.probe, seed=training.seed,
                before=revealed_before(self._state, self._round, solver),
            )  # fmt: skip
            opened = await open_training(drawn, take, self._worker)
            if opened.formless:
                return None
            return Again(await audit_training(drawn, opened, self._worker))
        except (NotServed, Transient) as error:
            return Again(None, f"not served any more: {error}")
        except Rejected as error:
            if error.reason not in ("other-build", "other-trace"):
                raise
            return Again(None, f"{error.reason.replace('-', ' ')}: {error.message}")


def compare_words(
    facts: RoundFacts,
    drawn: frozenset[Address],
    found: Mapping[Address, Again],
    reports: Sequence[ScoreReport],
    note: Note,
) -> None:
    """Notes what was done again of each drawn solver, and every coordinator that forged or skipped one."""
    for solver, again in found.items():
        what = f"audit of {solver}"
        if again.finding is None:
            note(what, True, f"not done again here: {again.why}")
        elif again.finding.reason is None:
            numbers = ", ".join(map(str, again.finding.segments))
            note(what, True, f"segments {numbers} lead where its delta says")
        else:
            note(what, True, f"{again.finding.reason}: {again.finding.detail}")
    owner: dict[Digest, Address] = {}
    for item in facts.reveals:
        owner.setdefault(item.digest, item.solver)
    words = 0
    for report in reports:
        for score in report.scores:
            if score.solver not in drawn or owner[score.digest] != score.solver:
                continue
            wrong = _wrong(score, found.get(score.solver), report.coordinator)
            words += score.audit is not None
            if wrong is not None:
                note(f"audit by {report.coordinator}", False, f"{wrong} the audit of {score.solver}")
    if drawn:
        known = sum(again.finding is not None for again in found.values())
        detail = f"{len(drawn)} drawn, {known} done again here; coordinators signed that they did {words}"
        note("audits", True, detail)


def _wrong(score: SignedScore, again: Again | None, auditor: Address) -> str | None:
    if score.audit is None:
        return "skipped" if owes_audit(score) else None
    if again is None or again.finding is None:
        return None
    words = {audit_word(word, auditor) for word in (again.finding.word, *again.finding.near)}
    return None if score.audit in words else "forged"
