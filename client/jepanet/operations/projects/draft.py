"""A project from a built dataset: what is published, and what cannot work refused before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.cid import digest_of
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.sources.registry import built_from, dataset_for
from jepanet.operations.datasets import open_dataset
from jepanet.operations.projects.request import ProjectRequest, check_name, judges_of
from jepanet.protocol.commitment import evaluation_leaf, shard_root
from jepanet.protocol.documents.project_folder import MANIFEST_FILE, METADATA_FILE, RECIPE_FILE
from jepanet.tensors import canonical_json


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
    name: str | None,
    verifier_set: int | None,
    verifiers: Sequence[str],
    threshold: int | None,
) -> ProjectDraft:
    """A project from a built dataset, checked as far as that goes without the chain. `name`: None for that of
    the recipe.

    The evaluation shards' Merkle root is fixed here, before anybody has trained.

    Raises:
        Fatal: dataset, recipe, name or verifier set cannot be used.
    """
    if name is not None:
        check_name(name)
    judges = judges_of(verifier_set, verifiers, threshold)
    chosen = recipe_named(recipe)
    name = chosen.name if name is None else name
    built = open_dataset(dataset)
    _check_suits(built, chosen)
    _check_shards(built, chosen)
    root = shard_root([evaluation_leaf(item.index, item.digest, item.blinding) for item in built.sealed])
    documents = {
        RECIPE_FILE: chosen.to_bytes(),
        MANIFEST_FILE: built.manifest.with_root(root).to_bytes(),
        METADATA_FILE: canonical_json({"schema": "jepanet.metadata.1", "name": name}),
    }
    recipe_, dataset_, metadata = (digest_of(data) for data in documents.values())
    request = ProjectRequest(root, len(built.sealed), recipe_, dataset_, metadata, judges)
    return ProjectDraft(dataset, name, built, chosen, documents, request)


def _check_suits(built: BuiltDataset, recipe: Recipe) -> None:
    """Raises: Fatal when the recipe wants frames of another size than the dataset has, is a preset for other
    data, or gives trainings that nobody can repeat."""
    if not recipe.loop.deterministic:
        raise Fatal(
            f"recipe {recipe.name!r} trains without fixed order of sums: nobody could repeat a training",
            remedy="leave loop.deterministic out of it",
            code=Exit.DATASET,
        )
    offer = built_from(built.manifest.environment)
    # What was built from something that is not ours suits whichever recipe its owner says.
    suiting = [name for name in PRESETS if offer is None or offer.trains(name)]
    if offer is not None and recipe in PRESETS.values() and recipe.name not in suiting:
        raise Fatal(
            f"the dataset was built from {offer.name} and recipe {recipe.name!r} is for other data",
            remedy=f"use --recipe {' or '.join(suiting)}",
            code=Exit.DATASET,
        )
    has, wants = built.manifest.parameters.get("image", recipe.family.sizes.image), recipe.family.sizes.image
    if wants and has != wants:
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
