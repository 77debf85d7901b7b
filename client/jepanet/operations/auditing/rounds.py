"""Rounds for the command line: what the chain says of them, and the receipts of their sheets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jepanet.cid import parse_digest, to_cid
from jepanet.errors import Exit, Fatal, Rejected, Transient
from jepanet.files import write_atomically
from jepanet.operations.access import open_chain, open_signing
from jepanet.operations.auditing.observer import Library, find_round, open_library, read_chain
from jepanet.operations.auditing.receipts import Terms, sheet_view
from jepanet.operations.funds.precheck import check_challenge
from jepanet.protocol.documents.spec import MAX_SPEC_BYTES, decode_spec
from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, decode_sheet
from jepanet.protocol.state import NodeState, Round, Status
from jepanet.settings.config import Observer
from jepanet.types import CancelCause, Digest

CANCEL_CAUSES = {
    CancelCause.NO_COMMITS: "no commits",
    CancelCause.NOT_UNSEALED: "evaluation shard not unsealed",
    CancelCause.NO_REVEALS: "no reveals",
    CancelCause.EXPIRED: "no result in time",
    CancelCause.OVERTURNED: "result overturned",
}


async def list_rounds(where: Observer | Path) -> list[dict[str, Any]]:
    """Every round of the deployment."""
    async with open_chain(where) as chain:
        state = await read_chain(chain)
        return [summary(state, round_) for _, round_ in sorted(state.rounds.items())]


async def show_round(
    where: Observer | Path, round_id: int, *, inputs: Path, peers: tuple[str, ...], offline: bool
) -> dict[str, Any]:
    """One round with a receipt for every solver, from the recorded score sheet."""
    async with open_chain(where) as chain:
        state = await read_chain(chain)
        round_ = find_round(state, round_id)
        value = summary(state, round_)
        value["receipts"] = []
        if round_.recorded is not None:
            asked = peers or chain.config.p2p.bootstrap
            async with open_library(chain, inputs, peers=asked, offline=offline) as library:
                path = await library.get(
                    "score sheet", round_.recorded.sheet, "dag-json", max_bytes=MAX_SHEET_BYTES
                )
                terms = await _terms(library, state, round_)
            value.update(sheet_view(decode_sheet(path.read_bytes()), terms))
        return value


async def _terms(library: Library, state: NodeState, round_: Round) -> Terms | None:
    """With the round's spec, which names the price; None where it is not to be had."""
    try:
        path = await library.get("round spec", round_.params.spec, "dag-json", max_bytes=MAX_SPEC_BYTES)
    except Transient:
        return None
    members = len(state.members(round_))
    return Terms(decode_spec(path.read_bytes()), round_.params.budget, round_.params.fee, members)


def summary(state: NodeState, round_: Round) -> dict[str, Any]:
    """What the chain alone says of a round."""
    recorded = round_.recorded
    return {
        "round": int(round_.id),
        "project": int(round_.project_id),
        "phase": round_.phase(state.now).name.lower(),
        "cause": CANCEL_CAUSES.get(round_.cancel_cause),
        "base": to_cid(round_.base),
        "model": to_cid(recorded.model) if recorded else None,
        "sheet": to_cid(recorded.sheet, "dag-json") if recorded else None,
        "commits": len(round_.commits),
        "reveals": len(round_.reveals),
        "budget": str(round_.params.budget),
        "fee": str(round_.params.fee),
        "payout": str(recorded.payout) if recorded else None,
        "improvement": recorded.improvement if recorded else None,
    }


async def challenge(config_path: Path, round_id: int, evidence: str) -> dict[str, Any]:
    """Disputes a recorded result before its window ends; locks the challenge bond out of this wallet's stake.

    Raises:
        Fatal: no such round, not in its challenge window, or too little free stake.
    """
    try:
        digest = parse_digest(evidence)
    except Rejected as error:
        raise Fatal(error.message, remedy="give a CID or 64 hex digits", code=Exit.USAGE) from error
    async with open_signing(config_path) as access:
        contracts = access.chain.contracts
        bond = await check_challenge(contracts, round_id, access.wallet.address)
        call = contracts.rounds.challenge(round_id, digest)
        receipt = await access.sender.send(f"challenge/{round_id}/{digest.hex()}", call)
        return {"round": round_id, "bond": str(bond), "transaction": "0x" + receipt.tx_hash.hex()}


async def export_model(
    where: Observer | Path,
    round_id: int | None,
    target: Path,
    *,
    inputs: Path,
    peers: tuple[str, ...],
    offline: bool,
) -> dict[str, Any]:
    """Writes a round's global model as plain safetensors, without the optimiser's momentum.

    Raises:
        Fatal: no such round, it recorded no model that counts, or there is no folder to write into.
    """
    if not target.parent.is_dir():
        raise Fatal(
            f"there is no folder {target.parent}",
            remedy="make it first, or name another file",
            code=Exit.NOT_FOUND,
        )
    from jepanet.learning.recipe import MAX_RECIPE_BYTES, Recipe
    from jepanet.learning.training.checkpoint import ModelHeader, load_model, model_bytes, model_cap

    async with open_chain(where) as chain:
        state = await read_chain(chain)
        round_, digest = _model_of(state, round_id)
        project = state.projects[round_.project_id]
        asked = peers or chain.config.p2p.bootstrap
        async with open_library(chain, inputs, peers=asked, offline=offline) as library:
            recipe_path = await library.get("recipe", project.recipe, "dag-json", max_bytes=MAX_RECIPE_BYTES)
            recipe = Recipe.from_bytes(recipe_path.read_bytes())
            path = await library.get("model", digest, "raw", max_bytes=model_cap(recipe))
    model = load_model(path, recipe)
    header = ModelHeader(
        family=model.header.family,
        recipe=model.header.recipe,
        round=model.header.round,
        parent=model.header.parent,
    )
    data = await asyncio.to_thread(model_bytes, model.weights, header)
    await asyncio.to_thread(write_atomically, target, data)
    return {
        "round": int(round_.id),
        "model": to_cid(digest),
        "file": str(target),
        "bytes": len(data),
        "parameters": sum(int(array.size) for array in model.weights.values()),
    }


def _model_of(state: NodeState, round_id: int | None) -> tuple[Round, Digest]:
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
