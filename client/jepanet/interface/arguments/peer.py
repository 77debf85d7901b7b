"""`jepanet peer`: who a running node is connected to, and who it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import config_option, emit, json_option, pairs, shown, table

if TYPE_CHECKING:
    from jepanet.operations.views.node import BannedPeer, ConnectedPeer
    from jepanet.rpc.calling.client import NodeClient

T = TypeVar("T")


@click.group("peer", cls=StrictGroup)
def command() -> None:
    """List, connect and ban peers of a running node, over its JSON-RPC ([rpc] enabled = true).

    \b
    Examples:
      jepanet peer list --config node.toml
      jepanet peer connect /ip4/203.0.113.7/tcp/4701/p2p/16Uiu2… --config node.toml
      jepanet peer ban 16Uiu2… --config node.toml
    """


@command.command("list")
@config_option
@json_option
def listed(config_path: Path, as_json: bool) -> None:
    """List the peers that are connected.

    Example: jepanet peer list --config node.toml
    """
    from jepanet.rpc.calling.client import every

    async def found(node: NodeClient) -> tuple[ConnectedPeer, ...]:
        return tuple([item async for item in every(node.peers_list)])

    def show(items: tuple[ConnectedPeer, ...]) -> None:
        rows = [
            (item.peer, item.address, "us" if item.outbound else "them", "yes" if item.gossiping else "no")
            for item in items
        ]
        table("Peers", ("peer", "address", "dialled by", "gossips"), rows)

    emit(_asked(config_path, found), as_json, show)


@command.command("banned")
@config_option
@json_option
def banned(config_path: Path, as_json: bool) -> None:
    """List the peers that are refused, why, and for how long still.

    Example: jepanet peer banned --config node.toml
    """
    from jepanet.rpc.calling.client import every

    async def found(node: NodeClient) -> tuple[BannedPeer, ...]:
        return tuple([item async for item in every(node.peers_banned)])

    def show(items: tuple[BannedPeer, ...]) -> None:
        rows = [(item.peer, item.reason, item.seconds, item.times) for item in items]
        table("Banned peers", ("peer", "why", "seconds left", "times"), rows)

    emit(_asked(config_path, found), as_json, show)


@command.command("connect")
@click.argument("address")
@config_option
@json_option
def connect(address: str, config_path: Path, as_json: bool) -> None:
    """Connect the running node to the peer at ADDRESS, and remember it.

    Example: jepanet peer connect /ip4/203.0.113.7/tcp/4701/p2p/16Uiu2… --config node.toml
    """
    made = _asked(config_path, lambda node: node.peers_connect(address), operate=True)
    emit(made, as_json, lambda value: pairs("Connected", shown(value)))


@command.command("ban")
@click.argument("peer")
@config_option
@json_option
def ban(peer: str, config_path: Path, as_json: bool) -> None:
    """Close PEER's connections to the running node and refuse it for an hour, doubled with each ban.

    Example: jepanet peer ban 16Uiu2… --config node.toml
    """
    made = _asked(config_path, lambda node: node.peers_ban(peer), operate=True)
    emit(made, as_json, lambda value: pairs("Banned", shown(value)))


def _asked(config_path: Path, ask: Callable[[NodeClient], Awaitable[T]], *, operate: bool = False) -> T:
    from jepanet.interface.running import asked
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    return asked(load_config(config_path), Scope.OPERATE if operate else Scope.READ, ask)
