"""`jepanet node`: run a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jepanet.interface.output import amounts, config_option, emit, json_option, pairs


@click.group("node")
def command() -> None:
    """Run a node, or check that it could run.

    \b
    Examples:
      jepanet node run --config node.toml
      jepanet node check --config node.toml
    """


@command.command("run")
@config_option
def run(config_path: Path) -> None:
    """Run a node with the roles its configuration names, until Ctrl-C or SIGTERM.

    It may be killed at any moment: the next start takes up every round where it stopped.

    Example: jepanet node run --config solver.toml
    """
    import asyncio

    from jepanet.node.running import run_node

    asyncio.run(run_node(config_path))


@command.command("check")
@config_option
@json_option
def check(config_path: Path, as_json: bool) -> None:
    """Check configuration, dataset, addresses, wallet, chain and contracts without starting anything.

    Example: jepanet node check --config solver.toml
    """
    import asyncio

    from jepanet.node.preflight import preflight

    emit(asyncio.run(preflight(config_path)), as_json, _show)


def _show(value: dict[str, Any]) -> None:
    pairs("Ready to run (amounts in tokens; native in ether)", amounts(value))
