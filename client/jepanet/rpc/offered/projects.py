"""`projects`: what is trained, on what, judged by whom, and on which terms."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jepanet.errors import Rejected, Transient
from jepanet.operations.projects.known import known_project
from jepanet.operations.projects.terms import newest_round, terms_of
from jepanet.operations.views.projects import KnownProject, ProjectDetails
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec, decode_spec
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.handles.known import KnowsRounds
from jepanet.rpc.handles.running import RunningNode
from jepanet.rpc.method import Method
from jepanet.rpc.offered.paging import Page, PageParams, page_of
from jepanet.rpc.offered.rounds import Number
from jepanet.storage.blobs.store import BlobStore
from jepanet.types import Digest, ProjectId


@dataclass(frozen=True, slots=True)
class OneProject:
    project: Number


def methods(node: RunningNode) -> tuple[Method, ...]:
    """Those of this namespace."""

    async def one(given: OneProject) -> ProjectDetails:
        state = node.state
        project = state.projects.get(ProjectId(given.project))
        if project is None:
            known = f"from 1 to {max(state.projects)}" if state.projects else "none yet"
            raise Refused(Code.NOT_FOUND, f"projects of this deployment: {known}")
        judges, newest = state.verifier_sets.get(project.verifier_set), newest_round(state, project)
        spec = None
        if newest is not None:
            spec = await asyncio.to_thread(_spec, node.blobs, newest.params.spec)
        return ProjectDetails(
            known=known_project(project, state.me),
            verifiers=() if judges is None else judges.members,
            threshold=None if judges is None else judges.threshold,
            terms=None if newest is None else terms_of(state, newest, spec),
        )

    return (
        listing(node),
        Method(
            "projects.get",
            "One project: its verifiers, and the terms of its newest round in words and field by field",
            OneProject,
            ProjectDetails,
            one,
        ),
    )


def listing(known: KnowsRounds) -> Method:
    """`projects.list`."""

    async def listed(given: PageParams) -> Page[KnownProject]:
        state = known.state
        found = [known_project(state.projects[key], state.me) for key in sorted(state.projects)]
        return page_of(found, lambda item: item.project, given.limit, given.cursor)

    return Method("projects.list", "Every project of the deployment", PageParams, Page[KnownProject], listed)


def _spec(blobs: BlobStore, digest: Digest) -> RoundSpec | None:
    """A round's rules out of the store; None where they are not there, or are none."""
    if not blobs.has(digest):
        return None
    try:
        return decode_spec(blobs.read(digest, max_bytes=MAX_SPEC_BYTES))
    except (Transient, Rejected):  # damaged and set aside, collected meanwhile, or of another version
        return None
