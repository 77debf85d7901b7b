"""One sender for a wallet: what a command has sent is sent by the running node, or from here without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from jepanet.operations.access import SigningAccess
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.settings.config import Config

S = TypeVar("S")

_PATIENCE = 600.0
"""Seconds for which a running node is asked again how it ended."""
_PAUSE = 1.0


def sent(
    config: Config,
    what: str,
    ask: Callable[[NodeClient], Awaitable[S]],
    send: Callable[[SigningAccess], Awaitable[S]],
) -> S:
    """What came of it, by `ask` of a node that runs and answers JSON-RPC, by `send` without one; `what`: its
    name among the intents of commands. What an earlier command sent from here is settled from here.

    Raises: Declined, `UNDER_WAY` among others: not mined in time; as `send`.
    """
    from jepanet.interface.running import answers
    from jepanet.operations.funds.unfinished import left_open

    if answers(config) and not left_open(config.node.data_dir, what):
        click.echo("the node runs: it is asked to send it", err=True)
        return _by_node(config, ask)
    return asyncio.run(_from_here(config, send))


async def _from_here(config: Config, send: Callable[[SigningAccess], Awaitable[S]]) -> S:
    from jepanet.operations.access import open_signing

    async with open_signing(config) as access:
        return await send(access)


def _by_node(config: Config, ask: Callable[[NodeClient], Awaitable[S]]) -> S:
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.declined import Declined
    from jepanet.rpc.codes import Code
    from jepanet.rpc.method import Scope

    async def told(node: NodeClient) -> S:
        loop = asyncio.get_running_loop()
        given_up, said = loop.time() + _PATIENCE, False
        while True:
            try:
                return await ask(node)
            except Declined as declined:
                if declined.known not in (Code.UNDER_WAY, Code.TIMED_OUT) or loop.time() >= given_up:
                    raise
                if not said:
                    click.echo(f"waiting: {declined.detail or 'the node is at work on it'}", err=True)
                said = True
            await asyncio.sleep(_PAUSE)

    return asked(config, Scope.OPERATE, told)
