"""`jepanet project create`: warm start, publish, register."""

from __future__ import annotations

from dataclasses import replace

from jepanet.chain.contracts.all import ProjectView
from jepanet.cid import digest_of, to_cid
from jepanet.errors import Exit, Fatal
from jepanet.files import write_atomically
from jepanet.operations.access import SigningAccess
from jepanet.operations.funds.verifier_sets import limits_of, register_set
from jepanet.operations.projects.draft import ProjectDraft
from jepanet.operations.projects.first_model import first_model
from jepanet.operations.projects.request import ProjectRequest, find_project
from jepanet.operations.views.projects import CreatedProject
from jepanet.protocol.documents.project_folder import PROJECT_FILES
from jepanet.settings.config import ProposerSection
from jepanet.types import Digest
from jepanet.work.requests.request import OnProgress
from jepanet.work.worker import Worker


async def create_project(
    access: SigningAccess,
    worker: Worker,
    draft: ProjectDraft,
    proposer: ProposerSection,
    progress: OnProgress | None = None,
    *,
    device: str = "cpu",
) -> CreatedProject:
    """Registers a project. Repeating an interrupted call continues it.

    A new verifier set gets limits for rounds of the terms in `proposer`.

    The first model is a public warm start from recipe, public shard and a fixed seed, so that anyone can
    repeat it; it is trained on `device`.

    Raises:
        Fatal: the verifier set does not exist (before any training), or this wallet's project from the
            dataset is another one.
    """
    contracts, request = access.chain.contracts, draft.request
    found = await find_project(contracts, request, access.wallet.address)
    if found is not None:
        return await _made(access, *found, draft.name, created=False)
    folder = draft.folder / PROJECT_FILES
    folder.mkdir(exist_ok=True)
    for file, data in draft.documents.items():
        write_atomically(folder / file, data)
    model = await first_model(worker, draft.built, draft.recipe, folder, progress, device=device)
    judges = request.judges
    if not judges.set_id:
        key = f"create-set/{request.root.hex()}/{digest_of(repr(judges).encode()).hex()}"
        limits = await limits_of(access.chain, proposer)
        made = await register_set(access, key, judges.members, judges.threshold, limits)
        request = replace(request, judges=replace(judges, set_id=made))
    project_id = await _register(access, request, model)
    project = await contracts.lens.project(project_id, "latest")
    return await _made(access, project_id, project, draft.name, created=True)


async def _made(
    access: SigningAccess, project_id: int, project: ProjectView, name: str, *, created: bool
) -> CreatedProject:
    lens, me, set_id = access.chain.contracts.lens, access.wallet.address, project.verifier_set
    curator = (await lens.verifier_set(set_id, "latest")).curator
    note = None
    if curator != me and not await lens.is_admitted(set_id, me, "latest"):
        note = f"no round opens before {curator} has called `jepanet verifiers admit {set_id} {me}`"
    return CreatedProject(
        project=project_id,
        created=created,
        set=project.verifier_set,
        name=name,
        recipe=to_cid(project.recipe, "dag-json"),
        dataset=to_cid(project.dataset, "dag-json"),
        model=to_cid(project.model),
        evaluation_shards=project.evaluation_count,
        evaluation_root="0x" + project.evaluation_root.hex(),
        note=note,
    )


async def _register(access: SigningAccess, request: ProjectRequest, model: Digest) -> int:
    rounds = access.chain.contracts.rounds
    call = rounds.create_project(
        recipe=request.recipe,
        dataset=request.dataset,
        model=model,
        evaluation_root=request.root,
        evaluation_count=request.shards,
        verifier_set=request.judges.set_id,
        metadata=request.metadata,
    )
    # The root hides the shards and is fresh for every dataset, so it names the request.
    receipt = await access.sender.send(f"create-project/{request.root.hex()}", call)
    project_id = rounds.created_project(receipt)
    if project_id is None:
        raise Fatal("the transaction created no project", remedy="look at its receipt", code=Exit.REJECTED)
    # An earlier call that was cut short may have sent another request under this key.
    await find_project(access.chain.contracts, request, access.wallet.address)
    return project_id
