"""Models of recorded rounds for whoever takes no part: from a library's folder and its peers, or derived.

Which way is taken, `jepanet.work.reaching` decides, as for a node: here is where the files of those who only
look lie.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jepanet.cid import Codec
from jepanet.federation.deltas.delta import most_file_bytes
from jepanet.learning.model_file import model_cap, remainder_of
from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
from jepanet.learning.recipe_reader import read_recipe
from jepanet.operations.reading.library import Library
from jepanet.protocol.models.ways import Leg, Sizes
from jepanet.protocol.state import NodeState, Project
from jepanet.telemetry import get_logger
from jepanet.traffic import BlobKind
from jepanet.types import Digest, RoundId
from jepanet.work.methods import METHODS
from jepanet.work.reaching import Reached, Wanted, reach
from jepanet.work.requests.deriving import DerivedModel, DeriveModel
from jepanet.work.worker import Worker

log = get_logger("models")


async def get_model(
    what: str,
    model: Digest,
    *,
    state: NodeState,
    project: Project,
    recipe: Recipe,
    library: Library,
    worker: Worker,
    round_id: RoundId,
) -> Path:
    """The file of a project's model: what the library holds, or else by the way that takes the fewest bytes.

    `what` is what messages call it; `round_id` the round it is wanted for. `worker` is asked only where the
    model is derived.

    Raises:
        Rejected: the library's folder has an altered file under its name, and it cannot be had anew.
        Transient: no way to it is served, or the folder lacks it and no peer is to be asked.
    """
    shapes = recipe.family.parameter_shapes()
    sizes = Sizes(
        dense=4 * recipe.parameters(),
        most=model_cap(recipe),
        encoded=cache(lambda codec: most_file_bytes(shapes, codec)),
    )
    wanted = Wanted(model, project, lambda: state, sizes, METHODS, what=what)
    reached: Reached = await reach(wanted, _LibraryShelf(library, worker), round_id=round_id)
    return reached.path


async def get_with_recipe(
    model: Digest,
    *,
    state: NodeState,
    project: Project,
    library: Library,
    worker: Worker,
    round_id: RoundId,
) -> tuple[Path, Recipe]:
    """The file of a project's model, as `get_model`, and the recipe that it is of. Raises: as there."""
    path = await library.get("recipe", project.recipe, "dag-json", max_bytes=MAX_RECIPE_BYTES)
    recipe = read_recipe(await asyncio.to_thread(path.read_bytes))
    found = await get_model(
        "model", model, state=state, project=project, recipe=recipe, library=library, worker=worker,
        round_id=round_id,
    )  # fmt: skip
    return found, recipe


@dataclass(frozen=True, slots=True)
class _LibraryShelf:
    """A library's folder and its peers (`jepanet.work.reaching.Shelf`)."""

    library: Library
    worker: Worker

    def held(self, digest: Digest) -> bool:
        return self.library.has(digest)

    async def take(
        self, what: str, kind: BlobKind, digest: Digest, *, max_bytes: int, round_id: RoundId
    ) -> Path:
        return await self.library.get(what, digest, _codec(kind), max_bytes=max_bytes)

    async def document(self, what: str, digest: Digest, *, max_bytes: int, round_id: RoundId) -> bytes:
        path = await self.library.get(what, digest, "dag-json", max_bytes=max_bytes)
        return await asyncio.to_thread(path.read_bytes)

    def draft(self, name: str) -> Path:
        return self.library.directory / f"{name}.part"

    async def keep(self, kind: BlobKind, made: Path, digest: Digest, *, round_id: RoundId) -> None:
        self.library.adopt(made, digest, _codec(kind))

    async def reached(self, model: Digest) -> None:
        """A folder of inputs keeps everything: it may be moved to a machine without a network."""

    async def sound(self, digest: Digest) -> bool:
        return self.library.has(digest)  # its content was checked when it was taken

    async def derive(self, request: DeriveModel) -> DerivedModel:
        return await self.worker.run(request)

    def remainder_of(self, model: Path) -> Digest | None:
        return remainder_of(model)

    def mismatched(self, leg: Leg, cause: str) -> None:
        log.error("model.mismatched", round=leg.link.round_id, route=str(leg.route), cause=cause,
                  consequence="another way is taken, at last the whole model")  # fmt: skip


def _codec(kind: BlobKind) -> Codec:
    return "dag-json" if kind == "document" else "raw"
