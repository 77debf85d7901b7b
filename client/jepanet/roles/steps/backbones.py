"""The backbone beside which a recipe's adapters stand: from the operator's folder, or from peers by CID."""

from __future__ import annotations

import asyncio

from jepanet.cid import to_cid
from jepanet.errors import Transient
from jepanet.roles.context import Context
from jepanet.roles.documents import RecipeSummary
from jepanet.roles.steps.obtain import obtain


async def obtain_backbone(context: Context, recipe: RecipeSummary, *, pin: str) -> None:
    """Brings the file that a recipe's networks read beside their weights into the blob store, and serves it.

    A node without it takes no part in the round: it neither trains nor measures, and has promised nothing.

    Raises:
        Transient: neither the operator's folder nor any peer has it (yet), or the store has no room.
        Rejected: the folder's file has another content (`wrong-digest`), or a peer's is too large.
    """
    if recipe.backbone is None:
        return
    own = context.own_backbone(recipe.backbone)
    if own is not None and context.blobs.path(recipe.backbone) is None:
        await asyncio.to_thread(context.blobs.put_file, own, recipe.backbone, move=False, pin=pin)
    try:
        await obtain(context, recipe.backbone, kind="model", max_bytes=recipe.backbone_bytes, pin=pin)
    except Transient as error:
        raise Transient(
            f"this node lacks the backbone {to_cid(recipe.backbone)}, beside which the recipe trains "
            f"adapters, and nobody serves it: {error.message}",
            remedy="set worker.backbones to a folder that has it",
        ) from error
