"""`jepanet project list` and `show`: projects as the contracts hold them."""

from __future__ import annotations

from jepanet.cid import to_cid
from jepanet.errors import Exit, Fatal
from jepanet.operations.access import ChainAccess
from jepanet.operations.views.projects import Project


async def list_projects(chain: ChainAccess) -> tuple[Project, ...]:
    """Every project of the deployment."""
    count = await chain.contracts.lens.project_count("latest")
    return tuple([await _project(chain, number) for number in range(1, count + 1)])


async def show_project(chain: ChainAccess, project_id: int) -> Project:
    """One project.

    Raises:
        Fatal: there is no such project (exit code `NOT_FOUND`).
    """
    count = await chain.contracts.lens.project_count("latest")
    if not 1 <= project_id <= count:
        raise Fatal(
            f"there is no project {project_id}", remedy=f"ids run from 1 to {count}", code=Exit.NOT_FOUND
        )
    return await _project(chain, project_id)


async def _project(chain: ChainAccess, project_id: int) -> Project:
    project = await chain.contracts.lens.project(project_id, "latest")
    return Project(
        project=project_id,
        owner=project.owner,
        recipe=to_cid(project.recipe, "dag-json"),
        dataset=to_cid(project.dataset, "dag-json"),
        model=to_cid(project.model),
        verifier_set=project.verifier_set,
        evaluation_shards=project.evaluation_count,
        evaluation_shards_used=project.used_shards.bit_count(),
        active_round=project.active_round or None,
    )
