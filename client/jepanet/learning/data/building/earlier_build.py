"""What an earlier build left in a dataset's folder: a finished dataset, a damaged one, a secret seed.

What is damaged counts as absent and is recorded again, for which the seeds are kept; what was announced or
promised of it must come out the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from jepanet.errors import Exit, Fatal, Rejected
from jepanet.files import keep, kept, tell_damage
from jepanet.learning.data.building.plan import PROBE, PUBLIC, Environment, sealed_name, training_name
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.data.on_disk import (
    MANIFEST,
    SEALED,
    SEALED_LIST,
    BuiltDataset,
    Damaged,
    SealedList,
    open_built,
)
from jepanet.learning.data.sizes import Counts
from jepanet.learning.seeding import derive
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest


def secret_of(out_dir: Path, evaluation_seed: bytes | None) -> bytes:
    """The secret seed of the evaluation shards: that of an earlier build, or a new one, which nobody has
    stored yet.

    Raises:
        Fatal: `DATASET`; the seed of a finished dataset is damaged in both places, and its sealed shards,
            which a project may have promised, could not be made again.
    """
    path = out_dir / SEALED / "secret.json"
    stored = _seed_in(path) or _seed_in(out_dir / SEALED_LIST)
    if (out_dir / MANIFEST).exists() and stored and evaluation_seed not in (None, stored):
        raise _another(out_dir, ["the evaluation seed"])
    secret = evaluation_seed or stored
    if secret is None and (out_dir / MANIFEST).exists():
        raise Fatal(
            f"{path} and {SEALED_LIST} are missing or damaged: sealed shards cannot be made again",
            remedy="restore the folder from a copy; if no open project uses it, build in an empty one",
            code=Exit.DATASET,
        )
    return secret or os.urandom(32)


def keep_secret(out_dir: Path, secret: bytes) -> None:
    """Stores the secret seed, before the first evaluation shard is recorded."""
    path = out_dir / SEALED / "secret.json"
    keep(path, canonical_json({"seed": secret.hex()}), mode=0o600, code=Exit.DATASET)


def _seed_in(path: Path) -> bytes | None:
    data = kept(path, MAX_MANIFEST_BYTES)
    if data is None:
        return None
    try:
        # What is no object with a text in it raises here.
        tree = cast(dict[str, str], parse_json(data, max_bytes=MAX_MANIFEST_BYTES, what=path.name))
        seed = bytes.fromhex(tree["seed"])
    except (Rejected, KeyError, TypeError, ValueError) as error:
        tell_damage(path, str(error))
        return None
    return seed if len(seed) == 32 else None


def announced(out_dir: Path) -> dict[str, Digest]:
    """Digests of the public files by name, after the manifest of a dataset that is to be mended."""
    data = kept(out_dir / MANIFEST, MAX_MANIFEST_BYTES)
    if data is None:
        return {}
    manifest = DatasetManifest.from_bytes(data)
    files = {training_name(index): entry.digest for index, entry in enumerate(manifest.training)}
    files[PUBLIC] = manifest.public.digest
    return files if manifest.probe is None else {**files, PROBE: manifest.probe.digest}


def promised(out_dir: Path) -> dict[str, Digest]:
    """The same of the sealed shards, after their list."""
    data = kept(out_dir / SEALED_LIST, MAX_MANIFEST_BYTES)
    if data is None:
        return {}
    tree = cast(SealedList, parse_json(data, max_bytes=MAX_MANIFEST_BYTES, what="sealed list"))
    return {sealed_name(item["index"]): Digest(bytes.fromhex(item["digest"])) for item in tree["shards"]}


def finished_dataset(
    environment: Environment,
    parameters: Counts,
    out_dir: Path,
    seed: bytes,
    evaluation_seed: bytes | None,
) -> BuiltDataset | None:
    """The dataset in the folder if it is complete and sound; None if there is something to record.

    Raises:
        Fatal: `DATASET`; the folder holds another dataset, or others can read its secrets.
    """
    if not (out_dir / MANIFEST).exists():
        return None
    try:
        found = open_built(out_dir)
    except Damaged as error:
        tell_damage(out_dir, error.message)
        data = kept(out_dir / MANIFEST, MAX_MANIFEST_BYTES)
        if data is not None:
            _refuse_another(DatasetManifest.from_bytes(data), environment, parameters, out_dir, seed, None)
        return None
    blindings = tuple(shard.blinding for shard in found.sealed)
    expected = blindings
    if evaluation_seed is not None:
        expected = tuple(derive(evaluation_seed, f"blinding {index}") for index in range(len(blindings)))
    _refuse_another(found.manifest, environment, parameters, out_dir, seed, expected == blindings)
    return found


def _refuse_another(
    manifest: DatasetManifest,
    environment: Environment,
    parameters: Counts,
    out_dir: Path,
    seed: bytes,
    same_secret: bool | None,
) -> None:
    theirs, ours = manifest.parameters, parameters.to_json()
    other = [
        f"{name} {theirs.get(name, 'unknown')}, not {ours[name]}"
        for name in ours
        if theirs.get(name) != ours[name]
    ]
    other += ["the seed"] if manifest.seed != seed else []
    other += [f"made with {manifest.environment}"] if manifest.environment != environment.name else []
    other += ["the evaluation seed"] if same_secret is False else []
    if other or theirs != ours:
        raise _another(out_dir, other)


def _another(out_dir: Path, other: Sequence[str]) -> Fatal:
    return Fatal(
        f"{out_dir} holds a dataset with other parameters or another seed"
        + (f" (different: {', '.join(other)})" if other else ""),
        remedy="choose an empty folder; remove this one only if no open project uses it: its sealed "
        "shards cannot be made again",
        code=Exit.DATASET,
    )
