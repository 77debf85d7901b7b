"""Models of recorded rounds: derived where that takes fewer bytes than fetching them, and served on.

Which way is taken, `jepanet.work.reaching` decides; here is where a node's files lie and how long they stay.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jepanet.errors import Rejected
from jepanet.protocol.models.keeping import kept_rounds
from jepanet.protocol.models.ways import Barred, By, Leg, Route, Sizes
from jepanet.protocol.state import Project, Round
from jepanet.roles.context import Context
from jepanet.roles.documents import RecipeSummary
from jepanet.roles.steps.obtain import keep, obtain, obtain_bytes, round_pin
from jepanet.telemetry import get_logger
from jepanet.traffic import BlobKind
from jepanet.types import Digest, ProjectId, RoundId
from jepanet.work.reaching import Reached, Wanted, reach
from jepanet.work.requests.deriving import DerivedModel, DeriveModel

log = get_logger("models")

_SHARE_OF_PHASE = 8
"""Who holds an older model waits for a late update or delta within this fraction of COMMIT or CHALLENGE; then
it fetches the model whole."""
_MISMATCH = "mismatch/"
"""Notes of a round: by which route it does not give the recorded model here, and why."""


def way_pin(project_id: ProjectId) -> str:
    """Who pins what leads to a project's model while that is being derived."""
    return f"way/{project_id}"


async def obtain_base(context: Context, round_: Round, recipe: RecipeSummary, *, pin: str) -> Path:
    """The base model of a round, from disk, derived or fetched. Raises as `obtain_model`."""
    until = round_.opened_at + round_.params.commit_duration // _SHARE_OF_PHASE
    return (await obtain_model(context, round_, recipe, round_.base, until=until, pin=pin)).path


async def obtain_result(context: Context, round_: Round, recipe: RecipeSummary, *, pin: str) -> Reached:
    """The model that a round recorded, from disk, derived or fetched.

    Raises:
        Rejected: it recorded none (reason `not-recorded`); and as `obtain_model`.
    """
    if round_.recorded is None:
        raise Rejected(f"round {round_.id} recorded no model", reason="not-recorded")
    until = round_.recorded_at + round_.params.challenge_duration // _SHARE_OF_PHASE
    return await obtain_model(context, round_, recipe, round_.recorded.model, until=until, pin=pin)


async def obtain_model(
    context: Context, round_: Round, recipe: RecipeSummary, model: Digest, *, until: int, pin: str
) -> Reached:
    """A model of a round's project, by the way that takes the fewest bytes; served to others from then on.

    Until block time `until` (seconds) a node that holds an older model waits for what it lacks to derive this
    one; after that it fetches it whole. One duty at a time looks for models of a project: the next one finds
    what this one brought.

    Raises:
        Transient: nobody serves what a way to it takes (yet), there is no room, or the worker failed.
    """
    project = context.project(round_.project_id)
    owner = way_pin(project.id)
    async with context.turns.of(project.id):
        wanted = Wanted(
            model=model,
            project=project,
            state=context.state,
            sizes=sizes_of(context, project, recipe),
            methods=context.methods,
            patient=lambda: context.state().now < until,
            barred=_known_mismatches(context, project.id),
        )
        try:
            reached = await reach(wanted, _NodeShelf(context, owner), round_id=round_.id)
            # Before the way's own pins end: nothing may be collected between the two.
            context.blobs.pin(model, pin)
        finally:
            context.blobs.unpin_owner(owner)
    if reached.how == "derived":
        log.info("model.derived", round=round_.id, model=model, links=reached.links, bytes=reached.bytes,
                 route=[str(route) for route in reached.routes])  # fmt: skip
    elif reached.how == "fetched":
        log.info("model.fetched", round=round_.id, model=model, links=reached.links, bytes=reached.bytes)
    return reached


def sizes_of(context: Context, project: Project, recipe: RecipeSummary) -> Sizes:
    """Bytes of the files of a project whose recipe is in the store."""
    read = context.documents
    data = context.blobs.read(project.recipe, max_bytes=read.max_recipe_bytes)
    return Sizes(
        dense=recipe.dense_bytes,
        most=recipe.max_model_bytes,
        encoded=cache(lambda codec: read.encoded_bytes(data, codec)),
    )


def _known_mismatches(context: Context, project_id: ProjectId) -> frozenset[Barred]:
    """Routes that gave another model than was recorded: long work is not repeated at every try."""
    return frozenset(
        By(key, Route(name.removeprefix(_MISMATCH)))
        for key, item in context.state().rounds.items()
        if item.project_id == project_id
        for name in context.journal.notes(key)
        if name.startswith(_MISMATCH)
    )


@dataclass(frozen=True, slots=True)
class _NodeShelf:
    """A node's blob store and its peers (`jepanet.work.reaching.Shelf`).

    What leads to the model is pinned while it does; what belongs to one of the last rounds stays, served.
    """

    context: Context
    owner: str

    def held(self, digest: Digest) -> bool:
        return self.context.blobs.has(digest)

    async def take(
        self, what: str, kind: BlobKind, digest: Digest, *, max_bytes: int, round_id: RoundId
    ) -> Path:
        path = await obtain(self.context, digest, kind=kind, max_bytes=max_bytes, pin=self.owner)
        self._serve_on(kind, digest, round_id)
        return path

    async def document(self, what: str, digest: Digest, *, max_bytes: int, round_id: RoundId) -> bytes:
        data = await obtain_bytes(self.context, digest, max_bytes=max_bytes, pin=self.owner)
        self._serve_on("document", digest, round_id)
        return data

    def draft(self, name: str) -> Path:
        return self.context.work / name

    async def keep(self, kind: BlobKind, made: Path, digest: Digest, *, round_id: RoundId) -> None:
        await keep(self.context, made, digest, pin=self.owner)
        self.context.blobs.publish(digest)
        self._serve_on(kind, digest, round_id)

    def _serve_on(self, kind: BlobKind, digest: Digest, round_id: RoundId) -> None:
        """Models stay with who wants them; those that were only passed on the way are let go."""
        if kind != "model" and round_id in kept_rounds(self.context.state()):
            self.context.blobs.pin(digest, round_pin(round_id))

    async def reached(self, model: Digest) -> None:
        self.context.blobs.keep_only((model,), self.owner)

    async def sound(self, digest: Digest) -> bool:
        return await asyncio.to_thread(self.context.blobs.sound, digest)

    async def derive(self, request: DeriveModel) -> DerivedModel:
        return await self.context.derivations.run(request)

    def remainder_of(self, model: Path) -> Digest | None:
        return self.context.documents.remainder_of(model)

    def mismatched(self, leg: Leg, cause: str) -> None:
        number = leg.link.round_id
        self.context.journal.put_note(number, f"{_MISMATCH}{leg.route}", cause[:1000])
        log.error(
            "model.mismatched", round=number, route=str(leg.route), model=leg.link.model, cause=cause,
            consequence="another way is taken, at last the whole model",
        )  # fmt: skip
