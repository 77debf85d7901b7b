"""A model card: what a global model is, what it was measured at, and how anyone gets from round 0 to it.

Sections follow Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993). Every figure comes
from documents whose digests the chain holds; text written by strangers stands as code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jepanet.chain.contracts.deployment import Deployment
from jepanet.cid import digest_of, to_cid
from jepanet.errors import Rejected
from jepanet.files import write_atomically
from jepanet.learning.data.manifest import MAX_MANIFEST_BYTES, DatasetManifest
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.models.model_export import write_model
from jepanet.operations.projects.first_model import START_SEED
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.views.rounds import ModelCard
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, RoundSpec
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, decode_sheet
from jepanet.protocol.state import NodeState, Recorded, Round, Status
from jepanet.types import Digest, Verdict
from jepanet.work.methods import known_spec
from jepanet.work.worker import Worker


@dataclass(frozen=True, slots=True)
class Link:
    """One recorded round on the way from the public warm start to the model."""

    round: Round
    recorded: Recorded
    sheet: ScoreSheet


@dataclass(frozen=True, slots=True)
class Origin:
    """Everything that a card shows."""

    chain_id: int
    contract: str
    recipe: Recipe
    recipe_digest: Digest
    manifest: DatasetManifest
    dataset_digest: Digest
    spec: RoundSpec
    links: tuple[Link, ...]
    """From the first recorded round that is still held to the model's."""
    parameters: int
    forgotten: int = 0
    """Older rounds of the project: whoever folds the chain holds the newest rounds alone."""


async def write_card(
    deployment: Deployment,
    history: History,
    library: Library,
    worker: Worker,
    round_id: int,
    folder: Path,
) -> ModelCard:
    """Exports a round's model into `folder`, made if need be, and writes its card beside it.

    Raises:
        Fatal: no such round, or it recorded no model that counts.
        Rejected: the chain of models does not hold together (reason `broken-chain`).
        Transient: a document has no provider.
    """
    weights = folder / f"model-round-{round_id}.safetensors"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    state = await history.state()
    exported = await write_model(state, library, worker, round_id, weights)
    origin = await _origin(deployment, state, find_round(state, round_id), library, exported.parameters)
    card = weights.with_suffix(".md")
    await asyncio.to_thread(write_atomically, card, render(origin).encode())
    return ModelCard(exported, card, len(origin.links))


async def _origin(
    deployment: Deployment, state: NodeState, round_: Round, library: Library, parameters: int
) -> Origin:
    project = state.projects[round_.project_id]
    links = []
    for key, item in sorted(state.rounds.items()):
        recorded = item.recorded if item.status is not Status.CANCELLED else None
        if recorded is not None and item.project_id == round_.project_id and key <= round_.id:
            path = await library.get("score sheet", recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES)
            links.append(Link(item, recorded, decode_sheet(path.read_bytes())))
    check_chain(links)
    recipe = await library.get("recipe", project.recipe, "dag-json", max_bytes=MAX_RECIPE_BYTES)
    manifest = await library.get("manifest", project.dataset, "dag-json", max_bytes=MAX_MANIFEST_BYTES)
    spec = await library.get("round spec", round_.params.spec, "dag-json", max_bytes=MAX_SPEC_BYTES)
    return Origin(
        chain_id=deployment.chain_id,
        contract=deployment.rounds,
        recipe=read_recipe(recipe.read_bytes()),
        recipe_digest=project.recipe,
        manifest=DatasetManifest.from_bytes(manifest.read_bytes()),
        dataset_digest=project.dataset,
        spec=known_spec(spec.read_bytes()),
        links=tuple(links),
        parameters=parameters,
        forgotten=project.rounds - sum(item.project_id == project.id for item in state.rounds.values()),
    )


def check_chain(links: Sequence[Link]) -> None:
    """Every sheet is its round's, and every round began from the model the one before it left.

    Raises:
        Rejected: a link is broken (reason `broken-chain`).
    """
    model: Digest | None = None
    for link in links:
        named = (link.sheet.round_id, link.sheet.base, link.sheet.model)
        if named != (link.round.id, link.round.base, link.recorded.model):
            raise Rejected(f"round {link.round.id}: the sheet is not of this round", reason="broken-chain")
        if model is not None and link.round.base != model:
            raise Rejected(
                f"round {link.round.id} began from {to_cid(link.round.base)}, not from the model before it",
                reason="broken-chain",
            )
        model = link.recorded.model


