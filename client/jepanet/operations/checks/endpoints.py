"""Checks of the chain: every endpoint by itself, whether it is alive, and that it is the deployment's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from jepanet.chain.contracts.deployment import Deployment
from jepanet.chain.endpoints.answers import Header
from jepanet.chain.endpoints.failover import Rpc
from jepanet.errors import Exit, JepanetError
from jepanet.operations.checks.findings import Finding, Level, failed, fine, from_error, warned
from jepanet.settings.config import ChainSection

LOCAL_CHAINS = frozenset((31337, 1337))
"""Chain ids of development chains, which may stand still or run ahead on purpose: no failure there."""
_SAMPLE = 32
_STANDS_BLOCKS, _STANDS_SECONDS = 20, 60.0
_LAGS_SECONDS = 60.0
_CLOCK_WARNS, _CLOCK_FAILS = 15.0, 120.0
_WEBSOCKET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Answer:
    url: str
    rpc: Rpc
    head: Header
    pace: float
    """Seconds a block takes, over the last blocks."""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or self.url

    @property
    def name(self) -> str:
        return f"endpoint {urlsplit(self.url).hostname}"


async def check_endpoints(section: ChainSection, deployment: Deployment) -> list[Finding]:
    """Asks each endpoint by itself: among several, one that fails or lags would not be noticed."""
    async with AsyncExitStack() as exits:
        return await _compare(section, deployment, exits)


async def _compare(section: ChainSection, deployment: Deployment, exits: AsyncExitStack) -> list[Finding]:
    asked = await asyncio.gather(*(_ask(section, deployment, url, exits) for url in section.endpoints))
    answers = [item for item in asked if isinstance(item, _Answer)]
    rows = [item for item in asked if isinstance(item, Finding)]
    if not answers:
        return rows
    # One of several that fails is a backup that is none; the node itself would run on the others.
    rows = [
        warned(row.check, row.text, row.remedy or "") if row.code is Exit.CHAIN_UNREACHABLE else row
        for row in rows
    ]
    best = max(answers, key=lambda item: (item.head.ref.number, item.head.ref.timestamp))
    rows += [_place(item, best) for item in answers]
    rows += await _forks(section, deployment, answers)
    rows += judge_head(best.head, best.pace, time.time(), local=deployment.chain_id in LOCAL_CHAINS)
    if section.websocket is not None:
        rows.append(await _websocket(section.websocket))
    return rows


def judge_head(head: Header, pace: float, now: float, *, local: bool) -> list[Finding]:
    """Whether the chain moves and this machine's clock agrees with it.

    Args:
        pace: seconds between blocks.
        now: this machine's clock, unix seconds.
        local: a development chain, where neither is a failure.
    """
    age = now - head.ref.timestamp
    text = f"block {head.ref.number}, {max(0.0, age):.0f} s old; a block takes about {pace:.3g} s"
    if age > max(_STANDS_SECONDS, _STANDS_BLOCKS * pace):
        remedy = (
            "the chain or all its endpoints stand still, or this machine's clock is ahead: look at a block"
        )
        return [_graver("head", text, f"{remedy} explorer and `timedatectl`", Exit.CHAIN_UNREACHABLE, local)]
    rows = [fine("head", text)]
    if age < -_CLOCK_WARNS:
        row = _graver(
            "clock",
            f"this machine's clock is {-age:.0f} s behind the newest block",
            "set the clock (timedatectl set-ntp true)",
            Exit.CONFIG,
            local or age > -_CLOCK_FAILS,
        )
        rows.append(row)
    return rows


def _graver(check: str, text: str, remedy: str, code: Exit, mild: bool) -> Finding:
    return warned(check, text, remedy) if mild else failed(check, text, remedy, code)


async def _ask(
    section: ChainSection, deployment: Deployment, url: str, exits: AsyncExitStack
) -> _Answer | Finding:
    try:
        rpc = Rpc([url], deployment.chain_id, section.timeout_seconds)
        exits.push_async_callback(rpc.close)
        await rpc.check()
        head = await rpc.head()
        before = await rpc.header(max(0, head.ref.number - _SAMPLE))
    except JepanetError as error:
        return from_error(f"endpoint {urlsplit(url).hostname}", error)
    blocks = head.ref.number - before.ref.number if before is not None else 0
    pace = (head.ref.timestamp - before.ref.timestamp) / blocks if before is not None and blocks else 0.0
    return _Answer(url, rpc, head, pace)


def _place(item: _Answer, best: _Answer) -> Finding:
    lag = best.head.ref.number - item.head.ref.number
    behind = best.head.ref.timestamp - item.head.ref.timestamp
    if lag > 1 and behind > max(_LAGS_SECONDS, 5 * best.pace):
        return warned(
            item.name,
            f"stands at block {item.head.ref.number}, {lag} blocks behind {best.name}",
            "drop it from chain.endpoints or ask its provider",
        )
    return fine(item.name, f"at block {item.head.ref.number}")


async def _forks(section: ChainSection, deployment: Deployment, answers: Sequence[_Answer]) -> list[Finding]:
    """Two chains may bear one id: endpoints must agree on a block that all of them have confirmed."""
    if len(answers) < 2:
        return []
    depth = max(1, section.confirmations if section.confirmations is not None else deployment.confirmations)
    number = max(0, min(item.head.ref.number for item in answers) - depth)
    hashes: dict[bytes, str] = {}
    for item in answers:
        try:
            header = await item.rpc.header(number)
        except JepanetError:
            continue
        if header is not None:
            hashes.setdefault(header.ref.hash, item.host)
    if len(hashes) < 2:
        return []
    told = ", ".join(f"{host}: 0x{block.hex()[:12]}…" for block, host in hashes.items())
    return [
        failed(
            "endpoints",
            f"they disagree on block {number} ({told})",
            "they serve different chains with one id: keep those of your network",
            Exit.WRONG_CHAIN,
        )
    ]


async def _websocket(url: str) -> Finding:
    try:
        timeout = aiohttp.ClientTimeout(total=_WEBSOCKET_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.ws_connect(url):
            return Finding("websocket", Level.OK, "answers")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        # The message may hold the URL and an API key in it.
        return warned(
            "websocket",
            f"chain.websocket does not answer ({type(error).__name__})",
            "correct it or leave it out: blocks are then found by polling",
        )
