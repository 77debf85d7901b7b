"""PrepareRound: what a round needs, on disk and checked against the chain, before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jepanet.division import most_steps
from jepanet.errors import Rejected, Transient
from jepanet.protocol.documents.build import apart
from jepanet.protocol.documents.fair_rules import check_fair
from jepanet.protocol.documents.scores import MAX_DELTAS
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, TOLERANT, AuditRule, RoundSpec, decode_spec
from jepanet.protocol.documents.spec_checks import check_methods, check_spec
from jepanet.protocol.duties import PrepareRound
from jepanet.protocol.facts import LocalFact, LocalRoundPrepared
from jepanet.protocol.state import Round
from jepanet.roles.context import Context, Handlers
from jepanet.roles.documents import PublicFile, PublicShards, RecipeSummary
from jepanet.roles.steps.admission import admission
from jepanet.roles.steps.backbones import obtain_backbone
from jepanet.roles.steps.models import obtain_base
from jepanet.roles.steps.obtain import obtain, obtain_document, round_pin, stored
from jepanet.roles.steps.references import hold_reference
from jepanet.roles.steps.remainders import obtain_remainder
from jepanet.roles.steps.training_data import assigned_shards, obtain_first
from jepanet.roles.steps.windows import check_windows
from jepanet.telemetry import get_logger
from jepanet.types import Digest, Role
from jepanet.work.requests.files import RoundFiles

log = get_logger("roles")

_GIB = 1 << 30
_TERA = 1e12
_BESIDE_DELTAS = 2
"""Models that are measured in every round: its base and its merge."""
_MENDING = 3
"""Merges that mending measures for each delta, about (`federation.judging.repair`): one where none is
dropped, up to five where many are."""


@dataclass(frozen=True, slots=True)
class RoundDocuments:
    """The documents of one round, parsed and consistent with the chain."""

    spec: RoundSpec
    recipe: RecipeSummary
    shards: PublicShards


class Preparation:
    """Handler of `PrepareRound`, for solvers, coordinators and aggregators."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handlers(self) -> Handlers:
        return {PrepareRound.__name__: self.prepare}

    async def prepare(self, duty: PrepareRound) -> Sequence[LocalFact]:
        context = self._context
        round_ = context.round(duty.round_id)
        await check_windows(context, round_)
        await context.jobs.start()  # importing torch overlaps with fetching
        documents = await round_documents(context, round_)
        trains = Role.SOLVER in context.state().me.roles and context.me not in context.state().members(round_)
        recipe = documents.recipe
        check_build(context, round_, recipe)
        await check_audited_build(context, round_, documents.spec.audit, trains=trains)
        audits = documents.spec.audit is not None and documents.spec.audit.probability_milli > 0
        check_memory(context, round_, recipe.training_bytes if trains or audits else recipe.measuring_bytes)
        check_computing(context, round_, documents, trains=trains)
        await hold_reference(context, round_, documents.spec, pin=pin_of(round_))
        await obtain_backbone(context, recipe, pin=pin_of(round_))
        await obtain_base(context, round_, recipe, pin=pin_of(round_))
        if trains:
            await admission(context, round_)
            shards = assigned_shards(context, round_, documents.recipe, documents.shards)
            await obtain_first(context, round_, documents.recipe, shards)
            for shard in read_beside(documents):
                await obtain(context, shard.digest, kind="shard", max_bytes=shard.bytes, pin=pin_of(round_))
        elif context.me in (*context.state().members(round_), *documents.spec.aggregators):
            await self._prefetch_remainder(round_, documents)
        return [LocalRoundPrepared(round_.id, documents.spec.aggregators)]

    async def _prefetch_remainder(self, round_: Round, documents: RoundDocuments) -> None:
        """What the merge takes beside the deltas, now: who made it may be gone when the merge is due.

        Without it there is work to do all the same: deltas are scored, and a round may end without a merge.
        """
        try:
            cap = documents.recipe.max_model_bytes
            await obtain_remainder(self._context, round_, documents.spec, max_bytes=cap)
        except (Transient, Rejected) as error:
            log.warning("remainder.missed", round=round_.id, why=error.message, remedy=error.remedy,
                        consequence="asked for again when the merge is due")  # fmt: skip