def render(origin: Origin) -> str:
    """The card, as Markdown."""
    last = origin.links[-1]
    recipe, manifest = origin.recipe, origin.manifest
    family, sizes = recipe.family.description, recipe.family.sizes
    unit = recipe.family.schema.unit
    lines = [
        f"# {family.title} after round {last.round.id}",
        "",
        f"- model: `{to_cid(last.sheet.model)}`",
        f"- chain {origin.chain_id}, contract `{origin.contract}`, project {last.round.project_id}, "
        f"{_standing(last.round)}",
        f"- recipe {_plain(recipe.name)} `{to_cid(origin.recipe_digest, 'dag-json')}`: "
        f"{family.kind}, {origin.parameters:,} float32 parameters, "
        + (f"{sizes.image}-pixel pictures, " if sizes.image else "")
        + (f"{sizes.vocabulary:,} tokens, " if sizes.vocabulary is not None else "")
        + f"{sizes.latent} latent dimensions, {recipe.score.kind} score",
        f"- round spec: {origin.spec.inner_steps} steps a solver, merge rule {origin.spec.merge.rule}, outer "
        f"learning rate {origin.spec.merge.outer_lr_milli / 1000:g}, momentum "
        f"{origin.spec.merge.outer_momentum_milli / 1000:g}, deltas as {origin.spec.codec}",
        "",
        "## Use",
        "",
        f"{family.use.format(environment=_plain(manifest.environment))} It was trained on that alone; "
        "nothing is known of it elsewhere.",
        "",
        "## Measured on data nobody had seen",
        "",
        f"Evaluation shard `{to_cid(last.sheet.shard)}`, sealed until after the solvers had committed.",
        "",
        "| metric | before the round | after |",
        "|---|---:|---:|",
        *_metrics(last.sheet),
        "",
        *(
            [f"The merge of this round was withheld: {_plain(last.sheet.note)}.", ""]
            if last.sheet.note
            else []
        ),
        "No figure counts alone: the error falls when the rank falls.",
        "",
        "## Data",
        "",
        f"Dataset `{to_cid(origin.dataset_digest, 'dag-json')}`, environment "
        f"{_plain(manifest.environment)}: {len(manifest.training)} training shards "
        f"({_episodes(manifest)} {unit}s), a public shard for the warm start, {manifest.evaluation.count} "
        f"sealed evaluation shards of {manifest.evaluation.episodes} {unit}s on "
        f"{len(manifest.evaluation.sites)} sites that nobody trains on."
        + (f" Licence: {_plain(manifest.licence)}." if manifest.licence else ""),
        "",
        "## Provenance",
        "",
        f"Round 0 is a public warm start that anyone can repeat: recipe, public shard, seed "
        f"`{digest_of(START_SEED).hex()}`. {_beginning(origin)}",
        "",
        "| round | base | merged deltas | improvement, micro-nats | model | score sheet |",
        "|---:|---|---|---:|---|---|",
        *(_link(link) for link in origin.links),
        "",
        "## Repeat it",
        "",
        "```",
        *(f"jepanet verify {link.round.id} --config node.toml" for link in origin.links),
        f"jepanet model export --round {last.round.id} --out model.safetensors --config node.toml",
        "```",
        "",
    ]
    return "\n".join(lines)


def _beginning(origin: Origin) -> str:
    first = to_cid(origin.links[0].round.base)
    if not origin.forgotten:
        return f"Its model is `{first}`."
    return f"{origin.forgotten} older rounds are not listed: the table begins at `{first}`."


def _standing(round_: Round) -> str:
    if round_.status is Status.SETTLED:
        return "settled"
    return "recorded and still open to challenge: it may yet be overturned"


def _metrics(sheet: ScoreSheet) -> list[str]:
    values = {name: value / 1e6 for name, value in sheet.metrics}
    names = sorted(name.removeprefix("after.") for name in values if name.startswith("after."))
    rows = []
    for name in names:
        before = values.get(f"before.{name}")
        shown = "" if before is None else f"{before:.4f}"
        rows.append(f"| {_plain(name)} | {shown} | {values[f'after.{name}']:.4f} |")
    return rows


def _episodes(manifest: DatasetManifest) -> int:
    return sum(entry.episodes for entry in manifest.training)


def _link(link: Link) -> str:
    merged = [row for row in link.sheet.rows if row.verdict is Verdict.ACCEPTED]
    who = ", ".join(f"`{to_cid(row.digest)}` by `{row.solver}`" for row in merged) or "none"
    if not link.sheet.published:
        who = f"none published ({_plain(link.sheet.note)})" if link.sheet.note else "none published"
    return (
        f"| {link.round.id} | `{to_cid(link.sheet.base)}` | {who} | {link.sheet.improvement} "
        f"| `{to_cid(link.sheet.model)}` | `{to_cid(link.recorded.sheet, 'dag-json')}` |"
    )


def _plain(text: str) -> str:
    """Text of strangers as a code span, where neither Markdown nor HTML nor a terminal acts upon it.

    Escapes would not do: GitHub makes links of bare addresses. A bar would end a cell of a table.
    """
    shown = "".join(character if character.isprintable() else "?" for character in text)
    for mark in "`|<>&":
        shown = shown.replace(mark, "'")
    return f"`{shown}`"
