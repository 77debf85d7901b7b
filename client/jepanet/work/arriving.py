"""A job beside which something is done that it waits for: neither outlives the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def while_they_come(job: Awaitable[T], bringing: Awaitable[None]) -> T:
    """The outcome of `job`, while `bringing` brings the files that it awaits.

    Raises: as either of them; the other one is then ended.
    """
    does, brings = asyncio.ensure_future(job), asyncio.ensure_future(bringing)
    try:
        await asyncio.wait((does, brings), return_when=asyncio.FIRST_COMPLETED)
        if not does.done():
            await brings
        return await does
    finally:
        for task in (does, brings):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