async def round_documents(context: Context, round_: Round) -> RoundDocuments:
    """Fetches and parses spec, recipe and manifest.

    Raises:
        Transient: a document has no provider yet.
        Rejected: a document is malformed, or disagrees with what the chain says of the round; or the dataset
            cannot serve the recipe, so that nobody's work could be scored.
    """
    project = context.project(round_.project_id)
    pin = pin_of(round_)
    data = await obtain_document(context, round_.params.spec, max_bytes=MAX_SPEC_BYTES, pin=pin)
    spec = decode_spec(data)
    check_methods(spec, context.methods)
    check_fair(spec)
    check_spec(spec, project=project.id, base=round_.base, recipe=project.recipe, dataset=project.dataset)
    read = context.documents
    recipe = await obtain_document(context, project.recipe, max_bytes=read.max_recipe_bytes, pin=pin)
    if spec.audit is not None:
        read.check_audits(spec, recipe)
    summary = read.recipe(recipe)
    manifest = await obtain_document(context, project.dataset, max_bytes=read.max_manifest_bytes, pin=pin)
    return RoundDocuments(spec, summary, read.shards(manifest, recipe, spec.evaluation_episodes))


def read_beside(documents: RoundDocuments) -> list[PublicFile]:
    """What a solver reads beside its training shards: where the recipe aligns, the probe; where it asks a
    score of its bases, the public shard."""
    recipe, shards = documents.recipe, documents.shards
    wanted = [shards.probe if recipe.aligns else None, shards.public if recipe.least else None]
    return [item for item in wanted if item is not None]


def check_build(context: Context, round_: Round, recipe: RecipeSummary) -> None:
    """Whether this node has the torch that a recipe demands, known before anything is fetched or at stake.

    Raises:
        Rejected: reason `other-build`.
    """
    here = context.torch.partition("+")[0]
    if recipe.torch and not f"{here}.".startswith(f"{recipe.torch}."):
        raise Rejected(
            f"round {round_.id} is computed with torch {recipe.torch}, and here is {context.torch or 'none'}",
            reason="other-build",
            remedy=f"install it (pip install 'torch=={recipe.torch}.*'), or leave such projects out of "
            "projects.follow",
        )


async def check_audited_build(
    context: Context, round_: Round, rule: AuditRule | None, *, trains: bool
) -> None:
    """Whether this node computes by what an audited round names: a solver's work would not come out as
    committed to, and a verifier could audit nobody. Known before anything is fetched or at stake.

    Raises:
        Rejected: reason `other-build`; `bad-field` where solvers are drawn and no build is named.
        Transient: this machine's build could not be found out.
    """
    if rule is None or rule.mode == TOLERANT or not (trains or rule.probability_milli):
        return
    if rule.build is None:
        if not rule.probability_milli:
            return
        # Each solver could claim one that nobody has, and no verifier could look at any of them.
        raise Rejected(
            f"round {round_.id} audits drawn trainings and names no build to audit them by",
            reason="bad-field",
            remedy="leave such projects out of projects.follow; a proposer's node names one by itself",
        )
    here, wanted = await context.build(), rule.build
    if here == wanted:
        return
    raise Rejected(
        f"trainings of round {round_.id} are audited on another build: {apart(here, wanted)}",
        reason="other-build",
        remedy="take part with such a machine, or leave such projects out of projects.follow; who proposes "
        "it names the build in proposer.audit_build",
    )


