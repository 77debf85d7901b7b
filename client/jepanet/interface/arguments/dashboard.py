"""`jepanet dashboard`: a link that opens a running node's dashboard."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from jepanet.interface.strict import StrictCommand
from jepanet.interface.terminal.output import config_option, emit, json_option


@click.command("dashboard", cls=StrictCommand)
@config_option
@json_option
@click.option("--operate", is_flag=True, help="Also allow what changes something, such as claiming.")
@click.option("--open", "opened", is_flag=True, help="Open it in this machine's browser.")
def command(config_path: Path, as_json: bool, operate: bool, opened: bool) -> None:
    """Print a link to the dashboard of a running node. It lets one browser in, once, within two minutes.

    Asks the running node over its JSON-RPC ([rpc] enabled = true). The link has no token in it: the page
    exchanges its code for one and keeps that until its tab is closed. Exit code 28 if the node does not run.

    \b
    Examples:
      jepanet dashboard --config node.toml --open
      jepanet dashboard --config node.toml --operate
    """
    from jepanet.interface.running import asked
    from jepanet.rpc.calling.client import NodeClient, dashboard_link
    from jepanet.rpc.method import Scope
    from jepanet.settings.config import load_config

    scope = Scope.OPERATE if operate else Scope.READ

    async def invited(node: NodeClient) -> str:
        invitation = await (node.dashboard_invite_operator() if operate else node.dashboard_invite())
        return dashboard_link((await node.node_status()).rpc, invitation)

    link = asked(load_config(config_path), scope, invited)
    if opened:
        webbrowser.open(link)
    emit({"link": link}, as_json, lambda told: click.echo(told["link"]))
