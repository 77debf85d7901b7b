"""Score sheets, which come from strangers, read beside the event loop.

One of 32 MiB that is none takes half a minute to find out, and any verifier of any round may name some: no
other duty has to wait for that. One is read at a time of those of one turn: each round that this node signs,
pays or claims in has its own, and all that strangers name together one, so that they take a thread at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from jepanet.protocol.settling.sheet import MAX_SHEET_BYTES, ScoreSheet, decode_sheet
from jepanet.roles.context import Context
from jepanet.roles.steps.obtain import obtain_bytes
from jepanet.types import Digest, RoundId

T = TypeVar("T")


async def obtain_sheet(context: Context, digest: Digest, *, pin: str, turn: RoundId | None) -> ScoreSheet:
    """The sheet under a digest, not believed. `turn`: the round of this node's in which it is due; None: it
    is named by strangers.

    Raises:
        Transient: nobody serves it. Rejected: as `decode_sheet`.
    """
    data = await obtain_bytes(context, digest, max_bytes=MAX_SHEET_BYTES, pin=pin)
    return await aside(context, lambda: decode_sheet(data), turn=turn)


async def aside(context: Context, work: Callable[[], T], *, turn: RoundId | None) -> T:
    """Does `work` on a sheet. Raises: as it does."""
    async with context.turns.of(("sheets", turn)):
        return await asyncio.to_thread(work)
