"""A project as the folded logs of the chain tell it."""

from __future__ import annotations

from jepanet.cid import to_cid
from jepanet.operations.views.projects import KnownProject
from jepanet.protocol.state import Identity, Project


def known_project(project: Project, me: Identity) -> KnownProject:
    """For whoever works as `me`; nobody in particular works for every project."""
    return KnownProject(
        project=int(project.id),
        owner=project.owner,
        recipe=to_cid(project.recipe, "dag-json"),
        dataset=to_cid(project.dataset, "dag-json"),
        model=to_cid(project.model),
        verifier_set=project.verifier_set,
        evaluation_shards=project.evaluation_count,
        rounds=project.rounds,
        active_round=None if project.active is None else int(project.active),
        followed=not me.projects or project.id in me.projects,
    )