def check_memory(context: Context, round_: Round, needed: int) -> None:
    """Whether what this node does in a round has room, known before anything is fetched or at stake.

    Raises:
        Rejected: reason `too-little-memory`; it takes more than the operator allows.
    """
    if context.memory is not None and needed > context.memory:
        raise Rejected(
            f"round {round_.id} takes about {needed / _GIB:.1f} GiB of {context.device}'s memory, and "
            f"worker.memory_gb allows {context.memory / _GIB:.1f}",
            reason="too-little-memory",
            remedy="raise worker.memory_gb if the machine has more, or leave such projects out of "
            "projects.follow",
        )


def audited_steps(spec: RoundSpec, solvers: int, measured_every: int) -> int:
    """Steps of training that audits of so many solvers take a verifier, as many as are drawn on average."""
    rule = spec.audit
    if rule is None or not rule.probability_milli:
        return 0
    drawn = -(-solvers * rule.probability_milli // 1000)
    return drawn * most_steps(spec.inner_steps, rule.segments, rule.opened, measured_every)


def check_computing(context: Context, round_: Round, documents: RoundDocuments, *, trains: bool) -> None:
    """Whether this node has the time for its part of a round, known before anything is fetched or at stake.

    Raises:
        Rejected: reason `too-much-computing`; it takes more operations than the operator allows.
    """
    if context.operations is None:
        return
    spec, recipe = documents.spec, documents.recipe
    if trains:
        needed = recipe.looking_operations + recipe.step_operations * spec.inner_steps
        what = f"{spec.inner_steps:,} steps of training" + " and a look at its base" * (recipe.least > 0)
        less = "a smaller proposer.inner_steps, or a recipe of a smaller `model` and batch"
    else:  # how many deltas will be revealed is not known yet
        # Each alone, as one of those worth paying, and merges without it: of all, of fewer, of what is left.
        each = 1 + spec.pay_as_merged + _MENDING * (spec.merge.drop_sigmas_milli > 0)
        most = min(round_.params.max_solvers or MAX_DELTAS, MAX_DELTAS)
        models = _BESIDE_DELTAS + each * most
        steps = audited_steps(spec, most, recipe.measured_every)
        needed = models * recipe.measuring_operations * documents.shards.evaluated
        needed += steps * recipe.step_operations
        what = f"measuring {models:,} models" + f" and {steps:,} steps of audits" * (steps > 0)
        less = "a smaller proposer.max_solvers, fewer evaluation_episodes, or a recipe of a smaller `model`"
    if needed > context.operations:
        raise Rejected(
            f"round {round_.id} takes about {needed / _TERA:,.1f} x 10^12 operations for {what}, and "
            f"worker.round_tflop allows {context.operations / _TERA:,.1f}",
            reason="too-much-computing",
            remedy="raise worker.round_tflop if the machine is fast enough, or leave such projects out of "
            f"projects.follow; who proposes it makes such rounds smaller by {less}",
        )


def check_room(context: Context, recipe: Digest, codec: str, cap: int, remedy: str) -> None:
    """Whether every delta of a recipe in a codec fits under a round's cap, known before anybody trains.

    Raises:
        Rejected: reason `no-room`; one may be larger than `cap` bytes. `remedy` may name `{bytes}`.
    """
    read = context.documents
    most = read.encoded_bytes(context.blobs.read(recipe, max_bytes=read.max_recipe_bytes), codec)
    if most > cap:
        raise Rejected(
            f"a delta of this recipe in codec {codec} has up to {most} bytes, the round allows {cap}",
            reason="no-room",
            remedy=remedy.format(bytes=most),
        )


def round_files(context: Context, round_: Round, spec: RoundSpec) -> RoundFiles:
    """Where the files lie that every job about a prepared round reads. Raises: Rejected (`blob-missing`)."""
    return RoundFiles(
        base=stored(context, round_.base),
        recipe=stored(context, spec.recipe),
        spec=stored(context, round_.params.spec),
    )


def pin_of(round_: Round) -> str:
    """Who pins a round's blobs, as `round_pin`."""
    return round_pin(round_.id)
