"""The spec of a project's next round: its proposer's terms, and what it takes over from the rounds before."""

from __future__ import annotations

from dataclasses import replace

from jepanet.errors import Rejected
from jepanet.protocol.documents.build import Build
from jepanet.protocol.documents.spec import TOLERANT, RoundSpec
from jepanet.protocol.documents.terms import RoundTerms
from jepanet.protocol.state import Project
from jepanet.roles.context import Context
from jepanet.roles.documents import RecipeSummary
from jepanet.roles.steps.episodes import ALL, episodes_due, gates_over
from jepanet.roles.steps.references import reference_of, usual_of_base
from jepanet.types import Digest


async def next_spec(
    context: Context, project: Project, terms: RoundTerms, number: int, allow_list: Digest | None
) -> RoundSpec:
    """The spec with which the `number`-th round opens. `allow_list`: the document of those who may commit.

    Raises:
        Rejected: as `build_of`; the project's sealed shards do not hold as many episodes as the terms want
            (`unsuitable-dataset`).
        Transient: nobody serves the sheet of the round that made the base.
    """
    read, pin = context.documents, f"project/{project.id}"
    recipe = context.blobs.read(project.recipe, max_bytes=read.max_recipe_bytes)
    build = await build_of(context, terms)
    reference = usual = count = episodes = sealed = 0
    if terms.to_reference_milli:
        reference = await reference_of(context, project.id, project.model, pin=pin) or 0
    if terms.usual_follows:
        usual, count = await usual_of_base(context, project.id, project.model, pin=pin) or (0, 0)
    if terms.evaluation_episodes:
        manifest = context.blobs.read(project.dataset, max_bytes=read.max_manifest_bytes)
        read.shards(manifest, recipe, terms.evaluation_episodes)
        sealed = read.shards(manifest, recipe, 0).evaluated
        episodes = await episodes_due(context, project, terms, sealed)
    spec = round_spec(project, read.recipe(recipe), terms, number, allow_list, build, reference)
    if terms.evaluation_episodes and episodes == ALL:
        spec = replace(spec, gates=gates_over(spec.gates, sealed, terms.evaluation_episodes))
    return replace(spec, usual_worth=usual, usual_count=count, evaluation_episodes=episodes)


async def build_of(context: Context, terms: RoundTerms) -> Build | None:
    """What trainings of the round are to be computed by; None where it is not audited, or on any build.

    Raises:
        Rejected: reason `bad-field`; the terms name other things than a build is told by, so that no
            machine would be one of that build.
    """
    if terms.audit is None or terms.audit.mode == TOLERANT:
        return None
    here = await context.build()
    named = terms.audit_build or here
    if set(named) != set(here):
        raise Rejected(
            f"proposer.audit_build names {', '.join(named)}; a build is told by {', '.join(here)}",
            reason="bad-field",
            remedy='copy the line that `jepanet doctor` writes, or write "here"',
        )
    return named


def round_spec(
    project: Project,
    recipe: RecipeSummary,
    terms: RoundTerms,
    number: int,
    allow_list: Digest | None = None,
    build: Build | None = None,
    reference: int = 0,
) -> RoundSpec:
    """The spec of a project's `number`-th round (from 1): steps continue where the last round ended.

    `allow_list`: the document of those who may commit. `build`: what an audited training is computed by.
    `reference`: norm in billionths of the base's, where the terms hold lengths against one.
    """
    steps = terms.inner_steps or recipe.inner_steps
    start = (number - 1) * steps
    return RoundSpec(
        project=project.id,
        base=project.model,
        recipe=project.recipe,
        dataset=project.dataset,
        inner_steps=steps,
        start_step=start,
        total_steps=max(recipe.total_steps, start + steps),
        codec=terms.codec,
        feedback_milli=terms.feedback_milli,
        max_delta_bytes=terms.max_delta_bytes,
        gates=recipe.gates,
        norms=replace(recipe.norms, to_reference_milli=terms.to_reference_milli, reference_nano=reference),
        merge=terms.merge,
        price=terms.price,
        shrink_milli=terms.shrink_milli,
        aggregators=terms.aggregators,
        update=terms.update,
        allow_list=allow_list,
        audit=terms.audit and replace(terms.audit, build=dict(build) if build else None),
        pay_cap=terms.pay_cap,
        pay_as_merged=terms.pay_as_merged,
        pay_to_median_milli=terms.pay_to_median_milli,
        usual_follows=terms.usual_follows,
        # Where the target is data, collapsed latents foresee nothing the better.
        variance_price_milli=terms.variance_price_milli if recipe.grounded else 0,
        committed_scores=terms.committed_scores,
    )
