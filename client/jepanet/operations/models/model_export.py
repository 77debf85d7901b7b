"""`jepanet model export`: a round's global model as plain safetensors."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from jepanet.cid import to_cid
from jepanet.errors import Exit, Fatal
from jepanet.files import write_atomically
from jepanet.operations.reading.history import History, find_round
from jepanet.operations.reading.library import Library
from jepanet.operations.views.rounds import ExportedModel
from jepanet.protocol.state import NodeState, Round, Status
from jepanet.types import Digest
from jepanet.work.worker import Worker


def check_target(target: Path) -> None:
    """Raises: Fatal: there is no folder to write into (exit code `NOT_FOUND`)."""
    if not target.parent.is_dir():
        raise Fatal(
            f"there is no folder {target.parent}",
            remedy="make it first, or name another file",
            code=Exit.NOT_FOUND,
        )


async def export_model(
    history: History, library: Library, worker: Worker, round_id: int | None, target: Path
) -> ExportedModel:
    """Writes a round's global model without what only merging needs; of the newest settled round by default.

    Raises:
        Fatal: no such round, or it recorded no model that counts. Transient: nobody serves it.
    """
    return await write_model(await history.state(), library, worker, round_id, target)


async def write_model(
    state: NodeState, library: Library, worker: Worker, round_id: int | None, target: Path
) -> ExportedModel:
    """As `export_model`, from a state that was read."""
    from jepanet.learning.model_file import load_model, model_bytes
    from jepanet.operations.reading.models import get_with_recipe

    round_, digest = model_of_round(state, round_id)
    project = state.projects[round_.project_id]
    path, recipe = await get_with_recipe(
        digest, state=state, project=project, library=library, worker=worker, round_id=round_.id
    )
    model = load_model(path, recipe)
    data = await asyncio.to_thread(model_bytes, model.weights, replace(model.header, remainder=None))
    await asyncio.to_thread(write_atomically, target, data)
    return ExportedModel(
        round=int(round_.id),
        model=to_cid(digest),
        file=target,
        bytes=len(data),
        parameters=sum(int(array.size) for array in model.weights.values()),
    )


def model_of_round(state: NodeState, round_id: int | None) -> tuple[Round, Digest]:
    """A round and the model that it recorded; without a number, the newest one that settled on a model.

    Raises: Fatal: no such round, or it recorded no model that counts (exit code `NOT_FOUND`).
    """
    if round_id is not None:
        round_ = find_round(state, round_id)
    else:
        settled = [item for _, item in sorted(state.rounds.items()) if item.status is Status.SETTLED]
        if not settled:
            raise Fatal("no round has settled on a model yet", remedy="wait for one", code=Exit.NOT_FOUND)
        round_ = settled[-1]
    if round_.recorded is None:
        raise Fatal(f"round {round_.id} recorded no model", remedy="name another", code=Exit.NOT_FOUND)
    if round_.status is Status.CANCELLED:
        raise Fatal(
            f"round {round_.id} was cancelled: its model does not count",
            remedy="name another",
            code=Exit.NOT_FOUND,
        )
    return round_, round_.recorded.model
