"""Creating a project: seal, warm start, publish, register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jepanet.chain.contracts.all import ProjectView
from jepanet.cid import digest_file, digest_of, to_cid
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import keep, kept, tell_damage, write_atomically
from jepanet.learning.data.on_disk import MANIFEST, BuiltDataset, open_built
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import TRAINING_VERSION, Recipe
from jepanet.learning.recipe_file import recipe_named
from jepanet.learning.simulators.registry import dataset_for, recorded_in
from jepanet.operations.access import ChainAccess, SigningAccess
from jepanet.operations.funds.verifier_sets import register_set
from jepanet.operations.project_request import ProjectRequest, check_name, find_project, judges_of
from jepanet.operations.views.projects import CreatedProject, Project
from jepanet.protocol.commitment import evaluation_leaf, merkle_root
from jepanet.protocol.documents.project_folder import (
    FIRST_MODEL_FILE,
    MANIFEST_FILE,
    METADATA_FILE,
    PROJECT_FILES,
    RECIPE_FILE,
)
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest
from jepanet.work.requests import MakeFirstModel, OnProgress
from jepanet.work.worker import Worker

START_SEED = b"jepanet round 0"
"""Its SHA-256 seeds the public warm start of every project."""


@dataclass(frozen=True, slots=True)
class ProjectDraft:
    """A project that can be registered, but for its first model."""

    folder: Path
    """Of the dataset."""
    name: str
    built: BuiltDataset
    recipe: Recipe
    documents: Mapping[str, bytes]
    """What is published, by file name."""
    request: ProjectRequest


def draft_project(
    dataset: Path,
    *,
    recipe: str,
    name: str,
    verifier_set: int | None,
    verifiers: Sequence[str],
    threshold: int | None,
) -> ProjectDraft:
    """A project from a built dataset, checked as far as that goes without the chain.

    The evaluation shards' Merkle root is fixed here, before anybody has trained.

    Raises:
        Fatal: dataset, recipe, name or verifier set cannot be used.
    """
    check_name(name)
    judges = judges_of(verifier_set, verifiers, threshold)
    chosen = recipe_named(recipe)
    built = open_dataset(dataset)
    _check_suits(built, chosen)
    _check_shards(built, chosen)
    root = merkle_root([evaluation_leaf(item.index, item.digest, item.blinding) for item in built.sealed])
    documents = {
        RECIPE_FILE: chosen.to_bytes(),
        MANIFEST_FILE: built.manifest.with_root(root).to_bytes(),
        METADATA_FILE: canonical_json({"schema": "jepanet.metadata.1", "name": name}),
    }
    recipe_, dataset_, metadata = (digest_of(data) for data in documents.values())
    request = ProjectRequest(root, len(built.sealed), recipe_, dataset_, metadata, judges)
    return ProjectDraft(dataset, name, built, chosen, documents, request)


async def create_project(
    access: SigningAccess,
    worker: Worker,
    draft: ProjectDraft,
    progress: OnProgress | None = None,
) -> CreatedProject:
    """Registers a project. Repeating an interrupted call continues it.

    The first model is a public warm start from recipe, public shard and a fixed seed, so that anyone can
    repeat it.

    Raises:
        Fatal: the verifier set does not exist (before any training), or this wallet's project from the
            dataset is another one.
    """
    contracts, request = access.chain.contracts, draft.request
    found = await find_project(contracts, request, access.wallet.address)
    if found is not None:
        return _made(*found, draft.name, created=False)
    folder = draft.folder / PROJECT_FILES
    folder.mkdir(exist_ok=True)
    for file, data in draft.documents.items():
        write_atomically(folder / file, data)
    model = await _first_model(worker, draft.built, draft.recipe, folder, progress)
    judges = request.judges
    if not judges.set_id:
        key = f"create-set/{request.root.hex()}/{digest_of(repr(judges).encode()).hex()}"
        made = await register_set(access, key, judges.members, judges.threshold)
        request = replace(request, judges=replace(judges, set_id=made))
    project_id = await _register(access, request, model)
    project = await contracts.registry.project(project_id, "latest")
    return _made(project_id, project, draft.name, created=True)


def _made(project_id: int, project: ProjectView, name: str, *, created: bool) -> CreatedProject:
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
    )


def open_dataset(directory: Path) -> BuiltDataset:
    """As `open_built`; a folder that was never a dataset is not called a damaged one, which would be deleted.

    Raises:
        Fatal: no dataset there, or an incomplete or altered one (exit code `DATASET`).
    """
    if not (directory / MANIFEST).is_file():
        raise Fatal(
            f"{directory} holds no dataset",
            remedy="name the folder that `jepanet dataset build` wrote, or build one there",
            code=Exit.DATASET,
        )
    return open_built(directory)


_MAX_ORIGIN_BYTES = 4096


def _check_suits(built: BuiltDataset, recipe: Recipe) -> None:
    """Raises: Fatal when the recipe wants frames of another size than the dataset has, or is a preset for
    another simulator."""
    simulator = recorded_in(built.manifest.environment)
    # What was recorded in a simulator that is not ours suits whichever recipe its owner says.
    suiting = [name for name in PRESETS if simulator is None or simulator.trains(name)]
    if simulator is not None and recipe in PRESETS.values() and recipe.name not in suiting:
        raise Fatal(
            f"the dataset was recorded in {simulator.name} and recipe {recipe.name!r} is for another "
            "simulator",
            remedy=f"use --recipe {' or '.join(suiting)}",
            code=Exit.DATASET,
        )
    has, wants = built.manifest.parameters.get("image", recipe.family.sizes.image), recipe.family.sizes.image
    if has != wants:
        fitting = [name for name in suiting if PRESETS[name].family.sizes.image == has]
        raise Fatal(
            f"the dataset has {has}-pixel frames and recipe {recipe.name!r} wants {wants}",
            remedy="build the dataset with "
            + _option_for(recipe, wants)
            + (f", or use --recipe {' or '.join(fitting)}" if fitting else ""),
            code=Exit.DATASET,
        )


def _option_for(recipe: Recipe, image: int) -> str:
    """What `dataset build` is to be given, so that its frames suit the recipe."""
    found = dataset_for(recipe.name)
    if found is None or found[1] is found[0].datasets[0]:
        return f"--size image={image}"
    return f"--recipe {found[1].recipe}"


def _check_shards(built: BuiltDataset, recipe: Recipe) -> None:
    """Raises: Fatal when the shards cannot be trained on or scored with the recipe."""
    try:
        check_shards(built, recipe)
    except Rejected as error:
        raise Fatal(
            f"{built.directory} cannot serve a project: {error.message}",
            remedy=error.remedy or "build another dataset, or choose another recipe",
            code=Exit.DATASET,
        ) from error


async def _first_model(
    worker: Worker,
    built: BuiltDataset,
    recipe: Recipe,
    folder: Path,
    progress: OnProgress | None,
) -> Digest:
    """The round-0 model; the one made by an earlier call is kept if its inputs are the same."""
    target, origin = folder / FIRST_MODEL_FILE, folder.parent / "model-origin.json"
    inputs = {
        "recipe": recipe.digest().hex(),
        "public": built.manifest.public.digest.hex(),
        "training": TRAINING_VERSION,
    }
    known = _origin(origin)
    if known is not None and {**known, "model": None} == {**inputs, "model": None}:
        if target.is_file() and digest_file(target).hex() == known["model"]:
            return digest_file(target)
        tell_damage(target, "is missing or differs from its digest")
    draft = folder.parent / "model.part"
    made = await worker.run(
        MakeFirstModel(
            recipe=folder / RECIPE_FILE,
            shard=built.public_path,
            seed=digest_of(START_SEED),
            target=draft,
        ),
        on_progress=progress,
    )
    draft.replace(target)
    keep(origin, canonical_json({**inputs, "model": made.digest.hex()}))
    return made.digest


def _origin(path: Path) -> dict[str, Any] | None:
    """What the model beside it was made from, and its digest; None if that is unknown."""
    data = kept(path, _MAX_ORIGIN_BYTES)
    try:
        known = None if data is None else parse_json(data, max_bytes=_MAX_ORIGIN_BYTES, what=path.name)
    except Rejected as error:
        tell_damage(path, error.message)
        return None
    return known if isinstance(known, dict) else None


async def _register(access: SigningAccess, request: ProjectRequest, model: Digest) -> int:
    registry = access.chain.contracts.registry
    call = registry.create_project(
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
    project_id = registry.created(receipt)
    if project_id is None:
        raise Fatal("the transaction created no project", remedy="look at its receipt", code=Exit.REJECTED)
    # An earlier call that was cut short may have sent another request under this key.
    await find_project(access.chain.contracts, request, access.wallet.address)
    return project_id


async def list_projects(chain: ChainAccess) -> tuple[Project, ...]:
    """Every project of the deployment, from the registry."""
    count = await chain.contracts.registry.count("latest")
    return tuple([await _project(chain, number) for number in range(1, count + 1)])


async def show_project(chain: ChainAccess, project_id: int) -> Project:
    """One project.

    Raises:
        Fatal: there is no such project (exit code `NOT_FOUND`).
    """
    count = await chain.contracts.registry.count("latest")
    if not 1 <= project_id <= count:
        raise Fatal(
            f"there is no project {project_id}", remedy=f"ids run from 1 to {count}", code=Exit.NOT_FOUND
        )
    return await _project(chain, project_id)


async def _project(chain: ChainAccess, project_id: int) -> Project:
    project = await chain.contracts.registry.project(project_id, "latest")
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
