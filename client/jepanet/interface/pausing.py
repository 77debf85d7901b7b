"""`jepanet node pause|resume|drain`: what a running node begins, and whether it may be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option, table
from jepanet.types import Role

if TYPE_CHECKING:
    from jepanet.operations.views.node import Standing
    from jepanet.rpc.calling.client import NodeClient

_ROLE = click.Choice([role.value for role in Role])
_LOOKS = 2.0
"""Seconds between two looks at a node that is waited for."""


@click.command("pause", cls=StrictCommand)
@click.argument("role", type=_ROLE)
@config_option
@json_option
def pause(role: str, config_path: Path, as_json: bool) -> None:
    """Have the running node begin nothing new for ROLE, also after a restart.

    What it owes it still does: it reveals what it committed to, signs for what it measured, claims its pay.
    It is asked over its JSON-RPC ([rpc] enabled = true).

    \b
    Examples:
      jepanet node pause solver --config node.toml
      jepanet node resume solver --config node.toml
    """
    _show(_asked(config_path, lambda node: node.node_pause(Role(role))), as_json)


@click.command("resume", cls=StrictCommand)
@click.argument("role", type=_ROLE)
@config_option
@json_option
def resume(role: str, config_path: Path, as_json: bool) -> None:
    """End the pause of ROLE.

    Example: jepanet node resume solver --config node.toml
    """
    _show(_asked(config_path, lambda node: node.node_resume(Role(role))), as_json)


@click.command("drain", cls=StrictCommand)
@click.option("--wait", is_flag=True, help="Come back when no round needs the node any more.")
@config_option
@json_option
def drain(wait: bool, config_path: Path, as_json: bool) -> None:
    """Pause every role of the running node, before it is stopped for good or for long.

    A node that stops while a round needs it may lose a bond: with --wait the command ends once none does.
    Ctrl-C ends the waiting and not the pause.

    \b
    Examples:
      jepanet node drain --config node.toml
      jepanet node drain --wait --config node.toml && systemctl stop jepanet
    """

    async def drained(node: NodeClient) -> Standing:
        found = await node.node_drain()
        told: tuple[int, ...] = ()
        while wait and found.needed:
            if found.rounds != told:
                told = found.rounds
                click.echo(f"waiting for round {', '.join(map(str, told))}", err=True)
            await asyncio.sleep(_LOOKS)
            found = await node.node_standing()
        return found

    _show(_asked(config_path, drained), as_json)


def _show(found: Standing, as_json: bool) -> None:
    emit(found, as_json, _table)


def _table(found: Standing) -> None:
    rows = [(item.role, "paused" if item.paused else "takes part") for item in found.roles]
    table("Roles", ("role", "standing"), rows)
    if found.needed:
        click.echo(f"rounds that need this node: {', '.join(map(str, found.rounds))}")
    elif all(item.paused for item in found.roles):
        click.echo("no round needs this node: it can be stopped")


def _asked(config_path: Path, ask: Callable[[NodeClient], Awaitable[Standing]]) -> Standing:
    from jepanet.interface.running import asked
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    return asked(load_config(config_path), Scope.OPERATE, ask)
