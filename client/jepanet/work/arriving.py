"""A job beside which something is done that it waits for: neither outlives the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from jepanet.errors import Fatal
from jepanet.telemetry import get_logger

log = get_logger("work")
T = TypeVar("T")


async def while_they_come(job: Awaitable[T], bringing: Awaitable[None]) -> T:
    """The outcome of `job`, while `bringing` brings the files that it awaits.

    Raises: as either of them; the other one is then ended. Where both fail, what is for the operator (Fatal)
    comes before what is tried again, and the log has the other.
    """
    does, brings = asyncio.ensure_future(job), asyncio.ensure_future(bringing)
    try:
        await asyncio.wait((does, brings), return_when=asyncio.FIRST_COMPLETED)
        if not does.done():
            await brings
        return await does
    except Exception as error:
        other = _failed(*await _ended(does, brings), beside=error)
        if other is None:
            raise
        first, second = (other, error) if isinstance(other, Fatal) else (error, other)
        log.info("arrival.failed", why=f"{type(second).__name__}: {second}", beside=type(first).__name__)
        if first is error:
            raise
        raise first from error
    finally:
        await _ended(does, brings)


async def _ended(does: asyncio.Future[T], brings: asyncio.Future[None]) -> tuple[object, object]:
    """What each came to, once neither runs."""
    for task in (does, brings):
        task.cancel()
    return await asyncio.gather(does, brings, return_exceptions=True)


def _failed(*outcomes: object, beside: Exception) -> Exception | None:
    """What else went wrong."""
    return next((item for item in outcomes if isinstance(item, Exception) and item is not beside), None)
