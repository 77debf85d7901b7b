"""Recipes, manifests, datasets and sizes, read by `learning` and `federation` for roles
(`roles.documents.Documents`)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.federation.deltas.codecs import CODECS
from jepanet.federation.deltas.delta import most_file_bytes
from jepanet.learning.auditing.division import measured_every
from jepanet.learning.computing import looking_operations, measuring_operations, training_operations
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.data.measured_part import check_part
from jepanet.learning.data.on_disk import MANIFEST, open_built
from jepanet.learning.data.shards import MAX_SHARD_BYTES
from jepanet.learning.data.suitability import check_manifest
from jepanet.learning.family import frozen_file
from jepanet.learning.memory import measuring_memory, training_memory
from jepanet.learning.model_file import model_cap, remainder_of
from jepanet.learning.recipe import GROUNDED, MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.protocol.documents.spec import Gates, NormCaps, RoundSpec
from jepanet.roles.documents import OwnDataset, PublicShards, RecipeSummary
from jepanet.types import Digest
from jepanet.work.audit_rules import check_audits


class LearningDocuments:
    """`Documents` of this program. Importing it imports no torch."""

    max_recipe_bytes = MAX_RECIPE_BYTES
    max_manifest_bytes = MAX_MANIFEST_BYTES
    max_shard_bytes = MAX_SHARD_BYTES

    def __init__(self, device: str = "cpu", processes: int = 1) -> None:
        """`device`, `processes`: by which this node trains."""
        self._device, self._processes = device, processes

    def recipe(self, data: bytes) -> RecipeSummary:
        recipe, here = read_recipe(data), self._device.startswith("cpu")
        frozen = frozen_file(recipe.family)
        return RecipeSummary(
            inner_steps=recipe.inner_steps,
            total_steps=recipe.total_steps,
            gates=_gates(recipe),
            norms=NormCaps(longest_milli=round(1000 * recipe.gates.longest)),
            aligns=recipe.aligns,
            max_model_bytes=model_cap(recipe),
            dense_bytes=4 * recipe.parameters(),
            training_bytes=training_memory(recipe).on(self._device, self._processes),
            measuring_bytes=measuring_memory(recipe, 3 if here else 1),
            delta_bytes=4 * recipe.parameters() if here else 0,
            shards=recipe.loop.shards,
            mix=recipe.loop.mix,
            torch=recipe.loop.torch,
            step_operations=training_operations(recipe, 1),
            measuring_operations=measuring_operations(recipe, 1, 1),
            looking_operations=looking_operations(recipe),
            measured_every=measured_every(recipe),
            least=recipe.score.least,
            grounded=recipe.score.kind == GROUNDED,
            backbone=None if frozen is None else frozen.digest,
            backbone_bytes=0 if frozen is None else frozen.bytes,
        )

    def check_audits(self, spec: RoundSpec, recipe: bytes) -> None:
        check_audits(spec, read_recipe(recipe))

    def shards(self, manifest: bytes, recipe: bytes, episodes: int) -> PublicShards:
        found, read = DatasetManifest.from_bytes(manifest), read_recipe(recipe)
        check_manifest(found, read)
        check_part(episodes, found, read)
        measured = episodes or found.evaluation.episodes
        return PublicShards(found.training, found.probe, measured, found.public)

    def encoded_bytes(self, recipe: bytes, codec: str) -> int:
        if codec not in CODECS:
            raise Rejected(f"there is no codec {codec!r:.50}", reason="bad-codec")
        return most_file_bytes(read_recipe(recipe).family.parameter_shapes(), codec)

    def remainder_of(self, model: Path) -> Digest | None:
        return remainder_of(model)

    def own_dataset(self, directory: Path) -> OwnDataset:
        built = open_built(directory)
        training = [built.training_path(index) for index in range(len(built.manifest.training))]
        probe = () if built.manifest.probe is None else (built.probe_path,)
        return OwnDataset((directory / MANIFEST, built.public_path, *probe, *training), built.sealed)


def _gates(recipe: Recipe) -> Gates:
    """The recipe's gates in thousandths: what is measured about a family belongs to its recipe, what decides
    about money to the round's spec."""
    kept = (field.name.removesuffix("_milli") for field in fields(Gates))
    return Gates(**{f"{name}_milli": round(1000 * getattr(recipe.gates, name)) for name in kept})
