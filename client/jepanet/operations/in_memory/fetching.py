"""Models of a network as arrays: fetched or derived by their digests, with the recipe of their project."""

from __future__ import annotations

import asyncio

from jepanet.errors import Exit, Fatal
from jepanet.files import read_capped
from jepanet.learning.model_file import model_cap
from jepanet.operations.in_memory.models import Model, model_of
from jepanet.operations.models.model_export import model_of_round
from jepanet.operations.reading.history import History
from jepanet.operations.reading.library import Library
from jepanet.operations.reading.models import get_with_recipe
from jepanet.protocol.state import NodeState, Project
from jepanet.types import Digest, ProjectId, RoundId
from jepanet.work.worker import Worker


async def newest_model(history: History, library: Library, worker: Worker, project_id: int) -> Model:
    """The current model of a project: the base of its next round.

    Raises:
        Fatal: no such project (exit code `NOT_FOUND`). Transient: nobody serves the model, and no way to it.
        Rejected: it is no model of the project's recipe, or the library's folder holds an altered file.
    """
    state = await history.state()
    project = state.projects.get(ProjectId(project_id))
    if project is None:
        known = ", ".join(str(item) for item in sorted(state.projects)) or "none"
        raise Fatal(
            f"there is no project {project_id}", remedy=f"known projects: {known}", code=Exit.NOT_FOUND
        )
    of_it = [item.id for item in state.rounds.values() if item.project_id == project.id]
    return await _fetched(state, project, project.model, library, worker, max(of_it, default=RoundId(0)))


async def model_recorded_by(history: History, library: Library, worker: Worker, round_id: int) -> Model:
    """The model that a round recorded.

    Raises:
        Fatal: no such round, or it recorded no model that counts (exit code `NOT_FOUND`); else as
            `newest_model`.
    """
    state = await history.state()
    round_, digest = model_of_round(state, round_id)
    project = state.projects[round_.project_id]
    return await _fetched(state, project, digest, library, worker, round_.id)


async def _fetched(
    state: NodeState, project: Project, model: Digest, library: Library, worker: Worker, round_id: RoundId
) -> Model:
    path, recipe = await get_with_recipe(
        model, state=state, project=project, library=library, worker=worker, round_id=round_id
    )
    data = await asyncio.to_thread(read_capped, path, model_cap(recipe), "model")
    return await asyncio.to_thread(model_of, data, recipe, model)
