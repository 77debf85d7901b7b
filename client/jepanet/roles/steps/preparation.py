"""PrepareRound: what a round needs, on disk and checked against the chain, before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.data.suitability import check_manifest
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.learning.training.checkpoint import model_cap
from jepanet.protocol.assignment import training_shard
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec, check_methods, check_spec, decode_spec
from jepanet.protocol.duties import PrepareRound
from jepanet.protocol.facts import LocalFact, LocalRoundPrepared
from jepanet.protocol.state import Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.steps.obtain import obtain, obtain_bytes, stored
from jepanet.types import Digest, Role
from jepanet.work.requests import RoundFiles


@dataclass(frozen=True, slots=True)
class RoundDocuments:
    """The documents of one round, parsed and consistent with the chain."""

    spec: RoundSpec
    recipe: Recipe
    manifest: DatasetManifest


class Preparation:
    """Handler of `PrepareRound`, for solvers, coordinators and aggregators."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {PrepareRound.__name__: self.prepare}

    async def prepare(self, duty: PrepareRound) -> Sequence[LocalFact]:
        context = self._context
        round_ = context.round(duty.round_id)
        await context.jobs.start()  # importing torch overlaps with fetching
        documents = await round_documents(context, round_)
        await obtain(context, round_.base, max_bytes=model_cap(documents.recipe), pin=pin_of(round_))
        if Role.SOLVER in context.state().me.roles and context.me not in context.state().members(round_):
            digest, size = assigned_shard(context, round_, documents.manifest)
            # For this round only: anybody may open projects, and what is pinned for good fills the store.
            await obtain(context, digest, max_bytes=size, pin=pin_of(round_))
            if documents.recipe.aligns:
                probe = documents.manifest.probe
                await obtain(context, probe.digest, max_bytes=probe.bytes, pin=pin_of(round_))
        return [LocalRoundPrepared(round_.id, documents.spec.aggregators)]


async def round_documents(context: Context, round_: Round) -> RoundDocuments:
    """Fetches and parses spec, recipe and manifest.

    Raises:
        Transient: a document has no provider yet.
        Rejected: a document is malformed, or disagrees with what the chain says of the round; or the dataset
            cannot serve the recipe, so that nobody's work could be scored.
    """
    project = context.project(round_.project_id)
    pin = pin_of(round_)
    data = await obtain_bytes(context, round_.params.spec, max_bytes=MAX_SPEC_BYTES, pin=pin)
    spec = decode_spec(data)
    check_methods(spec, context.methods)
    check_spec(spec, project=project.id, base=round_.base, recipe=project.recipe, dataset=project.dataset)
    recipe = read_recipe(await obtain_bytes(context, project.recipe, max_bytes=MAX_RECIPE_BYTES, pin=pin))
    manifest = DatasetManifest.from_bytes(
        await obtain_bytes(context, project.dataset, max_bytes=MAX_MANIFEST_BYTES, pin=pin)
    )
    check_manifest(manifest, recipe)
    return RoundDocuments(spec, recipe, manifest)


def assigned_shard(context: Context, round_: Round, manifest: DatasetManifest) -> tuple[Digest, int]:
    """(digest, size in bytes) of the training shard the round's seed assigns to this wallet."""
    shards = manifest.training
    index = training_shard(
        context.chain_id,
        context.rounds_address,
        round_.project_id,
        round_.id,
        context.me,
        round_.seed,
        count=len(shards),
    )
    return Digest(shards[index].digest), shards[index].bytes


def round_files(context: Context, round_: Round, spec: RoundSpec) -> RoundFiles:
    """Where the files lie that every job about a prepared round reads. Raises: Rejected (`blob-missing`)."""
    return RoundFiles(
        base=stored(context, round_.base),
        recipe=stored(context, spec.recipe),
        spec=stored(context, round_.params.spec),
    )


def pin_of(round_: Round) -> str:
    """Who pins a round's blobs; released when the round is forgotten."""
    return f"round/{round_.id}"
