"""Findings about each endpoint by itself: how quick it is beside the windows of rounds, and its time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.failover import Rpc
from jepanet.chain.following.pace import measure_pace
from jepanet.errors import Exit, JepanetError
from jepanet.operations.checks.findings import Finding, failed, fine, warned
from jepanet.settings.config import Config

_CLOCK_WARNS, _CLOCK_FAILS = 5.0, 60.0
"""Seconds. Answers say whole seconds, so that less than two is agreement."""
_NARROW = 0.5
"""Share of the shortest window above which an answer is called slow."""
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Window:
    """A phase in which this node has to act, and its seconds."""

    name: str
    seconds: int


async def check_latency(config: Config, deployment: Deployment, windows: Sequence[Window]) -> list[Finding]:
    """A row an endpoint: how long a request and a whole answer take there, beside the shortest window."""
    shortest = min(windows, key=lambda item: item.seconds, default=None)
    return list(
        await asyncio.gather(*(_latency(config, deployment, url, shortest) for url in config.chain.endpoints))
    )


async def _latency(config: Config, deployment: Deployment, url: str, shortest: Window | None) -> Finding:
    name = f"latency {urlsplit(url).hostname}"
    rpc = Rpc([url], deployment.chain_id, config.chain.timeout_seconds)
    try:
        pace = await measure_pace(rpc)
    except JepanetError as error:
        return warned(name, error.message, "see the row of this endpoint")
    finally:
        await rpc.close()
    configured = config.chain.confirmations
    confirmations = deployment.confirmations if configured is None else configured
    least = pace.shortest_window(confirmations, config.chain.poll_seconds)
    text = (
        f"{pace.request * 1000:.0f} ms a request, {least:.0f} s from the start of a phase to an answer in it"
    )
    return judge_latency(name, text, least, shortest)


def judge_latency(name: str, text: str, least: float, shortest: Window | None) -> Finding:
    """`least`: seconds that an answer takes; held against the shortest window there is."""
    if shortest is None:
        return fine(name, text)
    text = f"{text}; {shortest.name} lasts {shortest.seconds} s"
    remedy = "use a quicker endpoint, or one that is nearer; fewer confirmations help too"
    if least > shortest.seconds:
        return failed(name, text, remedy, Exit.CONFIG)
    return warned(name, text, remedy) if least > _NARROW * shortest.seconds else fine(name, text)


async def check_clock(endpoints: Sequence[str], *, local: bool) -> Finding:
    """This machine's clock beside the time that the endpoints' web servers say (RFC 9110, section 6.6.1).

    `local`: a development chain on this machine, where nothing is a failure.
    """
    found = [skew for skew in await asyncio.gather(*map(_skew, endpoints)) if skew is not None]
    return judge_clock(found, local=local)


def judge_clock(skews: Sequence[float], *, local: bool) -> Finding:
    """`skews`: seconds by which each of the others is ahead of this machine; the middle one counts."""
    if not skews:
        return fine("clock skew", "no endpoint says what time it has; see the row `head`")
    skew = statistics.median(skews)
    text = f"{abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} {len(skews)} endpoints"
    remedy = "set the clock: timedatectl set-ntp true"
    if abs(skew) > _CLOCK_FAILS and not local:
        return failed("clock skew", text, remedy, Exit.CONFIG)
    return warned("clock skew", text, remedy) if abs(skew) > _CLOCK_WARNS else fine("clock skew", text)


async def _skew(url: str) -> float | None:
    """How far the endpoint's server is ahead, to a second or so; None where it does not say."""
    try:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            began = time.time()
            question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
            async with session.post(url, json=question, allow_redirects=False) as answer:
                said = answer.headers.get("Date")
            middle = (began + time.time()) / 2
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    try:
        # A header says whole seconds: on average it is half a second old.
        return parsedate_to_datetime(said).timestamp() + 0.5 - middle if said else None
    except (ValueError, OverflowError):
        return None
