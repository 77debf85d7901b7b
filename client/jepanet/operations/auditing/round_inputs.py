"""The documents of a round, its base, and what one solver's training began with: read by their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.errors import Rejected
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.reading.library import Library
from jepanet.operations.reading.models import get_model
from jepanet.protocol.assignment import training_seed, training_shards
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec
from jepanet.protocol.documents.spec_checks import check_spec
from jepanet.protocol.rounds import Reveal
from jepanet.protocol.state import NodeState, Round
from jepanet.types import Address
from jepanet.work.methods import known_spec
from jepanet.work.requests.files import RoundFiles, TrainingShard
from jepanet.work.worker import Worker


@dataclass(frozen=True, slots=True)
class RoundInputs:
    """What every recomputation of a round reads."""

    spec: RoundSpec
    recipe: Recipe
    manifest: DatasetManifest
    manifest_path: Path
    files: RoundFiles


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """What one solver's training read."""

    shards: tuple[TrainingShard, ...]
    probe: Path | None
    seed: bytes
    reveal: Reveal


async def round_rules(state: NodeState, round_: Round, library: Library) -> tuple[RoundSpec, Path]:
    """Fetches the rules of a round, and holds them against the chain.

    Raises:
        Rejected: `wrong-spec`, or what a file is refused for.
        Transient: the file has no provider.
    """
    project = state.projects[round_.project_id]
    path = await library.get("round spec", round_.params.spec, "dag-json", max_bytes=MAX_SPEC_BYTES)
    spec: RoundSpec = known_spec(path.read_bytes())
    check_spec(spec, project=project.id, base=round_.base, recipe=project.recipe, dataset=project.dataset)
    return spec, path


async def round_inputs(state: NodeState, round_: Round, library: Library, worker: Worker) -> RoundInputs:
    """Fetches rules, recipe, manifest and base of a round, and holds them against the chain.

    Raises:
        Rejected: `wrong-spec`, `wrong-root`, or what a file is refused for.
        Transient: a file has no provider.
    """
    project, get = state.projects[round_.project_id], library.get
    spec, spec_path = await round_rules(state, round_, library)
    recipe_path = await get("recipe", project.recipe, "dag-json", max_bytes=MAX_RECIPE_BYTES)
    manifest_path = await get("dataset manifest", project.dataset, "dag-json", max_bytes=MAX_MANIFEST_BYTES)
    recipe = read_recipe(recipe_path.read_bytes())
    manifest = DatasetManifest.from_bytes(manifest_path.read_bytes())
    if manifest.evaluation.root != project.evaluation_root:
        raise Rejected("the manifest names another evaluation root than the chain", reason="wrong-root")
    base = await get_model(
        "base model", round_.base, state=state, project=project, recipe=recipe,
        library=library, worker=worker, round_id=round_.id,
    )  # fmt: skip
    files = RoundFiles(base=base, recipe=recipe_path, spec=spec_path)
    return RoundInputs(spec, recipe, manifest, manifest_path, files)


async def training_inputs(
    solver: Address,
    *,
    round_: Round,
    deployment: Deployment,
    recipe: Recipe,
    manifest: DatasetManifest,
    library: Library,
) -> TrainingInputs:
    """Fetches what `solver` was assigned, and derives its seed from the salt that it revealed.

    Raises:
        Rejected: `not-revealed`, or what a file is refused for.
        Transient: a file has no provider.
    """
    reveal = round_.reveal_of(solver)
    if reveal is None:
        raise Rejected(f"{solver} revealed nothing in round {round_.id}", reason="not-revealed")
    place = (deployment.chain_id, deployment.rounds, round_.project_id, round_.id, solver, round_.seed)
    assigned = training_shards(*place, count=len(manifest.training), wanted=recipe.loop.shards)
    probe, wanted, get = None, manifest.probe, library.get
    if recipe.aligns and wanted is not None:
        probe = await get("probe frames", wanted.digest, "raw", max_bytes=wanted.bytes)
    shards = []
    for shard in (manifest.training[index] for index in assigned):
        path = await get("training shard", shard.digest, "raw", max_bytes=shard.bytes)
        shards.append(TrainingShard(path, shard.digest, shard.bytes))
    return TrainingInputs(tuple(shards), probe, training_seed(*place, reveal.salt), reveal)
