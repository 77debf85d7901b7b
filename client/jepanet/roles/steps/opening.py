"""Whether a project's verifier set would carry its next round: asked before anything is paid for it."""

from __future__ import annotations

from jepanet.chain.contracts.readiness import NOT_READY
from jepanet.chain.contracts.sentences import sentence
from jepanet.errors import Transient
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.state import Project
from jepanet.roles.context import Context
from jepanet.types import Readiness


async def check_set(context: Context, project: Project, terms: RoundTerms) -> None:
    """Refuses a round that the contracts would refuse for its verifiers' sake.

    Raises:
        Transient: the set's curator has not admitted this proposer, or the set is not ready. Others can mend
            both, so the round opens as soon as they have.
    """
    lens, set_id = context.contracts.lens, project.verifier_set
    found = await lens.verifier_set(set_id, "latest")
    if found.curator != context.me and not await lens.is_admitted(set_id, context.me, "latest"):
        says, remedy = sentence("NotAdmitted", {"setId": set_id, "proposer": context.me})
        raise Transient(says, remedy=remedy)
    ready = await lens.can_open(set_id, terms.budget + terms.fee, "latest")
    if ready is not Readiness.READY:
        why, remedy = NOT_READY[ready]
        raise Transient(
            f"verifier set {set_id} can carry no round of project {project.id} now: {why}", remedy=remedy
        )
