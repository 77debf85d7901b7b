"""`jepanet devnet`: a local chain with the contracts deployed."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jepanet.interface.folders import data_folder
from jepanet.interface.strict import StrictGroup
from jepanet.interface.terminal.output import emit, json_option, pairs, shown

if TYPE_CHECKING:
    from jepanet.operations.views.local import Devnet

_DIRECTORY = click.option(
    "--dir", "directory", type=click.Path(file_okay=False, path_type=Path),
    default=lambda: data_folder("devnet"),
    show_default="~/.local/share/jepanet/devnet", help="Folder for chain state, log and deployment.json.",
)  # fmt: skip
_RUNNING = click.option(
    "--dir", "directory", type=click.Path(file_okay=False, path_type=Path), default=lambda: _running(),
    show_default="~/.local/share/jepanet/devnet; a quickstart's, ~/.local/share/jepanet/local/devnet or "
    "local/devnet here, where none runs there", help="Folder of the devnet.",
)  # fmt: skip


def _running() -> Path:
    """The usual folder, unless the one devnet that runs is a quickstart's."""
    from jepanet.operations.devnet import is_running

    usual = data_folder("devnet")
    others = [Path("local", "devnet"), data_folder("local") / "devnet"]
    return next((folder for folder in (usual, *others) if is_running(folder)), usual)


def _finite(context: click.Context, option: click.Parameter, value: float) -> float:
    """Not a number is in no range, and in none of its bounds' way."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds", context, option)
    return value


@click.group("devnet", cls=StrictGroup)
def command() -> None:
    """Run a local anvil chain for development. Nothing on it has value.

    \b
    Examples:
      jepanet devnet up --block-time 1
      jepanet devnet fund 0xAbc… --tokens 1000
      jepanet devnet down
    """


@command.command("up")
@_DIRECTORY
@click.option("--port", default=8545, show_default=True, type=click.IntRange(1, 65535))
@click.option("--chain-id", default=31337, show_default=True, type=click.IntRange(1, (1 << 53) - 1))
@click.option("--block-time", default=1.0, show_default=True, type=click.FloatRange(0.1, 3600),
              callback=_finite, help="Seconds.")  # fmt: skip
@json_option
def up(directory: Path, port: int, chain_id: int, block_time: float, as_json: bool) -> None:
    """Start anvil in the background and deploy the contracts.

    Example: jepanet devnet up --port 8546
    """
    from jepanet.operations import devnet

    value = asyncio.run(devnet.up(directory, port=port, chain_id=chain_id, block_time=block_time))
    emit(value, as_json, _show)


@command.command("down")
@_RUNNING
@json_option
def down(directory: Path, as_json: bool) -> None:
    """Stop anvil; its state is kept for the next `up`.

    Example: jepanet devnet down
    """
    from jepanet.operations import devnet

    emit(asyncio.run(devnet.down(directory)), as_json, lambda value: pairs("Devnet stopped", shown(value)))


@command.command("status")
@_RUNNING
@json_option
def status(directory: Path, as_json: bool) -> None:
    """Show endpoint, head and contract addresses.

    Example: jepanet devnet status --json
    """
    from jepanet.operations import devnet

    emit(asyncio.run(devnet.status(directory)), as_json, _show)


@command.command("fund")
@click.argument("addresses", nargs=-1, required=True)
@_RUNNING
@click.option(
    "--tokens", default=10_000, show_default=True, type=click.IntRange(0, 10**12), help="Whole tokens each."
)
@click.option(
    "--ether", default=10, show_default=True, type=click.IntRange(0, 10**6), help="Whole ether each."
)
@json_option
def fund(addresses: tuple[str, ...], directory: Path, tokens: int, ether: int, as_json: bool) -> None:
    """Give development tokens and ether to ADDRESSES.

    Example: jepanet devnet fund 0xAbc… 0xDef… --tokens 500
    """
    from jepanet.operations import devnet

    value = asyncio.run(devnet.fund(directory, addresses, tokens=tokens, ether=ether))
    emit(value, as_json, lambda made: pairs("Funded", shown(made)))


def _show(value: Devnet) -> None:
    rows = {**shown(value), **value.contracts}
    rows.pop("contracts")
    pairs("Devnet", rows)
