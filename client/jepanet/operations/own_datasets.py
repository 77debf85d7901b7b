"""`jepanet dataset split`: a dataset for a project out of a proposer's own shards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.learning.data.building.builder import build
from jepanet.learning.data.building.earlier_build import secret_of
from jepanet.learning.data.building.plan import plan, sealed_name
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.recipes.named import recipe_named
from jepanet.learning.sources.own_shards.dataset import environment_of, open_file
from jepanet.learning.sources.own_shards.dealing import Wanted, dealt
from jepanet.learning.sources.own_shards.likeness import looks_of
from jepanet.operations.datasets import Progress, check_sealed, inspect
from jepanet.operations.views.projects import Dataset

MAX_LICENCE = 400


def split_shards(
    paths: Sequence[Path],
    directory: Path,
    *,
    recipe: str,
    sites: int,
    rounds: int,
    each: int | None,
    sealed: Sequence[Path],
    licence: str,
    workers: int,
    evaluation_seed: bytes | None,
    progress: Progress | None,
) -> Dataset:
    """Deals the things of shards to training, public and sealed shards of a dataset, by a secret seed.

    sites: training shards; rounds: sealed shards; each: things in one of these, None for the usual number;
    sealed: shards whose things alone are sealed.

    Raises:
        Fatal: a file is no shard for the recipe, or there are too few things for it (`DATASET`); no licence
            (`USAGE`); as `build`.
    """
    chosen = recipe_named(recipe)
    if not licence or not licence.isprintable() or len(licence) > MAX_LICENCE:
        raise Fatal(
            f"a licence has 1 to {MAX_LICENCE} printable characters",
            remedy="say under which solvers are given the training shards, which are public",
            code=Exit.USAGE,
        )
    files = tuple(open_file(path, chosen) for path in (*paths, *sealed))
    looks = [looks_of(file.shard) for file in files]
    secret = secret_of(directory, evaluation_seed)
    image = chosen.family.sizes.image
    wanted = Wanted(sites, rounds, each)
    deal = dealt(looks[: len(paths)], looks[len(paths) :], wanted, chosen, secret, image)
    environment = environment_of(files, deal, licence, secret)
    seed = hashlib.sha256(b"".join(file.digest for file in files[: len(paths)])).digest()
    built = build(
        environment, deal.sizes, directory, seed, workers=workers, evaluation_seed=secret, progress=progress
    )
    check_sealed(built, plan(environment, deal.sizes, seed, secret)[sealed_name(0)].build)
    try:
        check_shards(built, chosen)
    except Rejected as error:
        raise Fatal(
            error.message, remedy=error.remedy or "choose another recipe", code=Exit.DATASET
        ) from error
    notes = [] if sealed else [_KNOWN_BY_WHAT_IS_LEFT]
    if deal.left_out:
        notes.append(f"{deal.left_out:,} in no shard: they repeat or resemble others, or are left over")
    return replace(inspect(directory), note="; ".join(notes) or None)


_KNOWN_BY_WHAT_IS_LEFT = (
    "whoever has these files knows what is sealed by what is in no public shard: keep them to yourself, or "
    "seal others with --sealed"
)
