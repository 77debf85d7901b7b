"""The model that a project begins with: a public warm start that anyone can repeat."""

from __future__ import annotations

from pathlib import Path

from jepanet.cid import digest_file, digest_of
from jepanet.errors import Rejected
from jepanet.files import keep, kept, tell_damage
from jepanet.learning.data.on_disk import BuiltDataset
from jepanet.learning.recipe import TRAINING_VERSION, Recipe
from jepanet.nesting import Json
from jepanet.protocol.documents.project_folder import FIRST_MODEL_FILE, RECIPE_FILE
from jepanet.tensors import canonical_json, parse_json
from jepanet.types import Digest
from jepanet.work.requests.request import OnProgress
from jepanet.work.requests.training import MakeFirstModel
from jepanet.work.worker import Worker

START_SEED = b"jepanet round 0"
"""Its SHA-256 seeds the public warm start of every project."""
_MAX_ORIGIN_BYTES = 4096


async def first_model(
    worker: Worker,
    built: BuiltDataset,
    recipe: Recipe,
    folder: Path,
    progress: OnProgress | None,
    *,
    device: str = "cpu",
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
            device=device,
        ),
        on_progress=progress,
    )
    draft.replace(target)
    keep(origin, canonical_json({**inputs, "model": made.digest.hex()}))
    return made.digest


def _origin(path: Path) -> dict[str, Json] | None:
    """What the model beside it was made from, and its digest; None if that is unknown."""
    data = kept(path, _MAX_ORIGIN_BYTES)
    try:
        known = None if data is None else parse_json(data, max_bytes=_MAX_ORIGIN_BYTES, what=path.name)
    except Rejected as error:
        tell_damage(path, error.message)
        return None
    return known if isinstance(known, dict) else None
