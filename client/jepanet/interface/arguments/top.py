"""`jepanet top`: a running node at a glance, over and over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jepanet.errors import Exit, Fatal, JepanetError
from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option

if TYPE_CHECKING:
    from jepanet.interface.terminal.overviewed import Overviewed
    from jepanet.settings.config import Config

_LOOK_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 1.0


@click.command("top", cls=StrictCommand)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each look.")
def command(config_path: Path, as_json: bool) -> None:
    """Show a running node in the whole terminal until Ctrl-C: the round with its countdown, what to do now,
    training, wallet, earnings, peers, transfers. Elsewhere than at a terminal, a line for each change.

    Asks the node of the configuration over its JSON-RPC ([rpc] enabled = true), and waits for it where it
    does not answer. `jepanet status --watch` shows the same below what the terminal has.

    \b
    Examples:
      jepanet top --config node.toml
      jepanet top --config node.toml --json | jq .worries
    """
    follow(config_path, as_json=as_json, whole=True)


def follow(config_path: Path, *, as_json: bool, whole: bool) -> None:
    """Looks every two seconds, until it is interrupted.

    Raises: Fatal: the node of this configuration answers no JSON-RPC (`CONFIG`), or what no waiting mends.
    """
    from jepanet.interface.terminal.overviewed import Overviewed
    from jepanet.settings.config import load_config

    config = load_config(config_path)
    if not config.rpc.enabled:
        raise Fatal(
            f"the node of {config_path} answers no JSON-RPC: [rpc] enabled is not set",
            remedy="set enabled = true in [rpc] and start the node anew; `jepanet status` asks nobody",
            code=Exit.CONFIG,
        )
    with Overviewed(as_json=as_json, whole=whole) as told:
        asyncio.run(_follow(config, told))


async def _follow(config: Config, told: Overviewed) -> None:
    from jepanet.interface.running import may_pass
    from jepanet.rpc.calling.client import open_client
    from jepanet.rpc.calling.overview import look_over
    from jepanet.rpc.method import Scope

    while True:
        try:
            async with open_client(config, Scope.READ) as node:
                while True:
                    told.saw(await look_over(node))
                    await asyncio.sleep(_LOOK_SECONDS)
        except JepanetError as error:
            if not may_pass(error):
                raise
            told.missing(f"the node does not answer: {error.message}")
            await asyncio.sleep(_AGAIN_SECONDS)
