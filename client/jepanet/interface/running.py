"""What commands ask of the node that runs on this machine, over its JSON-RPC."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from jepanet.errors import Exit, Fatal, JepanetError, Transient
from jepanet.operations.status import read_status

if TYPE_CHECKING:
    from jepanet.operations.views.node import NodeStatus
    from jepanet.rpc.calling.client import NodeClient
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import Config

T = TypeVar("T")


def answers(config: Config) -> bool:
    """Whether the node runs and says that it answers JSON-RPC."""
    try:
        status = read_status(config.node.data_dir)
    except Fatal:  # it never ran, or an earlier version
        return False
    return status.running and status.rpc is not None and status.rpc.url is not None


def may_pass(error: JepanetError) -> bool:
    """Whether it is no more than a node that does not run, or answer, at the moment."""
    from jepanet.rpc.calling.declined import Declined

    if isinstance(error, Declined):
        return error.code is Exit.TRY_AGAIN
    return isinstance(error, Transient) or error.code in (Exit.NOT_RUNNING, Exit.NOT_FOUND)


def asked(config: Config, scope: Scope, ask: Callable[[NodeClient], Awaitable[T]]) -> T:
    """What `ask` learns from the running node. Raises: as `open_client`, and as its methods."""
    from jepanet.rpc.calling.client import open_client

    async def learnt() -> T:
        async with open_client(config, scope) as node:
            return await ask(node)

    return asyncio.run(learnt())


def newest_status(config: Config) -> NodeStatus:
    """What the node says of itself now if it answers, else what it last wrote; which of them is said on
    standard error where a node that should answer does not. Raises: as `read_status`."""
    if not answers(config):
        return read_status(config.node.data_dir)
    from jepanet.rpc.method import Scope

    try:
        return asked(config, Scope.READ, lambda node: node.node_status())
    except JepanetError as error:
        click.echo(f"jepanet: {error}; what follows is what the node last wrote", err=True)
        return read_status(config.node.data_dir)
