"""`jepanet dataset`: datasets built, taken up again, inspected."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from jepanet.cid import digest_file, to_cid
from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.builder import build
from jepanet.learning.data.building.earlier_build import secret_of
from jepanet.learning.data.building.plan import plan, sealed_name
from jepanet.learning.data.captions import Wanted, captions_shard
from jepanet.learning.data.on_disk import MANIFEST, BuiltDataset, open_built
from jepanet.learning.data.pictures import pictures_shard
from jepanet.learning.data.shards import load_shard, save_shard
from jepanet.learning.data.sizes import Counts
from jepanet.learning.presets import PRESETS
from jepanet.learning.recipe import Recipe
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.sources.offer import Buildable, Offer
from jepanet.learning.sources.registry import OFFERS
from jepanet.operations.views.projects import Dataset, SealedShard, Shard, ShardFile
from jepanet.types import Digest

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Recordable:
    """Something that datasets can be built from: a simulator, or a package."""

    name: str
    summary: str
    recipes: tuple[str, ...]
    """Presets that name its usual sizes; the first is the usual one."""
    examples: tuple[str, ...]
    """What may follow its name on the command line."""


def offers() -> Mapping[str, Recordable]:
    """All that datasets are built from, by name; nothing of it is loaded."""
    return {
        name: Recordable(
            name, offer.summary, tuple(dataset.recipe for dataset in offer.datasets), offer.examples
        )
        for name, offer in OFFERS.items()
    }


def seed_of(text: str) -> bytes:
    """The seed of a dataset, 32 bytes, from the text that somebody gave for it."""
    return hashlib.sha256(b"jepanet dataset " + text.encode()).digest()


def build_dataset(
    environment: str,
    directory: Path,
    seed: bytes,
    sizes: dict[str, int],
    *,
    recipe: str | None = None,
    workers: int,
    evaluation_seed: bytes | None,
    progress: Progress | None,
) -> Dataset:
    """Builds (or finishes, or reuses) a dataset from what the registry offers.

    `recipe` (a preset or a recipe file) says for which recipe the usual sizes are, which `sizes` changes;
    None: for the offer's first.

    Raises:
        Fatal: unknown size or recipe, or one for other data (`USAGE`); simulator or package missing, or the
            folder holds another dataset (exit code `DATASET`).
    """
    offer = OFFERS[environment]
    task, named = offer.load(), recipe or offer.datasets[0].recipe
    usual, trained = _usual(offer, task, named)
    parameters = _resized(usual, sizes)
    if trained is not None:
        _check_window(parameters, trained)
    build(
        task.environment,
        parameters,
        directory,
        seed,
        workers=workers,
        evaluation_seed=evaluation_seed,
        progress=progress,
    )
    return inspect(directory)


def build_from_lerobot(
    folder: Path,
    directory: Path,
    seed: bytes,
    sizes: dict[str, int],
    *,
    sealed: Path | None = None,
    camera: str | None,
    licence: str | None,
    workers: int,
    evaluation_seed: bytes | None,
    progress: Progress | None,
) -> Dataset:
    """Builds (or finishes, or reuses) a dataset from a folder of recordings (`sources/lerobot`).

    `sealed`: a folder whose recordings alone are evaluated; None: some of `folder` are, dealt by the secret
    seed of the sealed shards.

    Raises:
        Fatal: a folder is none that can be read, or too small, or the two do not go together (`DATASET`); no
            licence, or sizes that cannot be (`USAGE`); as `build`.
    """
    from jepanet.learning.sources.lerobot.dataset import Folders, environment_of, open_folder, sizes_of

    opened = Folders(
        open_folder(folder, camera, licence),
        None if sealed is None else open_folder(sealed, camera, licence),
    )
    secret = secret_of(directory, evaluation_seed)
    try:
        parameters = sizes_of(opened, sizes, secret)
    except Rejected as error:
        raise Fatal(error.message, remedy="sizes: docs/models/datasets.md", code=Exit.USAGE) from error
    environment = environment_of(opened, parameters, secret)
    built = build(
        environment, parameters, directory, seed, workers=workers, evaluation_seed=secret, progress=progress
    )
    check_sealed(built, plan(environment, parameters, seed, secret)[sealed_name(0)].build)
    made = inspect(directory)
    return made if sealed is not None else replace(made, note=_KNOWN_BY_WHAT_IS_LEFT.format(folder))


_KNOWN_BY_WHAT_IS_LEFT = (
    "whoever has {} knows what is sealed by what is in no public shard: where others have it, seal "
    "recordings that nobody else has, with --sealed FOLDER"
)


def check_sealed(built: BuiltDataset, wanted: str) -> None:
    """What is sealed stands in no manifest: a finished dataset may have sealed other data.

    Raises:
        Fatal: exit code `DATASET`.
    """
    if load_shard(built.evaluation_path(0)).header.get("build") != wanted:
        raise Fatal(
            f"{built.directory} holds a dataset whose sealed shards hold other data",
            remedy="name what was sealed with --sealed, or choose an empty --out",
            code=Exit.DATASET,
        )


def _usual(offer: Offer, task: Buildable, named: str) -> tuple[Counts, Recipe | None]:
    """The usual sizes for a recipe, and itself where it is known.

    Raises:
        Fatal: no such recipe, or one that trains on other data (exit code `USAGE`).
    """
    if dataset := offer.dataset_for(named):
        return task.sizes[dataset.recipe], PRESETS.get(named)
    recipe = recipe_named(named)
    schemas = [PRESETS[item.recipe].family.schema for item in offer.datasets if item.recipe in PRESETS]
    if named in PRESETS or (schemas and recipe.family.schema not in schemas):
        usual = [name for item in offer.datasets for name in (item.recipe, *item.others)]
        raise Fatal(
            f"recipe {recipe.name!r} does not train on what {offer.name} holds",
            remedy=f"use --recipe {' or '.join(usual)}, or a recipe file for such data",
            code=Exit.USAGE,
        )
    wanted = recipe.family.sizes
    alike = [task.sizes[item.recipe] for item in offer.datasets]
    sizes = next((sizes for sizes in alike if sizes.image == wanted.image), alike[0])
    changes = {"image": wanted.image or sizes.image, "frames": max(sizes.frames, wanted.window)}
    own = {item.name for item in fields(sizes)}
    return _resized(sizes, {name: size for name, size in changes.items() if name in own}), recipe


def shard_of_pictures(source: Path, path: Path, side: int) -> Shard:
    """Writes a shard of a folder or tar of pictures (`learning/data/pictures.py`).

    Raises:
        Fatal: as `pictures_shard` (exit code `DATASET`), or the file cannot be written.
    """
    shard = pictures_shard(source, side)
    digest = save_shard(path, shard)
    return Shard("pictures", shard.site[0], shard.episodes, path.stat().st_size, to_cid(digest))


def shard_of_captions(
    lines: Path, path: Path, vocabulary: Path | None, *, side: int, query: int, answer: int, tokens: int
) -> Shard:
    """Writes a shard of pictures with texts (`learning/data/captions.py`).

    side: of pictures in pixels; query, answer: tokens of the longest; tokens: of the vocabulary, which is
    learnt from `lines` where it names no file.

    Raises:
        Fatal: as `captions_shard` (exit code `DATASET`), or the file cannot be written.
    """
    shard = captions_shard(lines, Wanted(side, query, answer, tokens), vocabulary=vocabulary)
    digest = save_shard(path, shard)
    return Shard("captions", shard.site[0], shard.episodes, path.stat().st_size, to_cid(digest))


def _resized(parameters: Counts, sizes: dict[str, int]) -> Counts:
    known = [item.name for item in fields(parameters)]
    unknown = sorted(set(sizes) - set(known))
    if unknown:
        raise Fatal(
            f"a dataset has no size {unknown[0]!r}", remedy=f"sizes: {', '.join(known)}", code=Exit.USAGE
        )
    try:
        return replace(parameters, **sizes)
    except Rejected as error:
        raise Fatal(error.message, remedy="sizes: docs/models/datasets.md", code=Exit.USAGE) from error


def _check_window(parameters: Counts, recipe: Recipe) -> None:
    if parameters.frames < recipe.family.sizes.window:
        raise Fatal(
            f"episodes of {parameters.frames} frames are too short: recipe {recipe.name!r} trains on windows "
            f"of {recipe.family.sizes.window}",
            remedy=f"--size frames={recipe.family.sizes.window} or more",
            code=Exit.USAGE,
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


def inspect(directory: Path) -> Dataset:
    """What a built dataset holds; every digest is checked.

    Raises: Fatal: no dataset there, or an incomplete or altered one (exit code `DATASET`).
    """
    built = open_dataset(directory)
    manifest = built.manifest
    entries = [("training", entry) for entry in manifest.training]
    entries.append(("public", manifest.public))
    if manifest.probe is not None:
        entries.append(("probe", manifest.probe))
    return Dataset(
        directory=directory,
        environment=manifest.environment,
        data=manifest.data,
        licence=manifest.licence,
        shards=tuple(
            Shard(kind, entry.site, entry.episodes, entry.bytes, to_cid(Digest(entry.digest)))
            for kind, entry in entries
        ),
        sealed=tuple(SealedShard(item.index, item.path.stat().st_size) for item in built.sealed),
    )


def inspect_shard(path: Path) -> ShardFile:
    """What one shard holds.

    Raises:
        Fatal: the file is no shard (exit code `DATASET`).
    """
    try:
        shard = load_shard(path)
    except Rejected as error:
        raise Fatal(
            f"{path} is no shard: {error.message}",
            remedy="name a folder of `jepanet dataset build`, or a file that `dataset pictures`, `captions` "
            "or `pairs` wrote",
            code=Exit.DATASET,
        ) from error
    return ShardFile(
        file=path,
        data=shard.schema.name,
        unit=shard.schema.unit,
        episodes=shard.episodes,
        sites=dict(sorted(Counter(shard.site).items())),
        arrays={name: f"{array.dtype} {[*array.shape]}" for name, array in shard.arrays.items()},
        environment="".join(filter(str.isprintable, str(shard.header.get("environment", ""))))[:200],
        bytes=path.stat().st_size,
        cid=to_cid(digest_file(path)),
    )
